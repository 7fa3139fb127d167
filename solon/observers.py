"""The one boundary between the work and whatever watches it: progress callbacks, displays, spans, webhooks.

What a watcher raises is told once, in a `SolonWarning`, and goes no further: no state of an item depends on it. The
watcher is called again at the next change. Imports nothing of Solon.
"""

from __future__ import annotations

import sys
import warnings
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class SolonWarning(UserWarning):
    """Something went wrong that changes no result: a watcher that raised, a checkpoint that was set aside."""


def warn(message: str) -> None:
    """Issue a `SolonWarning`. It never raises: where warnings are errors, it is written to standard error."""
    try:
        warnings.warn(message, SolonWarning, stacklevel=3)
    except SolonWarning:
        with suppress(Exception):
            sys.stderr.write(f"warning: {message}\n")


class Observer:
    """Calls the functions of one watcher; where one raises, the work goes on as if it had not.

    Args:
        name: what it is, for the warning.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = False

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
        """Return what the function returns, or None where it raised. Only Ctrl-C and `sys.exit` get through."""
        try:
            return function(*arguments, **named)
        except (Exception, CancelledError) as error:  # a plain call is no place where a task is cancelled
            self.failed(error)
            return None

    def failed(self, error: BaseException) -> None:
        """Warn that the watcher raised, the first time that it does; later times are not told."""
        if not self._told:
            self._told = True
            why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            warn(f"{self._name} raised {why}; the work goes on without it, and this is told once")


def watched(name: str, function: Callable[P, object] | None) -> Callable[P, None] | None:
    """Wrap a callback so that it can be called anywhere and never raises; None stays None.

    Args:
        name: what the callback is, for the warning that it raised.
    """
    if function is None:
        return None
    observer = Observer(name)

    def tell(*arguments: P.args, **named: P.kwargs) -> None:
        observer.call(function, *arguments, **named)

    return tell
