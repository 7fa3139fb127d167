"""Where two people's answers to one question differ, neither of whom knew of the other's: finding them, and the case
that a lead then has to settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from solon.questions import CHANGED, MARKED, TIE, Question, question_of
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id, keyed_hash
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.overlaps import overlap_row
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import adjudications, assignments, candidates, decisions, items, reviews
from solon.store.tables.disputes import Adjudication
from solon.store.tables.people import Review

SHARED = ("interrupt", "overlap")
"""Kinds of reviews in which several people may be asked one question."""
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One person's answer to a question that several were asked, see `given_answers`.

    Attributes:
        assignment_id: the assignment that was answered.
        actor: who answered.
        review_id: the review that was answered.
        decision_id: the decision that the answer made; None for a second opinion.
        choice: what was chosen.
        side: id of the text preferred (candidates change theirs with every attempt); None where none was.
        rationale_id: id of the text that says why; None without one.
        edit_id: id of the edited text, or of the form; None without one.
        guidance_id: id of the text that says what a redraft shall do; None without one.
        principles: ids of the principles cited.
        strength: how clear it was, from 1 (barely) to 3 (clearly); None where nothing was said.
        flags: candidate -> what the person flagged it as.
        evidence: the words that the answer points to, see `solon.responses.kept_evidence`.
        at: when it was given, in epoch seconds.
        alone: it was given without sight of the panel or of others.
    """

    assignment_id: str
    actor: str
    review_id: str
    decision_id: str | None
    choice: str
    side: str | None
    rationale_id: str | None
    edit_id: str | None
    guidance_id: str | None
    principles: tuple[str, ...]
    strength: int | None
    flags: Mapping[str, Sequence[str]]
    evidence: Sequence[Mapping[str, Any]]
    at: float
    alone: bool

    @property
    def outcome(self) -> str:
        """What the answer says, see `outcome_of`."""
        return outcome_of(self.choice, self.side)


def outcome_of(choice: str, side: str | None) -> str:
    """What an answer says, reduced to that in which two answers can differ.

    An edit of one of two is for that one; both bad and a redraft say that neither will do; so does an edit of a single,
    unless its text is named.
    A label is what it says; changed spans are those that were marked; a ranking is for the best by its first question.

    Args:
        side: id of the text preferred; None where none is.
    """
    if choice in ("prefer", "edit", CHANGED):
        return side or "neither"
    if choice == "rank":
        return side or TIE
    return "neither" if choice in ("both_bad", "redraft", "write", "all_bad") else choice


def given_answers(connection: Connection, item_id: str, content_hash: str) -> list[GivenAnswer]:
    """The answers to a question that stand, second opinions included, the first one first: of each person the first
    that was given without sight of the panel or of others, else the first. Of an answer that was changed after a check
    it is the one that was sent."""
    query = (
        select(
            assignments.c.id.label("assignment"),
            assignments.c.actor,
            assignments.c.review_id,
            assignments.c.state,
            assignments.c.answer,
            assignments.c.closed_at,
            assignments.c.revealed_at,
            reviews.c.response_schema.label("schema"),
            decisions,
        )
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .join(decisions, decisions.c.id == assignments.c.decision_id, isouter=True)
        .where(
            reviews.c.item_id == item_id,
            reviews.c.content_hash == content_hash,
            reviews.c.kind.in_(SHARED),
            assignments.c.state.in_(("decided", "second")),
        )
        .order_by(assignments.c.closed_at, assignments.c.id)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    first_of: dict[str, GivenAnswer] = {}
    sides = _texts_of(connection, rows)
    for row in rows:
        if row["state"] == "decided" and row["undone_at"] is not None:
            continue
        one = _given(row, sides)
        known = first_of.get(one.actor)
        if known is None or (one.alone and not known.alone):
            first_of[one.actor] = one
    return sorted(first_of.values(), key=lambda one: (one.at, one.assignment_id))


def _given(row: Mapping[str, Any], sides: Mapping[str, str]) -> GivenAnswer:
    """The answer of a row: what the decision says, or of a second opinion, what was kept with the turn."""
    answer = row if row["state"] == "decided" else row["answer"] or {}
    return GivenAnswer(
        assignment_id=row["assignment"],
        actor=row["actor"],
        review_id=row["review_id"],
        decision_id=row["id"],
        choice=str(answer.get("choice", "")),
        side=_side(question_of(row["schema"]), answer, sides),
        rationale_id=answer.get("rationale_id") or answer.get("rationale"),
        edit_id=answer.get("edit_id") or answer.get("text"),
        guidance_id=answer.get("guidance_id") or answer.get("guidance"),
        principles=tuple(answer.get("principles") or ()),
        strength=answer.get("strength"),
        flags=answer.get("flags") or {},
        evidence=answer.get("evidence") or (),
        at=row["closed_at"],
        alone=_given_alone(row),
    )


def answered_before(connection: Connection, review: ReviewRow, actor: str) -> GivenAnswer | None:
    """The first answer of somebody else to a question that further people are asked, where the question shows what was
    found anyway; None of all others, which stay blind."""
    if review.kind != "overlap" or not question_of(review.response_schema).proposes:
        return None
    given = given_answers(connection, review.item_id, review.content_hash)
    return next((one for one in given if one.actor != actor), None)


def _given_alone(row: Mapping[str, Any]) -> bool:
    """Whether an answer was given without sight of the panel or of others: it is blind, or a check alone has told its
    author something, and what they sent then is what they stand by."""
    if row["revealed_at"] is not None and row["revealed_at"] < row["closed_at"]:
        return False
    checked = row["checked"] if question_of(row["schema"]).outcomes else None
    return bool(
        row["state"] == "second" or row["counts"] or (checked and checked.get("alone", checked["blind"]))
    )


def _side(question: Question, answer: Mapping[str, Any], sides: Mapping[str, str]) -> str | None:
    """The text that an answer is for: where candidates are compared that of the candidate, of changed spans the one
    that they are written as, so that two people who marked the same agree. Beside a fix it is the edited text: two
    people who edit differently differ."""
    if question.kind == MARKED or question.proposes:
        return answer.get("edit_id") or answer.get("text")
    named = answer.get("candidate_id") or answer.get("candidate") or ""
    return sides.get(named) if question.compares else None


def _texts_of(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    named = {row["candidate_id"] for row in rows} | {(row["answer"] or {}).get("candidate") for row in rows}
    return text_ids(connection, [name for name in named if name])


def text_ids(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The id of each candidate's text, by the candidate's id."""
    query = select(candidates.c.id, candidates.c.text_id).where(candidates.c.id.in_(ids))
    return {row.id: row.text_id for row in connection.execute(query)} if ids else {}


def ask_others(connection: Connection, review: ReviewRow, answers: int) -> None:
    """Put a question that was just answered to further people, until `answers` have been asked."""
    if review.kind != "interrupt":
        return
    row = {name: getattr(review, name) for name in ReviewRow.__dataclass_fields__}
    second = overlap_row(row)
    again = [
        {**second, "id": second["id"] if n == 0 else hash_id(second["id"], n)} for n in range(answers - 1)
    ]
    insert_rows(connection, [(Review, one) for one in again])


def note_disagreement(store: Store, connection: Connection, review: ReviewRow) -> None:
    """Open, extend or withdraw the case of a question, by what its answers say now. A settled one stays."""
    if review.kind not in SHARED:
        return
    answers = given_answers(connection, review.item_id, review.content_hash)
    case_id = hash_id("adjudication", review.item_id, review.content_hash)
    state = connection.execute(
        select(adjudications.c.state).where(adjudications.c.id == case_id)
    ).scalar_one_or_none()
    if state in ("decided", "contested"):
        return
    split = len({one.outcome for one in answers}) > 1
    if not split and state != "open":
        return
    # Who came first must not show: the numbers of the reviewers are drawn.
    order = sorted(
        (one.assignment_id for one in answers), key=lambda name: keyed_hash(store.key, "case", name)
    )
    values = {"state": "open" if split else "withdrawn", "answers": order}
    if state is None:
        row = {
            "id": case_id,
            "item_id": review.item_id,
            "review_id": review.id,
            "content_hash": review.content_hash,
            "informed": False,
            "created_at": clock.now(),
            **values,
        }
        insert_rows(connection, [(Adjudication, row)])
    else:
        connection.execute(update(adjudications).where(adjudications.c.id == case_id).values(**values))
    if state != values["state"]:
        done = "opened" if split else "withdrawn"
        append(store, connection, SYSTEM, f"adjudication.{done}", case_id, {"answers": len(answers)})


def soft_shares(outcomes: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """The share of people who hold each text to be the better one (of a single: who accept it), by the text's id.

    A tie is an equal part for each (of a single one half). Those for whom neither will do say nothing about which is
    better. Where nobody says anything, it is one half.

    Args:
        outcomes: what people said, see `outcome_of`.
        texts: ids of the texts, or the labels.
    """
    said = {"tie": 1 / max(2, len(texts)), "accept": 1.0, "reject": 0.0}
    worth = {name: value for name, value in said.items() if name not in texts}
    telling = [one for one in outcomes if one in texts or one in worth]
    if not telling:
        return dict.fromkeys(texts, 0.5)
    return {
        text: round(sum(worth.get(one, float(one == text)) for one in telling) / len(telling), 6)
        for text in texts
    }


def open_disputes(connection: Connection, item_ids: Sequence[str], as_of: float | None = None) -> set[str]:
    """Which of these items have a question on which people differ and that no lead has settled yet.

    Args:
        as_of: of those, the ones seen by this time (epoch seconds); None: by now.
    """
    query = select(adjudications.c.item_id).where(
        adjudications.c.item_id.in_(item_ids), adjudications.c.state == "open"
    )
    if as_of is not None:
        query = query.where(adjudications.c.created_at <= as_of)
    return set(connection.execute(query).scalars())


def count_disputes(connection: Connection, run_id: str | None = None) -> int:
    """How many questions of a run (None: of all) people differ on that no lead has settled yet."""
    query = select(func.count()).select_from(adjudications).where(adjudications.c.state == "open")
    if run_id is not None:
        query = query.join(items, items.c.id == adjudications.c.item_id).where(items.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())


def contested_shares(connection: Connection, item_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """The share of people for each text, by item and text, of items whose question stays contested."""
    query = select(adjudications.c.item_id, adjudications.c.soft).where(
        adjudications.c.item_id.in_(item_ids), adjudications.c.state == "contested"
    )
    return {row.item_id: row.soft or {} for row in connection.execute(query)}
