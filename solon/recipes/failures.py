"""Foreign parts of a recipe that raise: told by the name of their method."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from solon.errors import PartFailed, SolonError


@contextmanager
def naming_failures(part: object, method: str, *, guarded: bool) -> Iterator[None]:
    """Within it, what a part of one's own raises becomes `PartFailed`, which names the method. Solon's own errors, and
    a mistake in one of Solon's parts, stay as they are.

    Args:
        guarded: seeds may name people, so that the words of a foreign error, which may repeat a seed's, are left out.
    """
    try:
        yield
    except SolonError:
        raise
    except Exception as error:  # a foreign method may fail in any way
        if type(part).__module__.partition(".")[0] == "solon":
            raise
        kind = type(error).__name__
        words = kind if guarded else f"{kind}: {error}"
        called = f"{type(part).__module__}:{type(part).__qualname__}.{method}"
        raise PartFailed(f"{called} raised {words:.300}", next_step="mend it") from error
