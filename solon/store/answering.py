"""Taking an expert's answer in: once, whatever the network repeats; and taking it back."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, exists, or_, select, update

from solon.config import ReviewersConfig
from solon.errors import AlreadyDecided, InvalidDecision, NotPending
from solon.responses import NOT_ANSWERS, Response, parse_response
from solon.store.audit_log import append, has_read
from solon.store.disagreements import ask_others, note_disagreement
from solon.store.drafts import Lease
from solon.store.experts import ExpertRow
from solon.store.ids import hash_id, keyed_hash
from solon.store.items import FORGOTTEN, next_attempt
from solon.store.proposals import keep_proposal, take_proposal
from solon.store.queue import close_known, close_lease, lease_review
from solon.store.review_rows import PERSONAL, REPEAT, VOTES
from solon.store.reviews import (
    LeaseLost,
    NotThere,
    ReviewRow,
    event,
    find_review,
    set_escalated,
    store_decision,
)
from solon.store.store import Store
from solon.store.tables import Assignment, Decision, Item, Outbox, Precedent, Review
from solon.store.voting import keep_text, kept_answer, log_vote, settle, sure_after
from solon.store.writer import insert_rows

reviews = Review.__table__  # type: ignore[attr-defined]
assignments = Assignment.__table__  # type: ignore[attr-defined]
decisions = Decision.__table__  # type: ignore[attr-defined]
outbox = Outbox.__table__  # type: ignore[attr-defined]
items = Item.__table__  # type: ignore[attr-defined]
precedents = Precedent.__table__  # type: ignore[attr-defined]

Kind = Literal["decided", "vote", "second", "skipped", "declined", "escalated"]
ASIDE: dict[str, Kind] = {"skip": "skipped", "decline": "declined", "escalate": "escalated"}
DECLINE_REASONS = ("not_my_field", "needs_context", "personal_data", "broken")
EXPLAIN = ("edit", "both_bad", "redraft", "escalate")
UNDO_LAST = 10


class BeingApplied(NotPending):
    """A worker has the item in hand: in a moment the answer can be taken back."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer. `second`: someone decided first, and this one is kept as a blind second opinion.
    `vote`: the person is not proven; with others' votes and the panel's it may decide."""

    kind: Kind
    assignment_id: str
    review_id: str
    decision_id: str | None
    replayed: bool


def asks_why(store: Store, review: ReviewRow, actor: str) -> bool:
    """Is a rationale wanted whatever the answer? A random fifth, fixed before anyone answers."""
    return int(keyed_hash(store.key, "why", review.content_hash, actor)[:8], 16) % 5 == 0


def answer_lease(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    token: str,
    answer: Mapping[str, Any],
    *,
    review_id: str,
    channel: str,
    times: Mapping[str, float | None],
    reviewers: ReviewersConfig | None = None,
    answers: int = 1,
    answers_below: float = 1.0,
) -> Answered:
    """Take an answer in, in the caller's transaction. Sending it again under the same token changes nothing.

    A lease that ran out still counts while nobody has decided; after someone has, the answer is a second opinion.

    Args:
        times: opened_at, first_input_at (epoch seconds), active_seconds; kept with every kind of answer.
        answers: so many people are asked each question; where they differ, a lead settles it.
        answers_below: ... but only where panel and the first answer together are less sure of it than this.

    Raises:
        NotThere: the token is unknown. LeaseLost: its answer was taken back.
        AlreadyDecided: another answer was given under this token.
        InvalidDecision: naming the field.
    """
    row = connection.execute(
        select(assignments).where(assignments.c.token == token, assignments.c.actor == expert.actor)
    ).mappings()
    found = row.first()
    if found is None or not token or found["review_id"] != review_id:
        raise NotThere("this is no lease of yours", next_step="ask for the next review")
    lease = Lease(**found)
    digest = hash_id(json.dumps(answer, sort_keys=True, default=str))
    times = {"opened_at": lease.opened_at, **times}
    basics: dict[str, Any] = {"digest": digest, "times": times}
    if lease.state not in ("leased", "expired", "released"):
        return _again(lease, digest)
    review = find_review(connection, lease.review_id)
    if review.state in ("decided", "withdrawn"):
        refuse_forgotten(connection, review.item_id)
    choice = str(answer.get("choice", ""))
    answer, proposal = take_proposal(answer)
    if choice in NOT_ANSWERS:
        return _set_aside(store, connection, expert, lease, review, answer, basics)
    response = parse_response(review.response_schema, answer, review.candidates)
    _check_rationale(store, review, expert.actor, response)
    if review.state in ("decided", "withdrawn"):
        kept = {**basics, **kept_answer(store, connection, lease.review_id, response)}
        close_lease(connection, lease, "second", answer=kept)
        append(store, connection, expert.actor, "review.second", review.id, {"assignment": lease.id})
        note_disagreement(store, connection, review)
        keep_proposal(store, connection, review, None, expert.actor, proposal)
        return Answered("second", lease.id, review.id, None, False)
    if review.kind == "interrupt" and not expert.believed(reviewers).final:
        kept = {**basics, **kept_answer(store, connection, review.id, response)}
        close_lease(connection, lease, "vote", answer=kept)
        keep_proposal(store, connection, review, None, expert.actor, proposal)
        log_vote(store, connection, review.id, expert.actor, lease.id)
        settle(store, connection, review, reviewers or ReviewersConfig())
        return Answered("vote", lease.id, review.id, None, False)
    counts = review.kind != REPEAT and not saw_votes(connection, expert.actor, review)
    decision_id = store_decision(
        store,
        connection,
        review,
        response,
        actor=expert.actor,
        channel=channel,
        counts=counts,
        times=times,
    )
    close_lease(connection, lease, "decided", answer={"digest": digest}, decision_id=decision_id)
    keep_proposal(store, connection, review, decision_id, expert.actor, proposal)
    if answers > 1 and _unsure(
        connection, review, response, expert.believed(reviewers).reliability, answers_below
    ):
        ask_others(connection, review, answers)
    note_disagreement(store, connection, review)
    return Answered("decided", lease.id, review.id, decision_id, False)


def _unsure(
    connection: Connection, review: ReviewRow, response: Response, reliability: float, below: float
) -> bool:
    if below >= 1.0 or review.kind != "interrupt":
        return True
    return sure_after(connection, review, response.choice, response.candidate, reliability) < below


def refuse_forgotten(connection: Connection, item_id: str) -> None:
    """What is typed about a forgotten text would bring a part of it back."""
    reason = connection.execute(select(items.c.reason).where(items.c.id == item_id)).scalar_one()
    if reason == FORGOTTEN:
        raise NotPending("the text of this review was forgotten", next_step="ask for the next review")


def _again(lease: Lease, digest: str) -> Answered:
    """The same answer once more is the same answer; another one is refused."""
    if lease.state == "undone":
        raise LeaseLost("this answer was taken back", next_step="open the review again", kept=lease.id)
    if (lease.answer or {}).get("digest") != digest:
        raise AlreadyDecided(
            "another answer was given here already; nothing was changed", next_step="undo that one first"
        )
    kind: Kind = lease.state  # type: ignore[assignment]
    return Answered(kind, lease.id, lease.review_id, lease.decision_id, True)


def _check_rationale(store: Store, review: ReviewRow, actor: str, response: Response) -> None:
    said = response.rationale or (response.guidance if response.choice == "redraft" else None)
    if (said or "").strip():
        return
    if response.choice in EXPLAIN or asks_why(store, review, actor):
        raise InvalidDecision(
            "rationale: a sentence why is needed here", next_step="say in a few words what decided"
        )


def _set_aside(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    lease: Lease,
    review: ReviewRow,
    answer: Mapping[str, Any],
    basics: Mapping[str, Any],
) -> Answered:
    """Skip, decline or escalate: the review goes on waiting, not for this person."""
    choice = str(answer["choice"])
    unknown = set(answer) - {"choice", "reason", "rationale", "vote"}
    if unknown:
        raise InvalidDecision(f"{sorted(unknown)[0]}: not part of a {choice}")
    reason = str(answer.get("reason") or "")
    kept = dict(basics)
    if choice == "decline" and reason not in DECLINE_REASONS:
        raise InvalidDecision(
            f"reason: {reason!r} is no reason to decline", next_step=f"reasons: {', '.join(DECLINE_REASONS)}"
        )
    rationale = str(answer.get("rationale") or "").strip()
    if choice == "escalate":
        if expert.may("lead"):
            raise InvalidDecision("choice: a lead has nobody to escalate to", next_step="decide, or skip")
        if not rationale:
            raise InvalidDecision("rationale: say in a sentence what the lead should look at")
        vote = answer.get("vote")
        if vote is not None:
            given = parse_response(
                review.response_schema, {"rationale": rationale, **vote}, review.candidates
            )
            kept |= kept_answer(store, connection, lease.review_id, given)
        elif rationale:
            kept["rationale"] = keep_text(store, connection, lease.review_id, rationale)
        if review.state == "waiting" and review.kind not in PERSONAL:
            set_escalated(connection, review.id)
    close_lease(connection, lease, ASIDE[choice], answer=kept, reason=reason[:100] or None)
    close_known(connection, review)
    insert_rows(connection, [event(expert.actor, f"review.{choice}", review.id, {"assignment": lease.id})])
    append(store, connection, expert.actor, f"review.{choice}", review.id, {"assignment": lease.id})
    return Answered(ASIDE[choice], lease.id, review.id, None, False)


def saw_votes(connection: Connection, actor: str, review: ReviewRow) -> bool:
    """Has this person seen the votes on these candidates? Then their answer is no blind evidence."""
    seen = (
        select(assignments.c.id)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            assignments.c.actor == actor,
            assignments.c.revealed_at.is_not(None),
            reviews.c.item_id == review.item_id,
            reviews.c.ordinal == review.ordinal,
        )
        .limit(1)
    )
    return connection.execute(seen).first() is not None or has_read(
        connection, actor, "item.read", review.item_id
    )


def undo(
    store: Store, connection: Connection, expert: ExpertRow, decision_id: str
) -> tuple[Lease | None, ReviewRow]:
    """Take a decision back. Both stay in the log: the decision, and that it was undone.

    Where its graph has not taken it in yet, the review is open again at once, with the old answer as its draft.
    Otherwise the item begins a new attempt, which a worker replays up to this review at no model cost; it then waits
    for its author first, and the lease returned is None.

    Raises:
        NotPending: it is not the person's own, not among their last ten, being applied just now, or built upon.
    """
    found = connection.execute(select(decisions).where(decisions.c.id == decision_id)).mappings().first()
    row = dict(found) if found is not None else None
    if row is None or (row["actor"] != expert.actor and not expert.may("lead")):
        raise NotThere("this is no decision of yours", next_step="see the list of your last answers")
    if row["undone_at"] is not None:
        raise NotPending("this decision was taken back already", next_step="ask for the next review")
    if row["overruled_by"] is not None or row["channel"] == "adjudication":
        raise NotPending("a lead has settled this question", next_step="reply to the outcome")
    waits = find_review(connection, row["review_id"]).kind == "interrupt"
    _check_undoable(connection, expert, row, waits)
    now = withdraw_decision(store, connection, expert.actor, row, waits=waits)
    if not waits or take_from_outbox(connection, row, now):
        return open_again(connection, expert, row)
    start_over(connection, row, now)
    return None, find_review(connection, row["review_id"])


def withdraw_decision(
    store: Store, connection: Connection, actor: str, row: Mapping[str, Any], *, waits: bool
) -> float:
    """Mark a decision, and what was decided on its item after it, as undone, in both logs. Returns the time.

    Args:
        waits: a graph waits for it, so that later decisions on the item rest on it.
    """
    now, told = time.time(), {"decision": row["id"]}
    follows = decisions.c.ordinal >= row["ordinal"] if waits else decisions.c.id == row["id"]
    connection.execute(
        update(decisions)
        .where(decisions.c.item_id == row["item_id"], follows, decisions.c.undone_at.is_(None))
        .values(undone_at=now)
    )
    undone = select(decisions.c.id).where(
        decisions.c.item_id == row["item_id"], decisions.c.undone_at.is_not(None)
    )
    connection.execute(
        update(precedents)
        .where(precedents.c.decision_id.in_(undone), precedents.c.overruled_at.is_(None))
        .values(overruled_at=now)
    )
    connection.execute(
        update(assignments)
        .where(assignments.c.decision_id.in_(undone), assignments.c.state == "decided")
        .values(state="undone")
    )
    append(store, connection, actor, "decision.undone", row["review_id"], told)
    insert_rows(connection, [event(actor, "decision.undone", row["review_id"], told)])
    note_disagreement(store, connection, find_review(connection, row["review_id"]))
    return now


def _check_undoable(connection: Connection, expert: ExpertRow, row: Mapping[str, Any], waits: bool) -> None:
    last = (
        select(decisions.c.id)
        .where(decisions.c.actor == row["actor"], decisions.c.undone_at.is_(None))
        .order_by(decisions.c.decided_at.desc(), decisions.c.id.desc())
        .limit(UNDO_LAST)
    )
    if not expert.may("lead") and row["id"] not in set(connection.execute(last).scalars()):
        raise NotPending(f"only your last {UNDO_LAST} answers can be taken back", next_step="ask a lead")
    others = select(decisions.c.id).where(
        decisions.c.item_id == row["item_id"],
        decisions.c.ordinal > row["ordinal"],
        decisions.c.undone_at.is_(None),
        decisions.c.actor != row["actor"],
    )
    # Nothing follows from an answer that no graph waits for.
    if waits and not expert.may("lead") and connection.execute(others.limit(1)).first() is not None:
        raise NotPending("someone else has built upon this answer", next_step="ask a lead")
    refuse_forgotten(connection, row["item_id"])
    item = connection.execute(select(items.c.state).where(items.c.id == row["item_id"])).scalar_one()
    if waits and item == "running":
        raise BeingApplied("this answer is being applied just now", next_step="try again in a few seconds")


def take_from_outbox(
    connection: Connection, row: Mapping[str, Any], now: float, problem: str = "undone"
) -> bool:
    """Take the decision out of the outbox, unless its graph has it. Nothing after it can exist then."""
    taken = update(outbox).where(
        outbox.c.decision_id == row["id"],
        outbox.c.applied_at.is_(None),
        or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < now),
        exists().where(items.c.id == row["item_id"], items.c.state == "waiting"),
    )
    return int(connection.execute(taken.values(applied_at=now, problem=problem)).rowcount) == 1


def open_again(
    connection: Connection, expert: ExpertRow, row: Mapping[str, Any]
) -> tuple[Lease | None, ReviewRow]:
    author = expert.actor if row["actor"] == VOTES else row["actor"]
    connection.execute(
        update(reviews)
        .where(reviews.c.id == row["review_id"], reviews.c.decision_id == row["id"])
        .values(state="waiting", leased=False, decision_id=None, resolved_at=None, prefer_actor=author)
    )
    if row["actor"] != expert.actor:
        return None, find_review(connection, row["review_id"])
    return lease_review(connection, expert, row["review_id"])


def start_over(connection: Connection, row: Mapping[str, Any], now: float) -> None:
    """Begin a new attempt of the item; a worker replays it, with the decisions that stand, at no model cost."""
    later = (
        reviews.c.item_id == row["item_id"],
        reviews.c.state.in_(("opening", "waiting")),
    )
    connection.execute(
        update(assignments)
        .where(
            assignments.c.review_id.in_(select(reviews.c.id).where(*later)), assignments.c.state == "leased"
        )
        .values(state="released", closed_at=now)
    )
    connection.execute(update(reviews).where(*later).values(state="withdrawn", leased=False, resolved_at=now))
    connection.execute(
        update(outbox)
        .where(outbox.c.item_id == row["item_id"], outbox.c.applied_at.is_(None))
        .values(applied_at=now, problem="undone")
    )
    next_attempt(connection, row["item_id"])
    connection.execute(
        update(items)
        .where(items.c.id == row["item_id"])
        .values(state="queued", claimed_by=None, claimed_until=None)
    )
