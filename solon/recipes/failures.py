"""Parts of a recipe of one's own that raise, or give what they may not: told by the name of their method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from solon.errors import PartFailed, SolonError

Expect = Callable[[bool, str, str], None]


@contextmanager
def naming_failures(part: object, method: str, *, guarded: bool) -> Iterator[Expect]:
    """Within it, what a part of one's own raises becomes `PartFailed`, which names the method. Solon's own errors, and
    a mistake in one of Solon's parts, stay as they are.

    What it yields checks what the method gave: `expect(may it be, what it was in words, what would be right)`.

    Args:
        part: an object with that method, or a function, which stands for itself.
        guarded: seeds may name people, so that the words of a foreign error, which may repeat a seed's, are left out.
    """
    thing: Any = part if hasattr(part, "__qualname__") else type(part)  # a function, or an object of a class
    called = f"{thing.__module__}:{thing.__qualname__}{f'.{method}' if method else ''}"

    def expect(holds: bool, given: str, right: str) -> None:
        if not holds:
            raise PartFailed(f"{called} gave {given}", next_step=right)

    try:
        yield expect
    except SolonError:
        raise
    except Exception as error:  # a foreign method may fail in any way
        if thing.__module__.partition(".")[0] == "solon":
            raise
        kind = type(error).__name__
        words = kind if guarded else f"{kind}: {error}"
        raise PartFailed(f"{called} raised {words:.300}", next_step="mend it") from error
