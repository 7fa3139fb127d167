"""Which voters of a panel are admitted, from the decisions of experts on items that were drawn at random."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from solon.consensus.admission import WANTED, Admission, admit, sides_of
from solon.consensus.panel import is_directed
from solon.formats.records import plain_model
from solon.learning.evidence import is_drawn_at_random
from solon.questions import AcceptQuestion
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs.verdicts import RESOLVER, scores_by_judge

MOST = 4
"""Voters that a line speaks of."""

if TYPE_CHECKING:
    from solon.consensus.panel import Vote
    from solon.questions import Question
    from solon.store.database.engine import Connection
    from solon.store.learning.evidence import DecidedItem


@dataclass(frozen=True, slots=True)
class Drawn:
    """What judges said of items that were drawn at random, and what experts decided there.

    Attributes:
        outcomes: of the question.
        votes: of judges, by item; the resolver's is left out, since it is no judge.
        truth: item -> the outcome that an expert chose.
        scores: voter -> item -> how good it found a single text; None where none is asked for.
    """

    outcomes: tuple[str, ...]
    votes: dict[str, list[Vote]]
    truth: dict[str, str]
    scores: dict[str, dict[str, float]] | None

    def among(self, items: Collection[str]) -> Drawn:
        """The same of these items alone."""
        truth = {item: said for item, said in self.truth.items() if item in items}
        return replace(self, truth=truth, votes={item: self.votes[item] for item in truth})

    def admit(self, wanted: float = WANTED) -> list[Admission]:
        """What experts' decisions say of every voter. `wanted`: lower bounds of its rates from which it is admitted."""
        return admit(self.votes, self.truth, self.outcomes, scores=self.scores, wanted=wanted)

    @property
    def refused(self) -> frozenset[str]:
        """Voters that are no better than chance."""
        return frozenset(one.voter for one in self.admit() if one.standing == "refused")

    def tell(self) -> str:
        """The same in one line: who leans, those who lean most first, and whose scores rank. Empty of pairs, whose two
        places mean nothing."""
        if not is_directed(self.outcomes):
            return ""
        from solon.consensus.leanings import find_leaning, measure_ranking, spell_leaning, spell_ranking

        told: list[tuple[float, str]] = []
        for voter, sides in sides_of(self.votes, self.outcomes).items():
            leaning = find_leaning(sides, self.truth, self.outcomes)
            ranked = measure_ranking((self.scores or {}).get(voter, {}), self.truth, self.outcomes[0])
            words = [spell_leaning(leaning, self.outcomes)] if leaning else []
            words += filter(None, [spell_ranking(ranked)])
            if words:
                told.append((leaning.rate if leaning else 0.0, f"{plain_model(voter)} is {', '.join(words)}"))
        return "; ".join(words for _, words in sorted(told, key=lambda one: (-one[0], one[1]))[:MOST])


def drawn_at_random(
    connection: Connection,
    decided: Sequence[DecidedItem],
    votes: Mapping[str, Sequence[Vote]],
    question: Question,
) -> Drawn:
    """Those of the decisions that speak for all items, with what judges said there.

    Args:
        decided: decisions; those by votes, and on items that were not drawn at random, are left out.
        votes: of the panel, by item.
        question: that was asked.
    """
    drawn = [one for one in decided if speaks_for_all(one) and question.is_outcome(one.outcome)]
    cast = {one.item_id: _of_judges(votes.get(one.item_id, ())) for one in drawn}
    scores = _scores(connection, drawn) if isinstance(question, AcceptQuestion) else None
    return Drawn(question.outcomes, cast, {one.item_id: str(one.outcome) for one in drawn}, scores)


def speaks_for_all(decided: DecidedItem) -> bool:
    """Whether a person decided the item, and nothing that the panel said had brought it to them."""
    of_all = decided.rule == "always" and not decided.suggested
    return decided.actor != VOTES and (is_drawn_at_random(decided) or of_all)


def _of_judges(votes: Sequence[Vote]) -> list[Vote]:
    return [vote for vote in votes if vote.seat != RESOLVER]


def _scores(connection: Connection, decided: Sequence[DecidedItem]) -> dict[str, dict[str, float]]:
    """voter -> item -> the mean of its scores of the candidate."""
    item_of = {one.shown[0]: one.item_id for one in decided}
    found = scores_by_judge(connection, sorted(item_of))
    return {
        voter: {item_of[name]: score for name, score in by_candidate.items()}
        for voter, by_candidate in found.items()
    }
