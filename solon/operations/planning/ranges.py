"""Ranges of figures, low to high, that know whether they were measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """`source`: measured, or assumed from word counts."""

    low: float
    likely: float
    high: float
    source: str = "assumed"

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor, self.source)


def add_up(*parts: Range) -> Range:
    source = "measured" if all(part.source == "measured" for part in parts) else "assumed"
    return Range(sum(p.low for p in parts), sum(p.likely for p in parts), sum(p.high for p in parts), source)


def multiply(a: Range, b: Range) -> Range:
    source = "measured" if a.source == b.source == "measured" else "assumed"
    return Range(a.low * b.low, a.likely * b.likely, a.high * b.high, source)
