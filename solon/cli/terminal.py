"""What is printed: JSON for programs, rich text for people. Foreign texts are hostile to a terminal."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.display.text import clean as clean
from solon.display.text import shorten as shorten
from solon.observers import SolonWarning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

DONE, FAILED, USAGE, WAITING, STOPPED = 0, 1, 2, 3, 4
"""Exit codes of every command."""

_WIDTH_OF_A_PIPE = 160


def styled(value: object, style: str = "") -> Text:
    """Foreign text, ready for rich: cleaned, and never read as markup."""
    from rich.text import Text

    return Text(clean(value), style=style)


def console(*, error: bool = False) -> Console:
    """A rich console that prints brackets, colons and numbers as they are."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDTH_OF_A_PIPE
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def spell_path(path: str | Path) -> str:
    """A path as whoever sits here would write it: from the working folder on where it lies below, else as it is."""
    found, here = Path(path), Path.cwd()
    return str(found.relative_to(here) if found.is_relative_to(here) else path)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line, ASCII only, as the last line of standard output."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """A context in which Solon's own warnings are one line each on standard error."""
    show = warnings.showwarning

    def show_in_a_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, SolonWarning):
            say(f"warning: {message}")
        else:
            show(message, category, *place, **more)

    warnings.showwarning = show_in_a_line
    try:
        yield
    finally:
        warnings.showwarning = show


def say(message: str) -> None:
    """Print a remark for people on standard error."""
    sys.stderr.write(clean(message) + "\n")
    sys.stderr.flush()
