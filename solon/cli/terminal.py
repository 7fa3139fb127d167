"""What is printed: JSON for programs, rich text for people. Foreign texts are hostile to a terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

DONE, FAILED, USAGE, WAITING, STOPPED = 0, 1, 2, 3, 4
"""Exit codes of every command."""

_WIDTH_OF_A_PIPE = 160


def clean(value: object) -> str:
    """Text without what a terminal would obey: control and direction characters are shown as escapes."""
    return "".join(char if _is_harmless(char) else _escape(char) for char in str(value))


def _is_harmless(char: str) -> bool:
    if char in "\n\t":
        return True
    # Zero-width joiners belong to emoji and to several scripts; other format characters only hide or turn text.
    return (
        unicodedata.category(char) not in ("Cc", "Cs", "Co", "Cn", "Cf", "Zl", "Zp") or char in "\u200c\u200d"
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shorten(value: object, width: int) -> str:
    """One clean line of at most `width` characters."""
    line = " ".join(clean(value).split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


def styled(value: object, style: str = "") -> Text:
    """Foreign text for rich: cleaned, and never read as markup."""
    from rich.text import Text

    return Text(clean(value), style=style)


def console(*, error: bool = False) -> Console:
    """A console that takes brackets, colons and numbers for what they are."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDTH_OF_A_PIPE
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on one line, ASCII only, as the last line of standard output."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """A remark for people, on standard error."""
    sys.stderr.write(clean(message) + "\n")
    sys.stderr.flush()
