"""How far people put the same answers in the same order, and where their rankings contradict each other: pairs that are
ordered both ways, and cycles that no order fits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.binomial import clopper_pearson
from solon.consensus.rankings import Ranking, find_cycles, find_flips, pairs_of
from solon.consensus.resample import ratio_interval
from solon.display.text import shorten
from solon.eval.replay.opinions import counted
from solon.eval.result import Figure, SuiteResult, nothing, rate
from solon.store.records import evaluation
from solon.store.records.rankings import RankedItem, ranked_items

if TYPE_CHECKING:
    from solon.eval.material import Material

MOST_TOLD, NAMED = 50, 60
"""Items whose contradictions are told, and how many characters of their requests."""
COUNTED = (
    "n counts rankings: one person's order of an item's answers by one question. The n of the figures: `alike` and `by "
    "question` count items by question of which two people order a pair, `best` counts pairs of rankings of the same "
    "answers by two people, `fitted` counts items by question that several people ranked"
)
"""What is counted, for whoever reads the figures."""


class Contradiction(BaseModel):
    """Where the rankings of an item's answers contradict each other.

    Attributes:
        candidates: ids of the two that are ordered both ways, or of those of which each is preferred to the next and
            the last to the first.
        weights: of two, how many people hold the first and how many the second for the better one; of a cycle, by how
            much weight each is preferred to the next.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: tuple[str, ...]
    weights: tuple[float, ...]


class Contradicted(BaseModel):
    """An item whose rankings by one question contradict each other.

    Attributes:
        name: the beginning of its request.
        item: its id.
        question: name of the question; empty where it has none.
        flips: pairs that people order both ways.
        cycles: answers that no order fits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    item: str
    question: str
    flips: tuple[Contradiction, ...]
    cycles: tuple[Contradiction, ...]


class Rankings(SuiteResult):
    """How far people rank alike, all from blind answers with an expert's token; n counts rankings.

    Attributes:
        alike: share of the pairs that two people both order, without a tie, which they order alike; n counts items.
        best: share of two people's rankings with the same best answer, of those with a single one each.
        by_question: `alike` by the name of the question.
        fitted: share of the items ranked by several people, by question, whose rankings some order fits.
        contradicted: the items whose rankings contradict each other, at most the first 50.
    """

    alike: Figure
    best: Figure
    by_question: dict[str, Figure]
    fitted: Figure
    contradicted: tuple[Contradicted, ...]

    def headline(self) -> dict[str, Figure]:
        """How far two people agree on pairs and on the best, and how often an order fits all."""
        return {
            "pairs that two people order alike": self.alike,
            "two people hold the same answer for the best": self.best,
            "items whose rankings an order fits": self.fitted,
        }


def evaluate(material: Material) -> Rankings:
    """Return how far people's rankings agree, from counted answers, and where they contradict each other."""
    with material.store.connect() as connection:
        found = ranked_items(connection, counted(evaluation.answers(connection, material.run_ids)))
        several = [one for one in found if len(one.rankings) > 1]
        requests = evaluation.seed_prompts(connection, [one.item_id for one in several])
    questions = dict.fromkeys(one.question for one in found)
    tops = [pair for one in several for pair in combinations(map(_best, one.rankings), 2) if None not in pair]
    told = [_contradicted(one, requests.get(one.item_id, "")) for one in several]
    tangled = sum(bool(one.cycles) for one in told)
    why = "no answers were ranked by two people"
    return Rankings(
        suite="rankings",
        n=sum(len(one.rankings) for one in found),
        alike=_alike(several, material.seed, why),
        best=rate(sum(a == b for a, b in tops), len(tops), why),
        by_question={
            name or "(without a name)": _alike(
                [one for one in several if one.question == name], material.seed, why
            )
            for name in questions
        },
        fitted=rate(len(several) - tangled, len(several), why),
        contradicted=tuple(one for one in told if one.flips or one.cycles)[:MOST_TOLD],
        notes=(COUNTED,) if found else (),
    )


def _best(ranking: Ranking) -> str | None:
    return ranking.tiers[0][0] if ranking.tiers and len(ranking.tiers[0]) == 1 else None


def _alike(items: Sequence[RankedItem], seed: int, why: str) -> Figure:
    counts = [counts for one in items if (counts := _compared(one.rankings))[1]]
    if not counts:
        return nothing(why)
    same, both = (np.array(side, dtype=np.float64) for side in zip(*counts, strict=True))
    low, high = ratio_interval(same, both, seed=seed)
    if low == high:  # all or none alike, or one item: a bootstrap would be certain
        low, high = clopper_pearson(round(float(same.sum()) * len(counts) / float(both.sum())), len(counts))
    return Figure(value=float(same.sum() / both.sum()), low=low, high=high, n=len(counts))


def _compared(rankings: Sequence[Ranking]) -> tuple[int, int]:
    """Of the pairs that two people both order, how many they order alike, and how many there are."""
    ordered = [{(pair.better, pair.worse) for pair in pairs_of(one)} for one in rankings]
    same = sum(len(a & b) for a, b in combinations(ordered, 2))
    turned = sum(len(a & {(y, x) for x, y in b}) for a, b in combinations(ordered, 2))
    return same, same + turned


def _contradicted(one: RankedItem, request: str) -> Contradicted:
    flips = find_flips(Ranking("", ranking.tiers) for ranking in one.rankings)
    return Contradicted(
        name=shorten(request, NAMED) or one.item_id,
        item=one.item_id,
        question=one.question,
        flips=tuple(
            Contradiction(candidates=(flip.a, flip.b), weights=(flip.a_first, flip.b_first)) for flip in flips
        ),
        cycles=tuple(
            Contradiction(candidates=cycle.answers, weights=cycle.leads)
            for cycle in find_cycles(one.rankings)
        ),
    )
