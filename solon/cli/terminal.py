"""What is printed: JSON for programs, rich text for people. Foreign texts are hostile to a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from solon.plain import clean as clean
from solon.plain import shorten as shorten

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

DONE, FAILED, USAGE, WAITING, STOPPED = 0, 1, 2, 3, 4
"""Exit codes of every command."""

_WIDTH_OF_A_PIPE = 160


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
