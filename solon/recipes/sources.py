"""Sources: which items a recipe works on."""

from __future__ import annotations

from dataclasses import dataclass


class Source:
    """Which items there are.

    Attributes:
        most_given: how many responses of a seed the recipe has a use for, a row with more is refused; None: however
            many there are.
    """

    most_given: int | None = None


@dataclass(frozen=True)
class Seeds(Source):
    """One item for each row of a seed file."""

    most_given: int | None = None
