"""Which voters of a panel are admitted, from the decisions of experts on items that were drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from solon.consensus.admission import WANTED, Admission, admit, sides_of
from solon.consensus.leanings import find_leaning, measure_ranking, spell_leaning, spell_ranking
from solon.consensus.panel import is_directed
from solon.formats.records import plain_model
from solon.learning.evidence import is_drawn_at_random
from solon.questions import ACCEPT
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs.verdicts import RESOLVER, scores_by_judge

MOST = 4
"""Voters that a line speaks of."""

if TYPE_CHECKING:
    from solon.consensus.panel import Vote
    from solon.questions import Question
    from solon.store.database.engine import Connection
    from solon.store.learning.evidence import DecidedItem


def admit_voters(
    connection: Connection,
    decided: Sequence[DecidedItem],
    votes: Mapping[str, Sequence[Vote]],
    question: Question,
    wanted: float = WANTED,
) -> list[Admission]:
    """What experts' decisions say of every voter of the panel.

    Args:
        decided: decisions; those by votes, and on items that were not drawn at random, are left out.
        votes: of the panel, by item; the resolver's is left out, since it is no judge.
        question: that was asked.
        wanted: lower bounds of its rates from which a voter is admitted.
    """
    cast, truth, scores = _drawn(connection, decided, votes, question)
    return admit(cast, truth, question.outcomes, scores=scores, wanted=wanted)


def tell_voters(
    connection: Connection,
    decided: Sequence[DecidedItem],
    votes: Mapping[str, Sequence[Vote]],
    question: Question,
) -> str:
    """What experts' decisions show of the voters, in one line: those that lean most come first. Arguments as of
    `admit_voters`."""
    cast, truth, scores = _drawn(connection, decided, votes, question)
    if not is_directed(question.outcomes):
        return ""
    told: list[tuple[float, str]] = []
    for voter, sides in sides_of(cast, question.outcomes).items():
        leaning = find_leaning(sides, truth, question.outcomes)
        ranked = measure_ranking((scores or {}).get(voter, {}), truth, question.outcomes[0])
        words = [spell_leaning(leaning, question.outcomes)] if leaning else []
        words += filter(None, [spell_ranking(ranked)])
        if words:
            told.append((leaning.rate if leaning else 0.0, f"{plain_model(voter)} is {', '.join(words)}"))
    return "; ".join(words for _, words in sorted(told, key=lambda one: (-one[0], one[1]))[:MOST])


def _drawn(
    connection: Connection,
    decided: Sequence[DecidedItem],
    votes: Mapping[str, Sequence[Vote]],
    question: Question,
) -> tuple[dict[str, list[Vote]], dict[str, str], dict[str, dict[str, float]] | None]:
    """The votes of judges on items that were drawn at random, what experts said of these, and judges' mean scores."""
    drawn = [one for one in decided if speaks_for_all(one) and question.is_outcome(one.outcome)]
    cast = {one.item_id: _of_judges(votes.get(one.item_id, ())) for one in drawn}
    scores = _scores(connection, drawn) if question == ACCEPT else None
    return cast, {one.item_id: str(one.outcome) for one in drawn}, scores


def speaks_for_all(decided: DecidedItem) -> bool:
    """Whether a person decided the item, and nothing that the panel said had brought it to them."""
    return decided.actor != VOTES and (is_drawn_at_random(decided) or decided.rule == "always")


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
