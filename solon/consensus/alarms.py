"""How people answer, beside whether they are right: signs that somebody does not read. Imports no numpy, no I/O.

Each is an exact test, adjusted by Holm for the number of people. A sign is a reason to look, and no verdict.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solon.consensus.binomial import tail_at_least
from solon.consensus.levels import LEVEL, holm

HURRIED = 1.0 / 3.0
"""Share of the time for reading what was shown under which nobody has read it. Silent reading runs at 238 words a
minute (Brysbaert 2019); at three times that readers skim, and understand less (Rayner et al. 2016)."""

ALWAYS = 0.9
"""Share of a person's answers from which they give always the same one."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign that a person may not read, with what it rests on.

    Attributes:
        n: answers that could show it.
        count: those that did.
        p: exact one-sided p-value, adjusted for the number of people with any such answer.
    """

    n: int
    count: int
    p: float

    @property
    def alarm(self) -> bool:
        """Whether a lead should look."""
        return self.p <= LEVEL


def signs(found: Mapping[str, tuple[int, int, float]]) -> dict[str, Sign]:
    """Return everybody's sign from ``found[name] = (count, n, p)``; p-values adjusted over those with any answer."""
    names = [name for name, (_, n, _) in found.items() if n]
    adjusted = dict(zip(names, holm([found[name][2] for name in names]), strict=True))
    return {name: Sign(n, count, adjusted.get(name, 1.0)) for name, (count, n, _) in found.items()}


def count_hurried(ratios: Sequence[float]) -> tuple[int, int, float]:
    """Return how many answers took under a third of the reading time, of how many, and the exact probability of so many
    were the median no shorter than that (sign test).

    Args:
        ratios: time of each answer, as a share of the time for reading what was shown.
    """
    hurried = sum(ratio < HURRIED for ratio in ratios)
    return hurried, len(ratios), tail_at_least(hurried, len(ratios), 0.5)


def count_same_place(places: Sequence[int]) -> tuple[int, int, float]:
    """Return how often the commoner of two places was chosen, of how many, and the exact probability of so uneven a
    share: which text stands where is drawn for each person, so that whoever reads chooses either as often.
    """
    most = max(Counter(places).values(), default=0)
    return most, len(places), min(1.0, 2.0 * tail_at_least(most, len(places), 0.5))


def count_same_key(pairs: Sequence[tuple[str, str]], outcomes: int) -> tuple[int, int, float]:
    """Return how often a person gave their commonest answer where another person, or what is known, says otherwise, of
    the questions on which just one of the two gave it, and the exact probability of that (McNemar 1947), times the
    number of outcomes, one of which was chosen by looking; 1 of a person who often gives another answer, too: beside
    somebody who does not read, whoever reads gives the rarer answers alone.

    Args:
        pairs: of questions that both answered: the person's answer, the other one.
    """
    if not pairs:
        return 0, 0, 1.0
    key, given = Counter(own for own, _ in pairs).most_common(1)[0]
    alone = sum(own == key != other for own, other in pairs)
    n = alone + sum(other == key != own for own, other in pairs)
    p = min(1.0, outcomes * tail_at_least(alone, n, 0.5))
    return alone, n, p if given >= ALWAYS * len(pairs) else 1.0


def count_followed(seen: Sequence[bool], unseen: Sequence[bool]) -> tuple[int, int, float]:
    """Return how many seen suggestions a person's answers agree with, of how many, and the exact probability of so many
    were agreement no likelier than in answers given without sight of the suggestion (Fisher 1922).

    Args:
        seen: of each of the person's answers after a suggestion, whether it is what was suggested.
        unseen: the same of anybody's answers from whom the suggestion was kept.
    """
    if not seen or not unseen:
        return 0, 0, 1.0
    followed, n, total = sum(seen), len(seen), len(seen) + len(unseen)
    agreed = followed + sum(unseen)
    ways = sum(
        math.comb(agreed, k) * math.comb(total - agreed, n - k) for k in range(followed, min(n, agreed) + 1)
    )
    return followed, n, ways / math.comb(total, n)
