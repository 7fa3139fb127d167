"""What is printed: JSON for programs, rich text for people. Foreign texts are hostile to a terminal."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from solon.observers import SolonWarning
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


class _LastingStream:
    """A stream of text that outlives its reader: once a write fails, what follows goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # no reader, no terminal, a full disk; or somebody closed it
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._give_up()

    def _give_up(self) -> None:
        """What is buffered still, and whatever else writes to this descriptor, goes nowhere too."""
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_stderr() -> Iterator[None]:
    """While a command runs, its words on standard error are for whoever reads them: their loss ends no work.

    Solon's own warnings are one line each there.
    """
    stderr, show = sys.stderr, warnings.showwarning

    def show_in_a_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, SolonWarning):
            say(f"warning: {message}")
        else:
            show(message, category, *place, **more)

    with open(os.devnull, "w") as nowhere:
        sys.stderr = cast("TextIO", _LastingStream(nowhere if stderr is None else stderr))
        warnings.showwarning = show_in_a_line
        try:
            yield
        finally:
            sys.stderr, warnings.showwarning = stderr, show


def say(message: str) -> None:
    """A remark for people, on standard error."""
    sys.stderr.write(clean(message) + "\n")
    sys.stderr.flush()
