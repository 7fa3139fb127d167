"""Rankings as answers keep them: candidates are named by the ids of their texts, which are the same in every attempt of
an item and in every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from solon.consensus.rankings import Ranking, read_ranking
from solon.errors import InvalidDecision, UsageError
from solon.responses import RankingResponse, Tiers, ranked_by, read_fields, told_fields
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.review_rows import ReviewRow


def check_ranking(connection: Connection, review: ReviewRow, response: RankingResponse) -> RankingResponse:
    """A ranking that names every candidate of its review once, as it is kept; its `candidate` is the best one by the
    first question, None where several are. Candidates may be named as they are kept, too.

    Raises:
        InvalidDecision: a candidate is missing, stands there twice or was not shown; a question is missing, or none.
    """
    if response.ranking is None:
        return response
    text_of = text_ids(connection, review.candidates)
    called = {text: name for name, text in text_of.items()}
    kept: dict[str, Tiers] = {}
    best: list[Sequence[str]] = []
    for question, tiers in _by_question(review.response_schema, response.ranking).items():
        try:
            found = read_ranking(question or "this answer", _renamed(tiers, called), review.candidates)
        except UsageError as error:
            raise InvalidDecision(f"ranking: {error.cause}", next_step=error.next_step) from None
        best.append(found.tiers[0])
        kept[question] = tuple(tuple(sorted(text_of[name] for name in tier)) for tier in found.tiers)
    first = best[0][0] if len(best[0]) == 1 else None
    ranking = kept.get("", kept)
    whole = response.model_copy(update={"ranking": ranking, "candidate": first})
    return whole.model_copy(update={"text": told_fields(whole)})


def _by_question(schema: str, ranking: Tiers | Mapping[str, Tiers]) -> dict[str, Tiers]:
    """A ranking for each question that the schema asks, in its order."""
    ranked = ranked_by(schema)
    asked = ranked[1] if ranked else ("",)
    given = dict(ranking) if isinstance(ranking, Mapping) else {"": ranking}
    if given.keys() != set(asked):
        wanted = (
            "one list of candidates"
            if asked == ("",)
            else f"a list of candidates for each of {', '.join(asked)}"
        )
        seen = ", ".join(map(repr, given)) if isinstance(ranking, Mapping) else "one list"
        raise InvalidDecision(f"ranking: this review asks for {wanted} (saw {seen:.80})")
    return {question: given[question] for question in asked}


def _renamed(tiers: Tiers, called: Mapping[str, str]) -> list[list[str]]:
    return [[called.get(n, n) for n in ((one,) if isinstance(one, str) else one)] for one in tiers]


def stored_rankings(body: str | None, called: Mapping[str, str], ranker: str = "") -> dict[str, Ranking]:
    """The rankings of an answer by the names of their questions, an empty one where it has none.

    Args:
        body: the text of the answer; what is no ranking gives none.
        called: id of a text -> the name that its candidate gets; tied ones stand in the order of these, and one without
            a name is left out.
        ranker: who answered.
    """
    told = read_fields(body or "").get("ranking")
    if not told:
        return {}
    by_question = told if isinstance(told, dict) else {"": told}
    found = {}
    for question, kept in by_question.items():
        tiers = (tuple(name for text, name in called.items() if text in tier) for tier in kept)
        found[question] = Ranking(ranker, tuple(tier for tier in tiers if tier))
    return found
