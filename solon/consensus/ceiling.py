"""How far experts agree with each other, and so how far any panel could agree with one of them.

Imports the standard library, `binomial` and errors only.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from solon.consensus.binomial import clopper_pearson
from solon.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How often experts agree with each other, and the best that any panel could then agree with one of them.

    Attributes:
        agreement: share of the pairs of answers to one item that agree; None where no item has two answers.
        interval: its 95% interval: exact where every item has two answers, or all items agree alike; else by bootstrap
            over items.
        pairs: number of pairs of answers.
        items: number of items with two answers or more.
        single: best possible agreement of a panel with a single expert, see ``best_agreement``.
        single_interval: the same for both ends of ``interval``.
    """

    agreement: float | None
    interval: tuple[float, float]
    pairs: int
    items: int
    single: float | None
    single_interval: tuple[float, float]


def best_agreement(agreement: float, outcomes: int = 2) -> float:
    """Return the agreement of a perfect panel with one expert, from the agreement of two experts with each
    other.

    It assumes that experts err symmetrically and independently: a = r^2 + (1 - r)^2 / (K - 1), solved for r.
    At or under chance nothing is known above chance. ``best_agreement(.8)`` is .887.

    Raises:
        ConfigError: fewer than two outcomes, or an agreement outside [0, 1].
    """
    if outcomes < 2 or not 0.0 <= agreement <= 1.0:
        raise ConfigError(
            f"agreement {agreement!r} over {outcomes} outcomes", next_step="agreement lies in [0, 1]"
        )
    k = float(outcomes)
    inner = max(0.0, (agreement * k - 1.0) * (k - 1.0))
    return min(1.0, (1.0 + math.sqrt(inner)) / k)


def majority_right(right: float, experts: int) -> float:
    """Return the chance that the majority of ``experts`` independent, binary experts is right; a tie counts
    one half.
    """
    total = 0.0
    for k in range(experts + 1):
        p = math.comb(experts, k) * right**k * (1.0 - right) ** (experts - k)
        total += p if 2 * k > experts else p / 2.0 if 2 * k == experts else 0.0
    return total


def measure_ceiling(
    answers: Iterable[Sequence[Hashable]], *, outcomes: int = 2, draws: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the ceiling from the answers of several independent experts to each item.

    Args:
        answers: for each item the outcomes that experts chose; items with fewer than two say nothing.
        outcomes: how many outcomes there are to choose from.
        draws: bootstrap samples.
    """
    rows: list[tuple[int, int]] = []
    known: dict[tuple[int, int], tuple[int, int]] = {}
    for item in answers:
        pairs = list(combinations(item, 2))
        if pairs:
            row = sum(a == b for a, b in pairs), len(pairs)
            rows.append(known.setdefault(row, row))
    if not rows:
        return Ceiling(None, (0.0, 1.0), 0, 0, None, (0.0, 1.0))
    same, total = sum(r[0] for r in rows), sum(r[1] for r in rows)
    low, high = _interval(rows, draws, seed)
    rate = same / total
    return Ceiling(
        rate, (low, high), total, len(rows), best_agreement(rate, outcomes),
        (best_agreement(low, outcomes), best_agreement(high, outcomes)),
    )  # fmt: skip


def _interval(rows: Sequence[tuple[int, int]], draws: int, seed: int) -> tuple[float, float]:
    """The 95% interval of a share, from how many of the pairs of each item agree, and how many there are.

    Items are independent, their pairs are not. Where all agree, or none do, a bootstrap would be certain whatever the
    number of items.
    """
    n = len(rows)
    if all(pairs == 1 for _, pairs in rows):
        return clopper_pearson(sum(same for same, _ in rows), n)
    if all(same == pairs for same, pairs in rows):
        return clopper_pearson(n, n)
    if not any(same for same, _ in rows):
        return clopper_pearson(0, n)
    rng = random.Random(seed)
    rates = []
    for _ in range(draws):
        drawn = rng.choices(rows, k=n)
        rates.append(sum(same for same, _ in drawn) / sum(pairs for _, pairs in drawn))
    rates.sort()
    return rates[int(0.025 * draws)], rates[min(draws - 1, int(0.975 * draws))]
