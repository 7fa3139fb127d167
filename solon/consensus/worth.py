"""What a decision on one item is worth, and how long it takes. Imports no numpy, no I/O: the graph asks per item."""

from __future__ import annotations

from dataclasses import dataclass

RELIABILITY = 0.9
"""What is assumed of an expert whom nobody has been compared with: right on nine of ten items."""
TEACHES = 0.2
"""Records that a decision puts right elsewhere per unit of expected model change, before the first decision."""
HALVED_AFTER = 20
"""Decisions after which a further one teaches half of that."""
CHARACTERS_PER_SECOND = 24.0
"""Silent reading of English prose, 238 words a minute (Brysbaert 2019)."""
LONGEST = 10.0
"""No review is taken to last longer than so many ordinary ones."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What asking an expert about one item is worth.

    Attributes:
        corrects: expected records put right by the answer itself.
        teaches: expected records put right elsewhere, by what it teaches.
        minutes: of the expert's time that it takes.
    """

    corrects: float
    teaches: float
    minutes: float

    @property
    def value(self) -> float:
        """Expected records put right in all."""
        return self.corrects + self.teaches

    @property
    def rate(self) -> float:
        """Records put right per minute of an expert's time."""
        return self.value / self.minutes


def weigh_decision(
    confidence: float,
    model_change: float,
    *,
    decisions: int = 0,
    reliability: float = RELIABILITY,
    minutes: float = 1.0,
) -> Worth:
    """Return the worth of asking about an item whose panel is right with probability ``confidence``.

    ``max(0, reliability - confidence)`` is exact for two outcomes and independent errors: an item that the
    panel is surer of than the expert is reliable is not put right by asking. What a decision teaches falls as
    1 / (1 + n / 20) with the ``decisions`` known so far.

    Args:
        model_change: expected length of the gradient, the signal of that name in ``Consensus.signals``.
        minutes: that the answer takes.
    """
    teaches = TEACHES * model_change / (1.0 + decisions / HALVED_AFTER)
    return Worth(max(0.0, reliability - confidence), teaches, minutes)


def reading_minutes(characters: int, ordinary_seconds: float) -> float:
    """Return the minutes for a review: half of an ordinary one to decide, and the time to read the texts."""
    seconds = ordinary_seconds / 2.0 + characters / CHARACTERS_PER_SECOND
    return min(seconds, LONGEST * ordinary_seconds) / 60.0
