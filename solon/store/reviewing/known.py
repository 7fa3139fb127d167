"""Questions whose answer is known: golden ones mixed into the queue, practice with feedback, calibration for all.

A known question belongs to a run that stands in no list. Each time somebody is asked, a review of their own is made;
nothing tells it from any other. Answers to it decide nothing and are no precedent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, exists, func, or_, select, union

from solon.questions import question_of
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id, keyed_hash
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.checks import blind_answer
from solon.store.reviewing.disagreements import outcome_of, text_ids
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.repeats import Repeating, has_seen, next_repeat
from solon.store.reviewing.review_rows import KNOWN, ReviewRow
from solon.store.tables import adjudications, assignments, decisions, items, reviews, seeds
from solon.store.tables import known_items as known
from solon.store.tables.people import Review

DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Mix:
    """How known questions, and one's own earlier ones, are mixed into the queue; what a new expert begins with.

    Attributes:
        golden_share: share of golden questions among what an expert is asked.
        golden_days: days within which nobody gets the same golden question again.
        practice: practice questions of a new expert.
        calibration: calibration questions of a new expert.
        repeat_share: share of questions that the expert has answered before.
        repeat_days: days after an answer before its author may be asked the same again.
        doubt: a doubted answer of somebody who works alone is asked again, see `doubts`; 1: never.
    """

    golden_share: float = 0.0
    golden_days: float = 60.0
    practice: int = 0
    calibration: int = 0
    repeat_share: float = 0.0
    repeat_days: float = 30.0
    doubt: float = 1.0


def next_known(store: Store, connection: Connection, expert: ExpertRow, mix: Mix) -> str | None:
    """The id of a review made for this person, where it is time for a known question or a repeat; else None."""
    if expert.stage == "practice":
        return _make(store, connection, expert, "practice", mix.practice)
    if expert.stage == "calibration":
        return _make(store, connection, expert, "calibration", mix.calibration)
    if expert.stage != "proven":
        return None
    if mix.golden_share > 0 and _is_due(store, connection, expert, mix):
        since = clock.now() - mix.golden_days * DAY
        golden_id = _make(store, connection, expert, "golden", None, since=since)
        if golden_id is not None:
            return golden_id
    how = Repeating(mix.repeat_share, mix.repeat_days * DAY, mix.golden_days * DAY, mix.doubt)
    return next_repeat(store, connection, expert, how)


def _is_due(store: Store, connection: Connection, expert: ExpertRow, mix: Mix) -> bool:
    """Drawn by the number of what this person was handed: nobody can ask again until a golden one comes or goes."""
    n = connection.execute(select(func.count()).where(assignments.c.actor == expert.actor)).scalar_one()
    return int(keyed_hash(store.key, "golden", expert.id, str(n))[:8], 16) / 2**32 < mix.golden_share


def _make(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    purpose: str,
    most: int | None,
    *,
    since: float = 0.0,
) -> str | None:
    """A review of a known question that this person has not been asked since then; None where there is none."""
    if most is not None and _answered(connection, expert, purpose) >= most:
        return None
    open_ = select(reviews.c.id).where(
        reviews.c.kind == purpose, reviews.c.prefer_actor == expert.actor, reviews.c.state == "waiting"
    )
    waiting = connection.execute(open_.limit(1)).scalar_one_or_none()
    if waiting is not None:
        return str(waiting)
    query = select(known, items.c.run_id, items.c.recipe).join(items, items.c.id == known.c.item_id)
    query = query.where(
        known.c.purpose == purpose, known.c.retired_at.is_(None), ~_was_asked(expert.actor, since)
    )
    if purpose == "golden":
        query = query.where(~_is_own(expert.actor))
    fitting = [dict(row) for row in connection.execute(query).mappings()]
    if not fitting:
        return None
    # Calibration comes to everyone in the same order; the others are drawn.
    salt = () if purpose == "calibration" else (expert.id,)
    row = min(fitting, key=lambda one: keyed_hash(store.key, purpose, *salt, one["id"]))
    return _insert_review(connection, expert, row)


def _was_asked(actor: str, since: float) -> ColumnElement[bool]:
    asked = reviews.alias("asked")
    return exists().where(
        asked.c.content_hash == known.c.content_hash,
        assignments.c.review_id == asked.c.id,
        assignments.c.actor == actor,
        assignments.c.opened_at > since,
    )


ANSWERED = ("decided", "vote", "second", "late", "escalated", "undone")
"""States of an assignment whose person has answered the question, whether or not the answer stands."""


def own_answers(actor: str | None = None) -> CompoundSelect[Any]:
    """Who answered or ruled on which question in ordinary work (`content_hash`, `actor`); of one person, or of all."""
    ordinary = reviews.c.kind.not_in(KNOWN)
    answered = (
        select(reviews.c.content_hash, assignments.c.actor)
        .join(assignments, assignments.c.review_id == reviews.c.id)
        .where(ordinary, assignments.c.state.in_(ANSWERED))
    )
    decided = (
        select(decisions.c.content_hash, decisions.c.actor)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(ordinary)
    )
    ruled = select(adjudications.c.content_hash, adjudications.c.actor).where(
        adjudications.c.actor.is_not(None)
    )
    parts = ((answered, assignments.c.actor), (decided, decisions.c.actor), (ruled, adjudications.c.actor))
    return union(*(part if actor is None else part.where(who == actor) for part, who in parts))


def _is_own(actor: str) -> ColumnElement[bool]:
    """Whether a known question is one that this person answered, or saw the panel's votes on, in ordinary work: what
    they say to it would not tell how reliable they are."""
    own = own_answers(actor).subquery()
    asked = reviews.alias("ordinary")
    seen = exists().where(
        asked.c.content_hash == known.c.content_hash,
        asked.c.kind.not_in(KNOWN),
        has_seen(actor, asked.c.item_id, clock.now()),
    )
    return or_(known.c.content_hash.in_(select(own.c.content_hash)), seen)


def _insert_review(connection: Connection, expert: ExpertRow, row: dict[str, Any]) -> str:
    now = clock.now()
    facts = connection.execute(
        select(seeds.c.specialty, seeds.c.lang)
        .join(items, items.c.seed_id == seeds.c.id)
        .where(items.c.id == row["item_id"])
    ).one()
    review_id = hash_id(row["purpose"], row["id"], expert.id, str(now))
    review = {
        "id": review_id,
        "item_id": row["item_id"],
        "run_id": row["run_id"],
        "recipe": row["recipe"],
        "attempt": 0,
        "ordinal": -10,
        "kind": row["purpose"],
        "state": "waiting",
        "response_schema": row["response_schema"],
        "candidates": row["candidates"],
        "reasons": [],
        "rule": row["purpose"],
        "thread_id": "",
        "prefer_actor": expert.actor,
        "content_hash": row["content_hash"],
        "created_at": now,
        "specialty": (facts.specialty or "").lower() or None,
        "lang": (facts.lang or "").lower() or None,
        "escalated": False,
        "leased": False,
    }
    insert_rows(connection, [(Review, review)])
    return review_id


def _answered(connection: Connection, expert: ExpertRow, purpose: str) -> int:
    query = (
        select(func.count())
        .select_from(decisions)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(reviews.c.kind == purpose, decisions.c.actor == expert.actor, decisions.c.undone_at.is_(None))
    )
    return int(connection.execute(query).scalar_one())


def move_on(store: Store, connection: Connection, expert: ExpertRow, mix: Mix) -> str:
    """The person's stage, after moving them on where they answered or set aside enough of its questions."""
    from solon.store.reviewing.experts import set_stage

    stage = expert.stage
    for now, following, most in (
        ("practice", "calibration", mix.practice),
        ("calibration", "proven", mix.calibration),
    ):
        if stage == now:
            there = connection.execute(
                select(func.count()).where(known.c.purpose == now, known.c.retired_at.is_(None))
            ).scalar_one()
            done = _answered(connection, expert, now) + _set_aside(connection, expert, now)
            if done >= min(most, int(there)):
                stage = following
    if stage != expert.stage:
        set_stage(connection, expert.id, stage)
        append(store, connection, expert.actor, "expert.stage", expert.id, {"stage": stage})
    return stage


def _set_aside(connection: Connection, expert: ExpertRow, purpose: str) -> int:
    query = select(func.count()).where(
        reviews.c.kind == purpose, reviews.c.prefer_actor == expert.actor, reviews.c.state == "withdrawn"
    )
    return int(connection.execute(query).scalar_one())


def known_answer(connection: Connection, review: ReviewRow) -> dict[str, Any] | None:
    """The known answer to a review's question (choice, candidate_id, reason_id); None where none is known."""
    query = select(known.c.choice, known.c.candidate_id, known.c.reason_id).where(
        known.c.content_hash == review.content_hash, known.c.purpose == review.kind
    )
    row = connection.execute(query.limit(1)).mappings().first()
    return dict(row) if row is not None and row["choice"] is not None else None


def known_outcomes(connection: Connection, purposes: Sequence[str] = ("golden",)) -> dict[str, list[bool]]:
    """Whether each blind answer to a known question was right, by actor, the oldest first.

    For people's reliability, and nothing else.
    """
    query = (
        select(
            decisions.c.actor,
            decisions.c.choice,
            decisions.c.candidate_id,
            decisions.c.decided_at,
            decisions.c.counts,
            decisions.c.checked,
            known.c.choice.label("wanted"),
            known.c.candidate_id.label("wanted_candidate"),
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(known, (known.c.content_hash == reviews.c.content_hash) & (known.c.purpose == reviews.c.kind))
        .where(
            reviews.c.kind.in_(purposes),
            known.c.choice.is_not(None),
            or_(decisions.c.counts, decisions.c.checked.is_not(None)),
            decisions.c.undone_at.is_(None),
        )
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    given = [(row, blind_answer(row._mapping)) for row in connection.execute(query)]
    named = {
        name for row, said in given if said for name in (said.candidate_id, row.wanted_candidate) if name
    }
    sides = text_ids(connection, sorted(named))
    right_by_actor: dict[str, list[bool]] = {}
    for row, said in given:
        if said is None:
            continue
        outcome = outcome_of(said.choice, sides.get(said.candidate_id or ""))
        right = outcome == outcome_of(row.wanted, sides.get(row.wanted_candidate or ""))
        right_by_actor.setdefault(row.actor, []).append(right)
    return right_by_actor


def known_answers(connection: Connection) -> dict[str, str]:
    """What is known to be right, by question (`item:attempt`), of golden questions that somebody answered."""
    asked = (
        select(
            reviews.c.item_id,
            reviews.c.attempt,
            reviews.c.candidates,
            reviews.c.response_schema,
            known.c.choice,
            known.c.candidate_id,
        )
        .join(known, (known.c.content_hash == reviews.c.content_hash) & (known.c.purpose == reviews.c.kind))
        .where(reviews.c.kind == "golden", reviews.c.decision_id.is_not(None), known.c.choice.is_not(None))
    )
    rows = connection.execute(asked).all()
    named = {name for row in rows for name in (*row.candidates, row.candidate_id) if name}
    texts = text_ids(connection, sorted(named))
    right_answers: dict[str, str] = {}
    for row in rows:
        wanted = texts.get(row.candidate_id or "")
        same = next((shown for shown in row.candidates if wanted and texts.get(shown) == wanted), None)
        outcome = question_of(row.response_schema).outcome_of(row.choice, same, row.candidates)
        if outcome is not None:
            right_answers[f"{row.item_id}:{row.attempt}"] = outcome
    return right_answers


def count_known(connection: Connection) -> dict[str, int]:
    """Known questions in use, by purpose."""
    query = (
        select(known.c.purpose, func.count()).where(known.c.retired_at.is_(None)).group_by(known.c.purpose)
    )
    counts = Counter({row[0]: int(row[1]) for row in connection.execute(query)})
    return {purpose: counts[purpose] for purpose in KNOWN}
