"""Verdicts and critiques of stored items, in the form in which the consensus takes them. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, bindparam, func, select

from solon.consensus.panel import Vote
from solon.questions import PAIR, Question
from solon.store.tables import (
    calls,
    candidates,
    critiques,
    items,
    resolutions,
    texts,
    verdicts,
)

SEVERITY = {"none": 0.0, "minor": 1 / 3, "major": 2 / 3, "fatal": 1.0}
CHUNK = 500
RESOLVER = "resolver"
"""Seat of the resolver's vote among the panel's."""
SHORTLIST = "shortlist"
"""Purpose of the scores by which candidates were ranked before some of them were shown."""
FIRST = "first"
"""Purpose of the votes before a debate, of seats that voted again after it."""
NOT_ASKED = "not_asked"
"""Purpose of the votes that were not asked, since none could change what the panel ended the item with."""

panel_votes = select(verdicts).where(verdicts.c.purpose.is_(None)).subquery("votes")
"""The votes of the panel. Whoever reads verdicts reads these: scores of a shortlist, votes that were given
again after a debate, and votes that were not asked, are none."""
shortlist_scores = select(verdicts).where(verdicts.c.purpose == SHORTLIST).subquery("shortlist")
"""The scores of shortlists."""
votes_not_asked = select(verdicts).where(verdicts.c.purpose == NOT_ASKED).subquery("votes_not_asked")
"""The votes that were not asked."""
first_votes = select(verdicts).where(verdicts.c.purpose == FIRST).subquery("first_votes")
"""The votes before a debate, which count no more."""
scores_given = (
    select(verdicts)
    .where(verdicts.c.purpose.is_(None) | (verdicts.c.purpose == SHORTLIST))
    .subquery("scores")
)
"""The votes of the panel and the scores of shortlists."""


def _on_same_text(of: FromClause, of_candidate: str, value: str, told: ColumnElement[bool]) -> Select[Any]:
    """What is told of candidates (`value` by `id`), and of the same text of the item in earlier attempts (not `own`).

    Args:
        of: where that is kept, for each candidate in its column `of_candidate`.
        told: of which rows it is told.
    """
    same = candidates.alias("same")
    return (
        select(candidates.c.id, of.c[value], (same.c.id == candidates.c.id).label("own"))
        .join(same, (same.c.item_id == candidates.c.item_id) & (same.c.text_id == candidates.c.text_id))
        .join(of, of.c[of_candidate] == same.c.id)
        .where(
            candidates.c.id.in_(bindparam("ids", expanding=True)),
            (same.c.id == candidates.c.id) | (same.c.attempt < candidates.c.attempt),
            told,
        )
        .order_by(of.c.id)
    )


_WORST = _on_same_text(critiques, "candidate_id", "worst", critiques.c.abstained.is_(None))
"""Built once: the graph asks it for every item that has a candidate which no critic has just seen."""
_SHORTLISTED = _on_same_text(shortlist_scores, "a_id", "scores", shortlist_scores.c.scores.is_not(None))


def severities(connection: Connection, candidate_ids: Iterable[str]) -> dict[str, float]:
    """The worst finding of critics on each candidate, from 0 (none) to 1 (fatal); a candidate whose text no critic
    saw is left out.

    For a candidate that an item brings to a later attempt it is what was found in an earlier one: it meets no critic
    again.
    """
    ids = sorted(set(candidate_ids))
    own: dict[str, float] = {}
    earlier: dict[str, float] = {}
    for start in range(0, len(ids), CHUNK):
        for row in connection.execute(_WORST, {"ids": ids[start : start + CHUNK]}):
            worst = own if row.own else earlier
            worst[row.id] = max(worst.get(row.id, 0.0), SEVERITY[row.worst])
    return earlier | own


def shortlisted(connection: Connection, candidate_ids: Iterable[str]) -> dict[str, list[Mapping[str, float]]]:
    """What each judge scored candidates of a shortlist by criterion, by the candidate's id; one that was not scored is
    left out. A candidate that an item brings to a later attempt is not scored again: as with `severities`."""
    ids = sorted(set(candidate_ids))
    own: dict[str, list[Mapping[str, float]]] = {}
    earlier: dict[str, list[Mapping[str, float]]] = {}
    for start in range(0, len(ids), CHUNK):
        for row in connection.execute(_SHORTLISTED, {"ids": ids[start : start + CHUNK]}):
            (own if row.own else earlier).setdefault(row.id, []).append(row.scores)
    return earlier | own


def cited_on(connection: Connection, wanted: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The principles that critics cited on an item's text, in any attempt, by key.

    Args:
        wanted: key -> (id of the item, id of the text).
    """
    by_key: dict[str, tuple[str, ...]] = {}
    for key, (item_id, text_id) in wanted.items():
        query = (
            select(critiques.c.principles)
            .join(candidates, candidates.c.id == critiques.c.candidate_id)
            .where(
                candidates.c.item_id == item_id,
                candidates.c.text_id == text_id,
                critiques.c.abstained.is_(None),
            )
        )
        cited = [name for row in connection.execute(query).scalars() for name in row or ()]
        by_key[key] = tuple(dict.fromkeys(sorted(cited)))
    return by_key


def against_on(
    connection: Connection, wanted: Iterable[tuple[Question, tuple[str, ...]]]
) -> dict[tuple[str, ...], dict[str, float]]:
    """What critics hold against each outcome of a question about the candidates shown, see `Question.held_against`, by
    these. Candidates have other ids in every attempt."""
    asked = {shown: question for question, shown in wanted}
    known = severities(connection, (candidate for shown in asked for candidate in shown))
    return {shown: question.held_against(shown, known) for shown, question in asked.items()}


def votes_on(
    connection: Connection, wanted: Iterable[tuple[str, int, Sequence[str]]]
) -> dict[str, tuple[Vote, ...]]:
    """The votes of the panel, and of the resolver, on the candidates shown in an attempt, by item.

    Args:
        wanted: (id of the item, attempt, ids of the candidates shown).
    """
    by_item = {item_id: (attempt, tuple(shown)) for item_id, attempt, shown in wanted}
    ids = list(by_item)
    cast_on: dict[str, list[Vote]] = {item_id: [] for item_id in ids}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        for row in connection.execute(
            select(panel_votes).where(panel_votes.c.item_id.in_(part)).order_by(panel_votes.c.id)
        ):
            attempt, shown = by_item[row.item_id]
            if row.attempt == attempt and shown_to_judge(row) == shown:
                cast_on[row.item_id].append(Vote.of(row))
        spoke = (
            select(resolutions, calls.c.model)
            .join(calls, calls.c.id == resolutions.c.call_id)
            .where(resolutions.c.item_id.in_(part))
        )
        for row in connection.execute(spoke):
            attempt, shown = by_item[row.item_id]
            if row.attempt == attempt and row.favours_id in shown:
                side = row.outcome or PAIR.side(row.favours_id, shown)
                cast_on[row.item_id].append(Vote(row.model, seat=RESOLVER, outcome=str(side)))
    return {item_id: tuple(votes) for item_id, votes in cast_on.items()}


def scores_on(
    connection: Connection, candidate_ids: Sequence[str], of: FromClause = panel_votes
) -> dict[str, list[dict[str, float]]]:
    """What each judge who saw a candidate alone scored it by criterion, by the candidate's id.

    Args:
        of: `panel_votes`, `shortlist_scores`, or `scores_given` for both.
    """
    scores: dict[str, list[dict[str, float]]] = {}
    for start in range(0, len(candidate_ids), CHUNK):
        part = candidate_ids[start : start + CHUNK]
        query = (
            select(of.c.a_id, of.c.scores)
            .where(of.c.a_id.in_(part), of.c.b_id.is_(None), of.c.scores.is_not(None))
            .order_by(of.c.id)
        )
        for row in connection.execute(query):
            scores.setdefault(row.a_id, []).append(row.scores)
    return scores


def rationales_on(
    connection: Connection, item_id: str, attempt: int, candidate_id: str
) -> dict[str, list[str]]:
    """outcome -> what each voter for it said of one text in this attempt, empty where it gave no reason."""
    query = (
        select(panel_votes.c.outcome, texts.c.body)
        .join(texts, texts.c.id == panel_votes.c.rationale_id, isouter=True)
        .where(
            panel_votes.c.item_id == item_id,
            panel_votes.c.attempt == attempt,
            panel_votes.c.a_id == candidate_id,
            panel_votes.c.b_id.is_(None),
        )
        .order_by(panel_votes.c.id)
    )
    said: dict[str, list[str]] = {}
    for outcome, body in connection.execute(query):
        said.setdefault(outcome, []).append(body or "")
    return said


def was_debated(connection: Connection, item_id: str, attempt: int, shown: Sequence[str]) -> bool:
    """Whether judges voted again, after a debate, on the candidates shown in an attempt."""
    of = first_votes.c
    query = select(of.id).where(of.item_id == item_id, of.attempt == attempt, of.a_id == shown[0]).limit(1)
    return connection.execute(query).first() is not None


def count_debates(connection: Connection, run_id: str) -> int:
    """How often judges of a run's items voted again after a debate, over all attempts."""
    of = first_votes.c
    put = select(of.item_id, of.attempt, of.round, of.a_id, of.b_id)
    put = put.join(items, items.c.id == of.item_id).where(items.c.run_id == run_id).distinct()
    return int(connection.execute(select(func.count()).select_from(put.subquery())).scalar_one())


def find_not_asked(connection: Connection, run_id: str) -> dict[tuple[str, int], tuple[Vote, ...]]:
    """The votes that were not asked on items of a run, by item and attempt: one that was stopped so has ended."""
    of = votes_not_asked.c
    query = select(votes_not_asked).join(items, items.c.id == of.item_id).where(items.c.run_id == run_id)
    found: dict[tuple[str, int], list[Vote]] = {}
    for row in connection.execute(query.order_by(of.id)):
        found.setdefault((row.item_id, row.attempt), []).append(Vote.of(row))
    return {place: tuple(votes) for place, votes in found.items()}


def count_not_asked(connection: Connection, item_ids: Sequence[str]) -> dict[tuple[str, int], int]:
    """How many votes of the panel were not asked, by item and attempt; those of which all were are left out."""
    of = votes_not_asked.c
    query = select(of.item_id, of.attempt, func.count()).where(of.item_id.in_(item_ids))
    return {
        (item, attempt): n for item, attempt, n in connection.execute(query.group_by(of.item_id, of.attempt))
    }


def tell_not_asked(connection: Connection, run_ids: Collection[str]) -> str:
    """How many votes of the panels of these runs were not asked, over all attempts, in words; empty where all were."""

    def count(of: FromClause) -> int:
        query = select(func.count()).select_from(of).join(items, items.c.id == of.c.item_id)
        return int(connection.execute(query.where(items.c.run_id.in_(run_ids))).scalar_one())

    if not (missing := count(votes_not_asked)):
        return ""
    return (
        f"{missing} of {missing + count(panel_votes)} votes were not asked, since none could change what the panel "
        "ended an item with; what is said of votes is said of the others"
    )


def voters_of(connection: Connection, run_id: str) -> set[str]:
    """The voters of the panel that gave verdicts on items of a run."""
    query = select(panel_votes.c.judge).join(items, items.c.id == panel_votes.c.item_id).distinct()
    return set(connection.execute(query.where(items.c.run_id == run_id)).scalars())


def scores_by_judge(connection: Connection, candidate_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """What each voter of the panel scored candidates that it saw alone, by voter and candidate: the mean over criteria,
    seats and samples."""
    given: dict[str, dict[str, list[float]]] = {}
    for start in range(0, len(candidate_ids), CHUNK):
        of = panel_votes.c
        query = select(of.a_id, of.judge, of.scores).where(
            of.a_id.in_(candidate_ids[start : start + CHUNK]), of.b_id.is_(None), of.scores.is_not(None)
        )
        for row in connection.execute(query):
            given.setdefault(row.judge, {}).setdefault(row.a_id, []).extend(row.scores.values())
    return {
        judge: {candidate: fmean(scores) for candidate, scores in by_candidate.items() if scores}
        for judge, by_candidate in given.items()
    }


def shown_to_judge(verdict: Any) -> tuple[str, ...]:
    """The ids of the candidates that a stored verdict is on: two, or one."""
    return (verdict.a_id,) if verdict.b_id is None else (verdict.a_id, verdict.b_id)
