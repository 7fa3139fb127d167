"""An answer that a model read before it was sent: what was answered until then, and what the check said.

The answer before the first check was given blind, and stays the evidence of the question whatever is sent later: it
measures people, and it certifies where the question was drawn at random. The answer that is sent decides. Were changed
answers merely left out, the sample of a certificate would lose just those in which a model led a person elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from solon.errors import NotPending
from solon.responses import Response
from solon.store.database import clock
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.drafts import Lease
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.reviewing.voting import keep_text, kept_answer
from solon.store.tables import assignments, decisions, reviews, texts

if TYPE_CHECKING:
    from solon.store.database.store import Store

MOST = 5
"""So often a model reads one answer."""
NOTHING = "[]"
"""What is kept of a check that found nothing to say."""
MEASURED = ("choice", "candidate", "text", "scores", "flags")
"""Parts of an answer that measure something: where only reasons changed after a check, it is as blind as before."""


@dataclass(frozen=True, slots=True)
class BlindAnswer:
    """What a person answered without knowing what a model, the panel or others say.

    Attributes:
        choice: what was chosen.
        candidate_id: the candidate chosen, None where the choice names none.
        at: when, epoch seconds.
        flags: candidate -> what the person flagged it as.
        scores: criterion -> score.
    """

    choice: str
    candidate_id: str | None
    at: float
    flags: dict[str, Any]
    scores: dict[str, int]


def blind_answer(decision: Mapping[Any, Any]) -> BlindAnswer | None:
    """The blind answer behind a decision: its own where it counts, the one before the check where it was changed after
    it; None where there is none.

    Args:
        decision: choice, candidate_id, decided_at, counts and checked of its row; flags and scores where they matter.
    """
    if decision["counts"]:  # a change of reasons alone takes nothing from it
        return BlindAnswer(
            decision["choice"],
            decision["candidate_id"],
            decision["decided_at"],
            decision.get("flags") or {},
            decision.get("scores") or {},
        )
    return first_answer(decision["checked"])


def first_answer(checked: Mapping[str, Any] | None) -> BlindAnswer | None:
    """The blind answer that was changed after a check; None where there was no such change, or it was not blind."""
    if checked is None or not checked["blind"] or not is_changed(checked):
        return None
    first = checked["first"]
    flags, scores = first["flags"] or {}, first["scores"] or {}
    return BlindAnswer(first["choice"], first["candidate"], checked["at"], flags, scores)


def is_changed(checked: Mapping[str, Any] | None) -> bool:
    """Whether an answer was changed after a check in a part that measures something."""
    return checked is not None and bool(set(checked.get("changed", ())) & set(MEASURED))


def note_check(
    store: Store,
    connection: Connection,
    lease: Lease,
    review: ReviewRow,
    response: Response,
    said: Sequence[Mapping[str, Any]],
    *,
    blind: bool,
) -> None:
    """Keep with a person's turn what a model is about to tell them of their answer. The first answer stays.

    Args:
        said: the remarks, plain values; empty where the model found nothing to say.
        blind: the person had seen nothing of what panel and others found.
    """
    body = json.dumps([dict(remark) for remark in said], ensure_ascii=False, sort_keys=True)
    text_id = keep_text(store, connection, review.id, body)
    checked = earlier_check(connection, lease.actor, review)
    if checked is None:
        first = kept_answer(store, connection, review.id, response)
        checked = {"first": first, "blind": blind, "at": clock.now(), "said": []}
    checked = {**checked, "said": [*checked["said"], text_id]}
    connection.execute(update(assignments).where(assignments.c.id == lease.id).values(checked=checked))


def earlier_check(connection: Connection, actor: str, review: ReviewRow) -> dict[str, Any] | None:
    """What this person's answer to a question was checked as, in this turn or in one that they took back since; its
    candidates have the ids of this review. None where it never was."""
    query = (
        select(assignments.c.checked)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            assignments.c.actor == actor,
            assignments.c.checked.is_not(None),
            reviews.c.item_id == review.item_id,
            reviews.c.ordinal == review.ordinal,
        )
        .order_by(assignments.c.opened_at.desc(), assignments.c.id)
        .limit(1)
    )
    checked = connection.execute(query).scalar_one_or_none()
    if checked is None:
        return None
    return {**checked, "first": _with_candidates_of(connection, checked["first"], review)}


def _with_candidates_of(
    connection: Connection, first: Mapping[str, Any], review: ReviewRow
) -> dict[str, Any]:
    """An answer as `kept_answer` gave it, its candidates named by their ids in this review: those of the same texts are
    the same."""
    flags, evidence = first["flags"] or {}, first.get("evidence") or []
    named = {first["candidate"], *flags, *(one["candidate"] for one in evidence)} - {None}
    text_of = text_ids(connection, [*named, *review.candidates])
    called = {text_of.get(name): name for name in review.candidates}
    now = {name: called.get(text_of.get(name), name) for name in named}
    return {
        **first,
        "candidate": now.get(first["candidate"]),
        "flags": {now[name]: told for name, told in flags.items()},
        "evidence": [{**one, "candidate": now[one["candidate"]]} for one in evidence],
    }


def refuse_many(checked: Mapping[str, Any] | None) -> None:
    """Refuse to have an answer read more than `MOST` times.

    Raises:
        NotPending: it was read so often already.
    """
    if checked is not None and len(checked["said"]) >= MOST:
        raise NotPending(f"this answer was checked {MOST} times already", next_step="send it")


def note_changes(
    store: Store, connection: Connection, lease: Lease, review: ReviewRow, response: Response
) -> dict[str, Any] | None:
    """Note with a person's turn which parts of their answer changed since it was first checked; returns what is kept of
    the check, None where there was none."""
    checked = earlier_check(connection, lease.actor, review)
    if checked is None:
        return None
    now = kept_answer(store, connection, review.id, response)
    changed = [name for name, value in now.items() if (value or None) != (checked["first"].get(name) or None)]
    checked = {**checked, "changed": changed}
    connection.execute(update(assignments).where(assignments.c.id == lease.id).values(checked=checked))
    return checked


def keep_with_decision(
    connection: Connection, decision_id: str, checked: Mapping[str, Any] | None, *, alone: bool
) -> None:
    """Keep with a decision what was said of it before it was made, and what was changed after that.

    Args:
        alone: it was given with nothing but the check in sight, so that it may differ from what others say.
    """
    if checked is not None:
        kept = {**checked, "alone": alone}
        connection.execute(update(decisions).where(decisions.c.id == decision_id).values(checked=kept))


@dataclass(frozen=True, slots=True)
class CheckCounts:
    """How often answers were checked, and what came of it.

    Attributes:
        checked: decisions whose answers a model read first.
        remarked: of these, those of which it said that something may be wrong.
        changed: of these, those whose outcome or other measured part was changed.
    """

    checked: int
    remarked: int
    changed: int


def count_checks(connection: Connection, run_ids: Sequence[str]) -> CheckCounts:
    """How often the answers that stand in these runs were checked before they were sent."""
    query = (
        select(decisions.c.checked)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            decisions.c.checked.is_not(None),
            decisions.c.undone_at.is_(None),
            reviews.c.run_id.in_(list(run_ids)),
        )
    )
    found = list(connection.execute(query).scalars())
    named = {text_id for checked in found for text_id in checked["said"]}
    nothing = select(texts.c.id).where(texts.c.id.in_(sorted(named)), texts.c.body == NOTHING)
    empty = set(connection.execute(nothing).scalars())
    remarked = sum(not set(checked["said"]) <= empty for checked in found)
    return CheckCounts(len(found), remarked, sum(is_changed(checked) for checked in found))
