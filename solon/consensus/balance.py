"""A draw that gives every group the same share as far as it goes. Imports the standard library only."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence


def draw_balanced(groups: Sequence[Hashable], n: int, seed: int = 0) -> list[int]:
    """Return the places of at most ``n`` of the given, in rising order: one of each group in turn, in a drawn order.

    Groups that have no more leave their share to the others.

    Args:
        groups: the group of each.
        seed: the same seed draws the same from the same groups.
    """
    drawn = random.Random(seed)
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    piles = list(members.values())
    drawn.shuffle(piles)
    for pile in piles:
        drawn.shuffle(pile)
    in_turn = [
        pile[turn] for turn in range(max(map(len, piles), default=0)) for pile in piles if turn < len(pile)
    ]
    return sorted(in_turn[:n])
