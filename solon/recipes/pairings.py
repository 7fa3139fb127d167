"""Pairings: which of an item's candidates are put before the panel together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Pairing:
    """Which candidates are shown together."""

    def shown(self, ranked: Sequence[str], tried: int, size: int) -> list[str]:
        """The next candidates to show; fewer than `size` where there are none left.

        Args:
            ranked: ids of the candidates, the most promising first.
            tried: how many sets of this round were shown before.
            size: how many the question shows at once.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class BestSecond(Pairing):
    """The two best by the first tier's scores, then the next two."""

    def shown(self, ranked: Sequence[str], tried: int, size: int) -> list[str]:
        """The candidates in the order of their rank, `size` at a time."""
        return list(ranked[tried * size : (tried + 1) * size])
