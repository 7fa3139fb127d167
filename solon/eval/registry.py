"""Finds suites: the built-in ones, and those of other packages by the entry point `solon.suites`.

A suite is a function from `Material` to a `SuiteResult`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from solon.errors import UsageError
from solon.eval.result import SuiteResult

if TYPE_CHECKING:
    from solon.eval.material import Material

Suite = Callable[["Material"], SuiteResult]
GROUP = "solon.suites"
BUILT_IN = (
    "agreement", "audit", "drift", "judges", "confusions", "tiers", "spans", "rankings", "quality", "diversity",
    "generations", "duplicates", "contamination", "downstream", "compare", "scores", "replay",
)  # fmt: skip


def suite_names() -> list[str]:
    """Return the names of all suites that can be run here; a built-in one goes before a plugin of its name."""
    from importlib.metadata import entry_points

    return [*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN))]


def find_suite(name: str) -> Suite:
    """Return the suite of that name.

    Raises:
        UsageError: there is none, or its package is broken.
    """
    if name in BUILT_IN:
        suite: Suite = import_module(f"solon.eval.suites.{name}").evaluate
        return suite
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        if point.name == name:
            try:
                plugin: Suite = point.load()
            except (ImportError, AttributeError) as error:
                raise UsageError(
                    f"the suite {name!r} of {point.value} cannot be loaded: {error}",
                    next_step="mend or remove the package that brings it",
                ) from error
            return plugin
    near = difflib.get_close_matches(name, suite_names(), n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"there is no suite {name!r}", next_step=f"{guess}known: {', '.join(suite_names())}")
