"""Never ask twice: a decision on the same request and the same candidates is carried over from an earlier run, and from
the audit of a record that is in doubt since. A confirmed rubric is carried over to the other items of its seed.

A decision is bound to the hash of recipe, seed and unordered candidate texts. Carried over, it is a decision of its
own: channel `carried`, with `carried_from`, by the expert who gave it. It moves the item at once, but counts for
nothing: no precedent, no reliability, no calibration, no certificate, since nobody has looked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, false, func, or_, select, update

from solon.responses import RUBRIC, choices_of, same_question
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.review_rows import REPEAT, ReviewRow, find_review
from solon.store.runs.items import next_attempt
from solon.store.tables import candidates, decisions, events, items, reviews
from solon.store.tables.people import Decision

CARRIED = "carried"
AUDIT = "audit"
ASK_AGAIN = "run.ask_again"

_COLUMNS = tuple(column.name for column in decisions.columns)


def ask_again(store: Store, run_id: str, actor: str) -> None:
    """Have people asked in this run from now on, even where they have decided the same in an earlier one."""
    with store.transaction() as connection:
        if not is_asking_again(connection, run_id):
            insert_rows(connection, [event(actor, ASK_AGAIN, run_id, {})])
            append(store, connection, actor, ASK_AGAIN, run_id)


def is_asking_again(connection: Connection, run_id: str) -> bool:
    """Was it said for this run that people shall be asked again?"""
    query = select(events.c.id).where(events.c.subject == run_id, events.c.kind == ASK_AGAIN).limit(1)
    return connection.execute(query).first() is not None


def has_decisions(connection: Connection, run_id: str) -> bool:
    """Does the store hold a decision of any other run? If not, as in most stores' first run, none can be carried."""
    query = (
        select(decisions.c.id).join(items, items.c.id == decisions.c.item_id).where(items.c.run_id != run_id)
    )
    return connection.execute(query.limit(1)).first() is not None


def find_carried(
    connection: Connection, review_id: str, run_id: str, *, elsewhere: bool = True
) -> dict[str, Any] | None:
    """The row of an earlier decision that answers this review, with the candidate ids of this review, or None where a
    person must be asked: who took the answer to this question back on this item is asked again.

    The answer to an audit of the item's earlier record comes first, for its author is not asked again; not in a pilot,
    which takes answers of its own. What was said of the rubric of its seed, on another item of it, is next. Else it is
    the newest of the latest run in which these candidates were decided.
    Where the experts of that run did not agree with each other, there is none.

    Args:
        elsewhere: whether decisions of other runs are looked at, too.
    """
    review = find_review(connection, review_id)
    if _was_taken_back(connection, review):
        return None  # its author is asked again
    rows = _earlier_answers(connection, review, run_id, elsewhere)
    latest = [row for row in rows if row["run_id"] == rows[0]["run_id"]]
    named = {one["candidate"] for r in latest for one in r["evidence"] or ()}
    named |= {r["candidate_id"] for r in latest if r["candidate_id"]}
    text_of = _texts(connection, [*review.candidates, *named])
    answers = {(row["choice"], text_of.get(row["candidate_id"]), row["edit_id"]) for row in latest}
    if len(answers) != 1:
        return None
    now = {text_of[candidate]: candidate for candidate in review.candidates}
    row = latest[0]
    candidate = now.get(text_of.get(row["candidate_id"], "")) if row["candidate_id"] else None
    flags = _flags_on(connection, row["flags"] or {}, now)
    evidence = [
        {**one, "candidate": now[text_of[one["candidate"]]]}
        for one in row["evidence"] or ()
        if text_of.get(one["candidate"]) in now
    ]
    return {**row, "candidate_id": candidate, "flags": flags, "evidence": evidence or None}


def _was_taken_back(connection: Connection, review: ReviewRow) -> bool:
    """Whether somebody took back what they had answered to this question on this item."""
    query = (
        select(decisions.c.id)
        .join(reviews, (reviews.c.id == decisions.c.review_id) & (reviews.c.kind != AUDIT))
        .where(
            decisions.c.item_id == review.item_id,
            decisions.c.content_hash == review.content_hash,
            decisions.c.undone_at.is_not(None),
        )
    )
    return connection.execute(query.limit(1)).first() is not None


def _earlier_answers(
    connection: Connection, review: ReviewRow, run_id: str, elsewhere: bool
) -> list[dict[str, Any]]:
    """The decisions on this question that stand and may be taken over, the own run's first, then the newest."""
    earlier = (items.c.id == review.item_id) & (reviews.c.attempt < review.attempt)
    audited = earlier & (reviews.c.kind == AUDIT)
    places: list[ColumnElement[bool]] = [audited] if review.rule != "pilot" else []
    places += [items.c.run_id == run_id] if review.response_schema == RUBRIC else []
    places += [items.c.run_id != run_id] if elsewhere else []
    query = (
        select(decisions, items.c.run_id)
        .join(items, items.c.id == decisions.c.item_id)
        .join(reviews, (reviews.c.id == decisions.c.review_id) & (reviews.c.kind != REPEAT))
        .where(
            decisions.c.content_hash == review.content_hash,
            decisions.c.response_schema.in_(same_question(review.response_schema)),
            decisions.c.undone_at.is_(None),
            decisions.c.channel != CARRIED,
            or_(false(), *places),
        )
        .order_by(items.c.run_id != run_id, decisions.c.decided_at.desc(), decisions.c.id.desc())
    )
    known = choices_of(review.response_schema)  # a redraft that was asked for is not offered of given texts
    return [dict(row) for row in connection.execute(query).mappings() if row["choice"] in known]


def carry(store: Store, connection: Connection, review_id: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a review that is being opened with a decision of an earlier run; returns the new decision's row.

    Nothing is put into the outbox. Doing it again changes nothing: the decision's id follows from the review's.

    Args:
        found: what `find_carried` gave.
    """
    review = find_review(connection, review_id)
    now = clock.now()
    row = {name: found[name] for name in _COLUMNS} | {
        "id": hash_id(CARRIED, review.id, found["id"]),
        "review_id": review.id,
        "item_id": review.item_id,
        "ordinal": review.ordinal,
        "channel": CARRIED,
        "carried_from": found["id"],
        "counts": False,
        "suggestion": None,  # what was in sight when it was given is told, and counted, once
        "checked": None,
        "opened_at": None,
        "first_input_at": None,
        "active_seconds": None,
        "decided_at": now,
        "undone_at": None,
    }
    claimed = connection.execute(
        update(reviews)
        .where(reviews.c.id == review.id, reviews.c.state == "opening")
        .values(state="decided", decision_id=row["id"], resolved_at=now)
    )
    if claimed.rowcount:
        detail = {"decision": row["id"], "from": found["id"]}
        insert_rows(connection, [(Decision, row), event("system", "decision.carried", review.id, detail)])
        append(store, connection, "system", "decision.carried", review.id, detail)
    return row


def settle_by_audit(connection: Connection, audit: ReviewRow) -> None:
    """Take a question out of the queue that was just answered on the audit of its item's earlier record. The item
    begins a new attempt, which takes that answer over. What somebody has in hand, or a pilot asks, stays."""
    asked = (
        reviews.c.item_id == audit.item_id,
        reviews.c.attempt > audit.attempt,
        reviews.c.rule != "pilot",
    )
    if audit.kind == AUDIT:
        _answer_elsewhere(connection, audit, *asked, why="answered on an audit")


def settle_siblings(connection: Connection, rubric: ReviewRow) -> None:
    """Take the questions out of the queue that ask for the rubric of a seed of which it was just answered on another
    item, of this run or of another one that does not ask again. Their items begin a new attempt, which takes that
    answer over. What somebody has in hand stays, and so does all where people answered differently: then none is taken
    over."""
    if rubric.response_schema == RUBRIC and _is_one_answer(connection, rubric):
        asks_again = select(events.c.subject).where(events.c.kind == ASK_AGAIN)
        _answer_elsewhere(
            connection,
            rubric,
            or_(reviews.c.run_id == rubric.run_id, reviews.c.run_id.not_in(asks_again)),
            why="answered on another item of the seed",
        )


def _is_one_answer(connection: Connection, rubric: ReviewRow) -> bool:
    """Whether all that stands on this question in this run is the same answer."""
    query = (
        select(decisions.c.choice, decisions.c.edit_id)
        .join(items, items.c.id == decisions.c.item_id)
        .where(
            items.c.run_id == rubric.run_id,
            decisions.c.content_hash == rubric.content_hash,
            decisions.c.response_schema == RUBRIC,
            decisions.c.channel != CARRIED,
            decisions.c.undone_at.is_(None),
        )
        .distinct()
    )
    return len(connection.execute(query).all()) == 1


def _answer_elsewhere(
    connection: Connection, answered: ReviewRow, *which: ColumnElement[bool], why: str
) -> None:
    """Withdraw the waiting questions that ask the same, and queue their items in a new attempt."""
    same = (
        reviews.c.content_hash == answered.content_hash,
        reviews.c.kind == "interrupt",
        reviews.c.state == "waiting",
        reviews.c.leased.is_(False),
    )
    for review_id, item_id in connection.execute(
        select(reviews.c.id, reviews.c.item_id).where(*same, *which).order_by(reviews.c.id)
    ).all():
        withdrawn = {"state": "withdrawn", "resolved_at": clock.now()}
        taken = connection.execute(
            update(reviews).where(reviews.c.id == review_id, *same).values(**withdrawn)
        )
        if not taken.rowcount:  # somebody has taken it in hand since
            continue
        insert_rows(connection, [event("system", "withdrawn", review_id, {"why": why})])
        next_attempt(connection, item_id)
        connection.execute(update(items).where(items.c.id == item_id).values(state="queued"))


def count_carried(connection: Connection, run_id: str) -> tuple[int, int]:
    """How many decisions of a run were carried over and stand: from other runs, and from an audit or a rubric of its
    own."""
    first, whose = decisions.alias("first"), items.alias("whose")
    # Asked row by row: few were carried over, a run may have many items.
    of_run = exists().where(items.c.id == decisions.c.item_id, items.c.run_id == run_id)
    query = (
        select(func.count(), func.count(case((whose.c.run_id == run_id, 1))))
        .select_from(decisions)
        .join(first, first.c.id == decisions.c.carried_from)
        .join(whose, whose.c.id == first.c.item_id)
        .where(decisions.c.carried_from.is_not(None), decisions.c.channel == CARRIED)
        .where(decisions.c.undone_at.is_(None), of_run)
    )
    carried, own = connection.execute(query).one()
    return carried - own, own


def _texts(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    query = select(candidates.c.id, candidates.c.text_id).where(candidates.c.id.in_(ids))
    return {row.id: row.text_id for row in connection.execute(query)}


def _flags_on(
    connection: Connection, flags: Mapping[str, list[str]], now: Mapping[str, str]
) -> dict[str, list[str]]:
    """What was said of each candidate, said of those that stand here with the same text."""
    text_of = _texts(connection, list(flags))
    return {now[text_of[name]]: list(said) for name, said in flags.items() if text_of.get(name) in now}
