"""The same question to the same person again: making such reviews, and what the answers say of the person.

A repeat is a review of an item that its person decided long ago, made for them alone; nothing tells it from any other.
The answer counts for nothing else: it is no precedent, teaches nothing, and no graph waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from solon.questions import question_of
from solon.store.database import clock
from solon.store.database.ids import hash_id, keyed_hash
from solon.store.database.writer import insert_rows
from solon.store.reviewing.checks import is_changed
from solon.store.reviewing.disagreements import outcome_of
from solon.store.reviewing.doubts import is_doubted
from solon.store.reviewing.overlaps import DOUBT
from solon.store.reviewing.review_rows import REPEAT, ReviewRow
from solon.store.runs.runs import KNOWN_RUN, PREVIEW, UNLISTED
from solon.store.tables import assignments, candidates, decisions, items, reviews, runs
from solon.store.tables import audit_log as entries
from solon.store.tables.people import Review

if TYPE_CHECKING:
    from solon.store.database.store import Store
    from solon.store.reviewing.experts import ExpertRow


ORDINAL = -20
ASKABLE = ("interrupt", "audit", "overlap")
"""Kinds of reviews whose questions are asked again; golden ones come back by themselves."""
PLAIN = ("prefer", "tie", "both_bad", "accept", "reject")
"""Answers that take no writing: only questions that were answered so are asked again."""


@dataclass(frozen=True, slots=True)
class Repeating:
    """How often people are asked again.

    Attributes:
        share: share of repeats among what a person is asked.
        after: seconds since their answer before the same may be asked again.
        golden_after: seconds since they were asked the same as a golden question before it may be asked again.
        doubt: an answer is asked again, whatever the share, where the panel is at least so sure of another and nobody
            else was asked; 1: never.
    """

    share: float
    after: float
    golden_after: float
    doubt: float = 1.0


def next_repeat(store: Store, connection: Connection, expert: ExpertRow, how: Repeating) -> str | None:
    """The id of a review that asks this person again, where it is time for one and there is one; else None."""
    doubted = _next_doubted(connection, expert, how)
    if doubted is not None:
        return doubted
    if how.share <= 0 or not _is_due(store, connection, expert, how.share):
        return None
    mine = (reviews.c.kind == REPEAT, reviews.c.prefer_actor == expert.actor, reviews.c.state == "waiting")
    waiting = connection.execute(select(reviews.c.id).where(*mine).limit(1)).scalar_one_or_none()
    if waiting is not None:
        return str(waiting)
    plain = _answered_long_ago(expert.actor, how, decisions.c.choice.in_(PLAIN))
    fitting = [dict(row) for row in connection.execute(plain).mappings()]
    if not fitting:
        return None
    first = min(fitting, key=lambda row: keyed_hash(store.key, REPEAT, expert.id, row["id"]))
    return _insert_review(connection, expert, first)


def _next_doubted(connection: Connection, expert: ExpertRow, how: Repeating) -> str | None:
    """The id of a review that asks this person again what they answered otherwise than a very sure panel, and nobody
    else was asked; None where there is none."""
    if how.doubt >= 1.0:
        return None
    other = reviews.alias("other")
    others_asked = exists().where(
        other.c.item_id == reviews.c.item_id,
        other.c.content_hash == reviews.c.content_hash,
        or_(other.c.kind == "overlap", other.c.rule == DOUBT),
    )
    bare = or_(decisions.c.choice.in_(PLAIN), decisions.c.label.is_not(None) & decisions.c.edit_id.is_(None))
    query = _answered_long_ago(expert.actor, how, bare)
    query = query.add_columns(decisions.c.choice, decisions.c.candidate_id)
    query = query.where(reviews.c.confidence >= how.doubt, ~others_asked)
    for row in connection.execute(query.order_by(decisions.c.decided_at, decisions.c.id)):
        if is_doubted(row, row.choice, row.candidate_id, how.doubt):
            review = {name: row._mapping[name] for name in ReviewRow.__dataclass_fields__}
            return _insert_review(connection, expert, review, rule=DOUBT)
    return None


def _is_due(store: Store, connection: Connection, expert: ExpertRow, share: float) -> bool:
    """Drawn by the number of what this person was handed, as golden questions are, but by a draw of its own."""
    n = connection.execute(select(func.count()).where(assignments.c.actor == expert.actor)).scalar_one()
    return int(keyed_hash(store.key, REPEAT, expert.id, str(n))[:8], 16) / 2**32 < share


def _answered_long_ago(actor: str, how: Repeating, bare: ColumnElement[bool]) -> Any:
    """Reviews that this person answered blind, on items that have ended, without having seen anything of them since.

    Args:
        bare: the condition on decisions that took no writing.
    """
    now = clock.now()
    columns = [reviews.c[name] for name in ReviewRow.__dataclass_fields__]
    return (
        select(*columns)
        .join(decisions, decisions.c.review_id == reviews.c.id)
        .join(items, items.c.id == reviews.c.item_id)
        .join(runs, runs.c.id == items.c.run_id)
        .where(
            decisions.c.actor == actor,
            decisions.c.counts,
            decisions.c.undone_at.is_(None),
            decisions.c.overruled_by.is_(None),
            bare,
            decisions.c.decided_at < now - how.after,
            reviews.c.kind.in_(ASKABLE),
            items.c.state.in_(("accepted", "rejected")),
            runs.c.status.not_in(UNLISTED),
            ~_was_asked(actor, now - how.after),
            ~_was_asked(actor, now - how.golden_after, "golden"),
            ~has_seen(actor, reviews.c.item_id, now),
        )
    )


def _was_asked(actor: str, since: float, kind: str | None = None) -> ColumnElement[bool]:
    asked = reviews.alias()
    return exists().where(
        asked.c.content_hash == reviews.c.content_hash,
        assignments.c.review_id == asked.c.id,
        assignments.c.actor == actor,
        assignments.c.opened_at > since,
        *([asked.c.kind == kind] if kind else []),
    )


def has_seen(actor: Any, item_id: Any, until: Any) -> ColumnElement[bool]:
    """Had this person read the panel's votes on an item, or others' answers, by then?"""
    shown = reviews.alias()
    revealed = exists().where(
        shown.c.item_id == item_id,
        assignments.c.review_id == shown.c.id,
        assignments.c.actor == actor,
        assignments.c.revealed_at < until,
    )
    read = exists().where(
        entries.c.subject == item_id,
        entries.c.actor == actor,
        entries.c.action == "item.read",
        entries.c.at < until,
    )
    return or_(revealed, read)


def _insert_review(connection: Connection, expert: ExpertRow, row: dict[str, Any], rule: str = REPEAT) -> str:
    now = clock.now()
    nothing = ("interrupt_id", "decision_id", "resolved_at", "margin", "confidence", "value", "minutes")
    review = {
        **row,
        **dict.fromkeys(nothing),
        "id": hash_id(REPEAT, row["id"], expert.id, str(now)),
        "kind": REPEAT,
        "rule": rule,
        "state": "waiting",
        "ordinal": ORDINAL,
        "reasons": [],
        "thread_id": "",
        "prefer_actor": expert.actor,
        "created_at": now,
        "leased": False,
        "escalated": False,
    }
    insert_rows(connection, [(Review, review)])
    return str(review["id"])


@dataclass(frozen=True, slots=True)
class Repeat:
    """A later answer of the same person on the same request and candidates.

    Attributes:
        actor: the person.
        at: when they answered again, in epoch seconds.
        same: they said the same as the first time.
        days: how long after their first answer.
    """

    actor: str
    at: float
    same: bool
    days: float


def repeated_answers(connection: Connection, run_ids: Sequence[str] | None = None) -> list[Repeat]:
    """Every blind answer on what its author had answered before, in the order of time.

    Repeats, overlaps and audits of these runs (default: of all), and golden questions, which belong to none of them.
    Candidates have other ids in every attempt and run: what is compared is the text that was chosen.
    """
    first: dict[tuple[str, str], tuple[str, float]] = {}
    repeats = []
    for row in connection.execute(_answered_again(run_ids)):
        if is_changed(row.checked):  # what a person was told since is no repeat of theirs
            continue
        side = row.text_id if question_of(row.response_schema).compares else None
        outcome = outcome_of(row.choice, side)
        key = (row.actor, row.content_hash)
        if key in first:
            days = (row.decided_at - first[key][1]) / 86400
            repeats.append(Repeat(row.actor, row.decided_at, first[key][0] == outcome, days))
        else:
            first[key] = (outcome, row.decided_at)
    return repeats


def _answered_again(run_ids: Sequence[str] | None) -> Select[Any]:
    """The query of blind decisions on what their author decided several times, the oldest first."""
    wanted = runs.c.status != PREVIEW if run_ids is None else items.c.run_id.in_(run_ids)
    blind = or_(
        decisions.c.counts,
        (reviews.c.kind == REPEAT)
        & ~has_seen(decisions.c.actor, decisions.c.item_id, decisions.c.decided_at),
    )
    again = (
        select(decisions.c.actor, decisions.c.content_hash)
        .where(decisions.c.undone_at.is_(None))
        .group_by(decisions.c.actor, decisions.c.content_hash)
        .having(func.count() > 1)
        .subquery()
    )
    return (
        select(
            decisions.c.actor,
            decisions.c.content_hash,
            decisions.c.choice,
            decisions.c.decided_at,
            decisions.c.response_schema,
            decisions.c.checked,
            candidates.c.text_id,
        )
        .join(
            again, and_(again.c.actor == decisions.c.actor, again.c.content_hash == decisions.c.content_hash)
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(items, items.c.id == decisions.c.item_id)
        .join(runs, runs.c.id == items.c.run_id)
        .join(candidates, candidates.c.id == decisions.c.candidate_id, isouter=True)
        .where(
            blind,
            decisions.c.undone_at.is_(None),
            reviews.c.kind != "practice",  # its answer was told
            reviews.c.rule != DOUBT,  # no chance chose what is asked again
            or_(wanted, runs.c.status == KNOWN_RUN),
        )
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
