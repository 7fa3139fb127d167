"""Names of people: as they are kept, and which are refused since they hide a character or pass for another's."""

from __future__ import annotations

import pytest

from solon.errors import UsageError
from solon.store.reviewing.names import check_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Ada   Byron ", "Ada Byron"),
        ("Rene\u0301", "Ren\u00e9"),
        (
            "\u0645\u0647\u062f\u06cc\u200c\u067e\u0648\u0631",
            "\u0645\u0647\u062f\u06cc\u200c\u067e\u0648\u0631",
        ),
        ("\u0410\u043d\u043d\u0430", "\u0410\u043d\u043d\u0430"),
        ("Anna \u0410\u043d\u043d\u0430", "Anna \u0410\u043d\u043d\u0430"),
        ("\u5c71\u7530 Taro", "\u5c71\u7530 Taro"),
    ],
)
def test_a_name_is_kept_in_one_form(given: str, kept: str) -> None:
    assert check_name(given, ["Eve", kept]) == kept


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (" \n", "1 to 200"),
        ("x" * 201, "1 to 200"),
        ("Ada\x00", "U\\+0000"),
        ("Ada\u200b", "U\\+200B ZERO WIDTH SPACE, which is not seen"),
        ("A\u200dda", "U\\+200D"),
        ("\u202eadA", "U\\+202E RIGHT-TO-LEFT OVERRIDE"),
        ("Ada\ue000", "U\\+E000"),
        ("\u0410da", "U\\+0410 CYRILLIC CAPITAL LETTER A among letters of another script"),
        ("P\u03b1ula", "U\\+03B1"),
        ("ada", "is read as the expert 'Ada'"),
        ("\uff21da", "is read as the expert 'Ada'"),
        ("\u0435\u0440\u043e", "is read as the expert 'Epo'"),
    ],
)
def test_a_name_that_deceives_is_refused(given: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_name(given, ["Ada", "Epo"])
