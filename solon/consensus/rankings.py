"""Rankings of several answers as weighted pairs, and where they contradict each other. Imports no numpy, no I/O.

A ranking of k answers says which is better in up to k (k - 1) / 2 pairs. These are one judgement and not so many
independent ones, so that together they weigh 1 (Ouyang et al. 2022, InstructGPT, section 3.5: all pairs of a ranking
are one element of a batch).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from solon.errors import UsageError


@dataclass(frozen=True, slots=True)
class Ranking:
    """One person's order of some answers.

    Attributes:
        ranker: who ranked.
        tiers: ids of the answers, the best first; those of one tier are tied.
    """

    ranker: str
    tiers: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class WeightedPair:
    """An answer that is better than another one.

    Attributes:
        better: id of the better one.
        worse: id of the other.
        weight: of the preference; the pairs of one ranking weigh 1 together.
    """

    better: str
    worse: str
    weight: float


@dataclass(frozen=True, slots=True)
class Flip:
    """Two answers that the same person ordered both ways.

    Attributes:
        ranker: who did.
        a, b: ids of the answers.
        a_first: how many of that person's rankings hold `a` for the better one.
        b_first: how many hold `b` for it.
    """

    ranker: str
    a: str
    b: str
    a_first: int
    b_first: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """Answers of which each is preferred to the next, and the last to the first.

    Attributes:
        answers: their ids, beginning with the smallest.
        leads: by how much weight each is preferred to the next, the last to the first.
    """

    answers: tuple[str, ...]
    leads: tuple[float, ...]

    @property
    def weakest(self) -> tuple[str, str]:
        """The preference with the smallest lead: without it there is no cycle."""
        place = min(range(len(self.leads)), key=lambda number: self.leads[number])
        return self.answers[place], self.answers[(place + 1) % len(self.answers)]


def read_ranking(ranker: str, tiers: Sequence[Sequence[str] | str], among: Collection[str]) -> Ranking:
    """A ranking of all of these answers; those that stand together in a list are tied.

    Args:
        ranker: who ranked.
        tiers: ids of the answers, the best first.
        among: ids of the answers that were shown.

    Raises:
        UsageError: an answer is missing, stands there twice, or was not shown.
    """
    read = tuple((tier,) if isinstance(tier, str) else tuple(tier) for tier in tiers)
    named = Counter(name for tier in read for name in tier)
    if unknown := sorted(named.keys() - set(among)):
        raise UsageError(
            f"the ranking of {ranker} names {unknown[0]!r}, which was not shown", next_step=_told(among)
        )
    if twice := sorted(name for name, number in named.items() if number > 1):
        raise UsageError(
            f"the ranking of {ranker} names {twice[0]!r} {named[twice[0]]} times", next_step="name it once"
        )
    if missing := sorted(set(among) - named.keys()):
        raise UsageError(
            f"the ranking of {ranker} leaves out {missing[0]!r}",
            next_step="give it a place; answers that are as good as each other share one: [[a, b], c]",
        )
    return Ranking(ranker, tuple(tier for tier in read if tier))


def _told(among: Collection[str]) -> str:
    return f"rank these: {', '.join(sorted(among))}"


def pairs_of(ranking: Ranking) -> list[WeightedPair]:
    """The pairs in which one answer is better, in the order of the ranking; none where all are tied. Ties are no
    pairs."""
    found = [pair for better, worse in combinations(ranking.tiers, 2) for pair in product(better, worse)]
    return [WeightedPair(better, worse, 1 / len(found)) for better, worse in found]


def merge_pairs(rankings: Iterable[Ranking]) -> list[WeightedPair]:
    """The pairs of several rankings, the two directions of a pair set against each other: the better answer is the one
    with more weight, which is kept as the difference. A pair whose directions weigh the same is left out."""
    leads = _leads(rankings)
    return [WeightedPair(a, b, lead) for (a, b), lead in sorted(leads.items())]


def find_flips(rankings: Iterable[Ranking]) -> list[Flip]:
    """The pairs that one person ordered both ways in different rankings, by person."""
    seen = Counter(
        (ranking.ranker, pair.better, pair.worse) for ranking in rankings for pair in pairs_of(ranking)
    )
    return [
        Flip(ranker, a, b, number, seen[ranker, b, a])
        for (ranker, a, b), number in sorted(seen.items())
        if a < b and (ranker, b, a) in seen
    ]


def find_cycles(rankings: Iterable[Ranking]) -> list[Cycle]:
    """A cycle of each set of answers that no order can fit, where more weight says than denies a before b, b before c,
    and c before a (Condorcet): the shortest through the first answer of the set. None where one order fits all."""
    leads = _leads(rankings)
    after: dict[str, set[str]] = {}
    for a, b in leads:
        after.setdefault(a, set()).add(b)
    cycles: list[Cycle] = []
    met: set[str] = set()
    for name in sorted(after):
        if name in met:
            continue
        way = _way_back(name, after)
        if way:
            met |= _tangled(name, after)
            steps = zip(way, (*way[1:], name), strict=True)
            cycles.append(Cycle(way, tuple(leads[step] for step in steps)))
    return cycles


def _leads(rankings: Iterable[Ranking]) -> dict[tuple[str, str], float]:
    """(better, worse) -> by how much weight that direction leads; only where it does, but for rounding."""
    weights = defaultdict[tuple[str, str], float](float)
    for ranking in rankings:
        for pair in pairs_of(ranking):
            weights[pair.better, pair.worse] += pair.weight
    leads = {(a, b): weight - weights.get((b, a), 0.0) for (a, b), weight in weights.items()}
    return {pair: lead for pair, lead in leads.items() if lead > 1e-9}


def _way_back(start: str, after: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The shortest way from an answer back to itself; empty where there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = set[str]()
    for way in ways:
        for name in sorted(after.get(way[-1], ())):
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append((*way, name))
    return ()


def _tangled(start: str, after: Mapping[str, Collection[str]]) -> set[str]:
    """The answers that can be reached from one and lead back to it."""
    before: dict[str, set[str]] = {}
    for name, others in after.items():
        for other in others:
            before.setdefault(other, set()).add(name)
    return _reached(start, after) & _reached(start, before)


def _reached(start: str, edges: Mapping[str, Collection[str]]) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        new = set(edges.get(todo.pop(), ())) - found
        found |= new
        todo += sorted(new)
    return found
