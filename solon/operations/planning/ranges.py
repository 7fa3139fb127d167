"""Ranges of figures, low to high, that know whether they were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solon.store.runs.throughput import Rate


@dataclass(frozen=True, slots=True)
class Range:
    """A figure that is not known exactly.

    Attributes:
        low, high: it is hardly below or above these.
        likely: the best single guess.
        source: measured, or assumed from word counts.
    """

    low: float
    likely: float
    high: float
    source: str = "assumed"

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Low, likely and high."""
        return self.low, self.likely, self.high

    def times(self, factor: float) -> Range:
        """The range of so many times the figure."""
        return Range(self.low * factor, self.likely * factor, self.high * factor, self.source)

    def spell(self, digits: int) -> tuple[str, str, str]:
        """Low, likely and high as a person reads them."""
        low, likely, high = (f"{value:,.{digits}f}" for value in (self.low, self.likely, self.high))
        return low, likely, high


def add_up(*parts: Range) -> Range:
    """The range of a sum; measured where every part is."""
    source = "measured" if all(part.source == "measured" for part in parts) else "assumed"
    return Range(sum(p.low for p in parts), sum(p.likely for p in parts), sum(p.high for p in parts), source)


def multiply(a: Range, b: Range) -> Range:
    """The range of a product; measured where both factors are."""
    source = "measured" if a.source == b.source == "measured" else "assumed"
    return Range(a.low * b.low, a.likely * b.likely, a.high * b.high, source)


def range_of(rate: Rate, most: float | None = None) -> Range:
    """A measured mean and its 95% interval (normal), from 0 to `most`."""
    low, high = max(0.0, rate.mean - 1.96 * rate.error), rate.mean + 1.96 * rate.error
    return Range(low, rate.mean, high if most is None else min(most, high), "measured")
