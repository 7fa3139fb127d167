"""Simulated panels with a known truth, for the tests of this folder (fakes: no model ever said this)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from solon.consensus.panel import Vote
from solon.consensus.traits import Traits


def make_panel(
    n: int, accuracies: Sequence[float], *, seed: int = 0, copies: int = 1, lean: float = 0.0
) -> tuple[dict[str, list[Vote]], list[str]]:
    """Independent judges of these accuracies, in both orders where ``copies`` is 2; the truth is A or B
    at even odds.
    """
    rng = np.random.default_rng(seed)
    truth = ["AB"[i] for i in rng.integers(0, 2, n)]
    items: dict[str, list[Vote]] = {}
    for row, right in enumerate(truth):
        said = []
        for j, accuracy in enumerate(accuracies):
            for order in ("AB", "BA")[:copies]:
                outcome = right if rng.random() < accuracy else "BA"["AB".index(right)]
                if rng.random() < lean:
                    outcome = order[0]
                said.append(Vote(f"judge-{j}", seat="s", order=order, outcome=outcome))
        items[str(row)] = said
    return items, truth


def make_unequal_panel(
    n: int,
    *,
    seed: int = 0,
    seats: int = 8,
    large: float = 0.66,
    small: float = 0.6,
    clique: float = 0.0,
) -> tuple[dict[str, list[Vote]], list[str]]:
    """One model that answers from eight seats, each right on ``large`` alone, and three of a single seat, which give
    one common answer on a share ``clique`` of the items.
    """
    rng = np.random.default_rng(seed)
    truth = ["AB"[i] for i in rng.integers(0, 2, n)]
    items: dict[str, list[Vote]] = {}
    for row, right in enumerate(truth):
        wrong = "BA"["AB".index(right)]
        said = [
            Vote("large", seat=f"s{i}", outcome=right if rng.random() < large else wrong)
            for i in range(seats)
        ]
        common = right if rng.random() < small else wrong
        for j in range(3):
            own = right if rng.random() < small else wrong
            said.append(Vote(f"small-{j}", seat="s", outcome=common if rng.random() < clique else own))
        items[str(row)] = said
    return items, truth


def make_parted_panel(
    n: int, accuracies: Mapping[str, float], *, seed: int = 0, voters: int = 4
) -> tuple[dict[str, list[Vote]], list[str], dict[str, Traits]]:
    """Judges in both orders that are right on a share of the items by segment, half of the time all together, and the
    segment of each item.
    """
    rng = np.random.default_rng(seed)
    truth = ["AB"[i] for i in rng.integers(0, 2, n)]
    names = list(accuracies)
    items: dict[str, list[Vote]] = {}
    traits: dict[str, Traits] = {}
    for row, right in enumerate(truth):
        wrong = "BA"["AB".index(right)]
        segment = names[rng.integers(0, len(names))]
        traits[str(row)] = Traits(segment)
        common = rng.random() < accuracies[segment]
        items[str(row)] = [
            Vote(
                f"judge-{j}",
                seat="s",
                order=order,
                outcome=right
                if (common if rng.random() < 0.5 else rng.random() < accuracies[segment])
                else wrong,
            )
            for j in range(voters)
            for order in ("AB", "BA")
        ]
    return items, truth, traits
