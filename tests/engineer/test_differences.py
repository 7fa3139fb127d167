"""What is said where a run goes on under another configuration: which entry, which key, and both values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from solon.config.pinned import list_differences
from solon.errors import UsageError

LOST = {
    "name": "lost_words",
    "label": "lost",
    "keywords": ["lost", "gone", "missing", "cannot find it", "cannot see it", "where"],
}
IBAN = {"name": "iban", "label": "transfer", "regex": "iban"}
OTHER = {**LOST, "keywords": [*LOST["keywords"][:-1], "stolen"]}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ([LOST], [{**LOST, "label": "gone"}], "rules[lost_words].label was 'lost', now 'gone'"),
        ([LOST], [LOST, IBAN], "rules[iban] was added"),
        ([LOST, IBAN], [IBAN], "rules[lost_words] was removed"),
        ([LOST, IBAN], [IBAN, LOST], "the order of rules was another"),
        (None, [IBAN], "rules[iban] was added"),
        ([IBAN], None, "rules[iban] was removed"),
    ],
)
def test_a_changed_entry_is_named(old: Any, new: Any, told: str) -> None:
    before, after = ({"rules": rules} if rules else {} for rules in (old, new))
    assert list_differences(before, after) == told


def test_long_values_are_shown_where_they_differ() -> None:
    told = list_differences({"rules": [LOST]}, {"rules": [OTHER]})
    assert told.startswith("rules[lost_words].keywords was ...")
    assert "'where'" in told.partition(", now ")[0]
    assert "'stolen'" in told.partition(", now ")[2]


def test_an_entry_without_a_name_is_told_by_its_place(open_project: Callable[..., Any]) -> None:
    seeds, routing = ["Explain rain"], {"policy": "always"}
    open_project(routing=routing, judges=[{}, {"persona": "a reader"}]).run("preference", seeds)
    changed = open_project(routing=routing, judges=[{}, {"persona": "a doctor"}])
    with pytest.raises(UsageError, match=r"judges\[2\]\.persona was 'a reader', now 'a doctor'"):
        changed.run("preference", seeds)
