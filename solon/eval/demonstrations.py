"""A few records that cover all others: the core-set by greedy k-centre over what was asked.

Source: Sener and Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach" (arXiv
1708.00489), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solon.consensus.select import pick_core_set
from solon.errors import UsageError
from solon.eval.embedding import load_embedder
from solon.formats.records import ExportRow

MOST = 20_000
"""Records among which is chosen: the first ones, so that memory stays bounded."""


def covering(k: int) -> Callable[[Sequence[ExportRow]], list[int]]:
    """Return what chooses k records of a list, the one nearest to the mean first, each next one farthest from all
    before: the places of those chosen, in this order.

    Raises:
        UsageError: k is below 1.
    """
    if k < 1:
        raise UsageError(f"{k} records are none", next_step="give --k 1 or more")

    def choose(rows: Sequence[ExportRow]) -> list[int]:
        asked = [
            row.prompt if row.outcome != "label" else f"{row.prompt}\n{row.response}" for row in rows[:MOST]
        ]
        return [int(place) for place in pick_core_set(load_embedder().embed(asked), k)]

    return choose
