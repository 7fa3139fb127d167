"""Taking back whatever a person answered: a decision, a vote, or that they set a question aside. The question is open
again, first for them.

What votes had decided falls with any of them. The votes of others stand and count again, in a new attempt of the item
too, where a record had been made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from solon.config.sections import ReviewersConfig
from solon.errors import NotPending
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.answering import ASIDE, refuse_forgotten
from solon.store.reviewing.drafts import Lease, find_lease, read_draft, write_draft
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.manners import SAME_SIDES
from solon.store.reviewing.proposals import withdraw_proposals
from solon.store.reviewing.queue import lease_review
from solon.store.reviewing.reading import text_bodies
from solon.store.reviewing.review_lists import CHOSEN, list_own_answers
from solon.store.reviewing.review_rows import PERSONAL, VOTES, ReviewRow, fell_with, find_review
from solon.store.reviewing.undoing import (
    UNDO_LAST,
    BeingApplied,
    open_again,
    start_over,
    take_from_outbox,
    undo,
    withdraw_decision,
)
from solon.store.reviewing.voting import asked_now, tally
from solon.store.tables import assignments, decisions, items, proposals, reviews


def take_back(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    answer_id: str,
    reviewers: ReviewersConfig | None = None,
) -> tuple[Lease | None, ReviewRow]:
    """Take an answer back: a decision by its id or its assignment's; a vote, or that a question was skipped, declined
    or handed to a lead, by its assignment's. Returns and raises as `undo` does."""
    query = select(assignments).where(
        assignments.c.id == answer_id,
        assignments.c.actor == expert.actor,
        assignments.c.state.in_(("vote", "undone", "decided", *ASIDE.values())),
    )
    vote = connection.execute(query).mappings().first()
    if vote is None or vote["decision_id"] is not None:
        return undo(store, connection, expert, answer_id if vote is None else vote["decision_id"])
    if vote["state"] == "undone":
        raise NotPending("this answer was taken back already", next_step="ask for the next review")
    if vote["state"] in ASIDE.values():
        return _take_up_again(store, connection, expert, dict(vote), reviewers or ReviewersConfig())
    if answer_id not in {answer["decision"] for answer in list_own_answers(connection, expert.actor)}:
        raise NotPending(f"only your last {UNDO_LAST} answers can be taken back", next_step="ask a lead")
    return _take_vote_back(store, connection, expert, dict(vote), reviewers or ReviewersConfig())


def _take_up_again(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    aside: Mapping[str, Any],
    reviewers: ReviewersConfig,
) -> tuple[Lease, ReviewRow]:
    """A question that was skipped, declined or handed to a lead in the same hands again, with what was written."""
    review = find_review(connection, aside["review_id"])
    refuse_forgotten(connection, review.item_id)
    made_for_them = review.kind in PERSONAL and review.state == "withdrawn"
    if review.state != "waiting" and not made_for_them:
        raise NotPending(
            "this question was answered or withdrawn by now", next_step="ask for the next review"
        )
    if made_for_them:
        again = {"state": "waiting", "resolved_at": None}
        connection.execute(update(reviews).where(reviews.c.id == review.id).values(**again))
    _mark(store, connection, expert, aside, None)
    if aside["state"] == "escalated":
        _hand_back_from_leads(connection, review, reviewers)
    lease, review = lease_review(connection, expert, review.id, reviewers=reviewers)
    vote = read_draft(connection, lease) or {}
    if aside["state"] != "skipped" and vote.get("choice") not in ASIDE:
        choice = CHOSEN[aside["state"]]
        why = text_bodies(connection, [(aside["answer"] or {}).get("rationale")])
        rationale = next(iter(why.values()), None) or vote.get("rationale")
        draft = {"choice": choice, "reason": aside["reason"], "rationale": rationale}
        if "choice" in vote:  # given along when it was handed over
            draft["vote"] = {name: said for name, said in vote.items() if name != "rationale"}
        write_draft(connection, lease.id, review.id, {name: said for name, said in draft.items() if said})
        lease = find_lease(connection, lease.id)
    return lease, review


def _take_vote_back(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    vote: Mapping[str, Any],
    reviewers: ReviewersConfig,
) -> tuple[Lease | None, ReviewRow]:
    review = asked_now(connection, find_review(connection, vote["review_id"]))
    refuse_forgotten(connection, review.item_id)
    decision = _decided_by_votes(connection, review)
    late = decision is not None and vote["closed_at"] > decision["decided_at"]
    _mark(store, connection, expert, vote, None if late else decision)
    if late:  # it had no part in what was decided
        return None, review
    if decision is None:
        _hand_back_from_leads(connection, review, reviewers)
        return _lease_again(connection, expert, review)
    now = withdraw_decision(store, connection, expert.actor, decision, waits=True)
    if take_from_outbox(connection, decision, now):
        open_again(connection, expert, decision)
        return _lease_again(connection, expert, review)
    start_over(connection, decision, now)
    return None, find_review(connection, review.id)


def _decided_by_votes(connection: Connection, review: ReviewRow) -> dict[str, Any] | None:
    """The decision that falls with the vote; None while the question still waits.

    Raises:
        NotPending: a person decided it, or it is asked no longer. BeingApplied: a worker has it in hand.
    """
    state = connection.execute(select(items.c.state).where(items.c.id == review.item_id)).scalar_one()
    if state == "running":
        raise BeingApplied(
            "what votes decided is being applied just now", next_step="try again in a few seconds"
        )
    if review.state == "waiting":
        return None
    found = (
        connection.execute(select(decisions).where(decisions.c.id == review.decision_id)).mappings().first()
    )
    if review.state != "decided" or found is None or found["undone_at"] is not None:
        raise NotPending("this question is not asked any longer", next_step="ask for the next review")
    if found["actor"] != VOTES or found["overruled_by"] is not None:
        raise NotPending("someone else has decided this question by now", next_step="ask a lead")
    later = select(decisions.c.id).where(
        decisions.c.item_id == review.item_id,
        decisions.c.ordinal > found["ordinal"],
        decisions.c.undone_at.is_(None),
    )
    if connection.execute(later.limit(1)).first() is not None:
        raise NotPending("someone else has built upon this answer", next_step="ask a lead")
    return dict(found)


def _mark(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    vote: Mapping[str, Any],
    decision: Mapping[str, Any] | None,
) -> None:
    reason = None if decision is None else fell_with(decision["id"])
    connection.execute(
        update(assignments).where(assignments.c.id == vote["id"]).values(state="undone", reason=reason)
    )
    withdraw_proposals(
        connection, proposals.c.review_id == vote["review_id"], proposals.c.actor == expert.actor
    )
    kind = "vote" if vote["state"] == "vote" else "aside"
    told = {kind: vote["id"], SAME_SIDES: expert.actor}
    insert_rows(connection, [event(expert.actor, f"{kind}.undone", vote["review_id"], told)])
    append(store, connection, expert.actor, f"{kind}.undone", vote["review_id"], told)


def _hand_back_from_leads(connection: Connection, review: ReviewRow, reviewers: ReviewersConfig) -> None:
    """Votes had handed it to a lead, and without this one they would not have."""
    by_person = select(assignments.c.id).where(
        assignments.c.review_id == review.id, assignments.c.state == "escalated"
    )
    if not review.escalated or connection.execute(by_person.limit(1)).first() is not None:
        return
    if not tally(connection, review, reviewers).needs_lead(reviewers):
        connection.execute(update(reviews).where(reviews.c.id == review.id).values(escalated=False))


def _lease_again(
    connection: Connection, expert: ExpertRow, review: ReviewRow
) -> tuple[Lease | None, ReviewRow]:
    """The question in the voter's hands again, with the old answer as the draft; None where someone has it."""
    now = find_review(connection, review.id)
    if now.leased or now.escalated:
        return None, now
    return lease_review(connection, expert, review.id)


def is_replayed(connection: Connection, item_id: str) -> bool:
    """Whether an item is on its way to where an answer on it was taken back."""
    state = connection.execute(select(items.c.state).where(items.c.id == item_id)).scalar_one()
    return state in ("queued", "running")


def is_own(connection: Connection, answer_id: str, actor: str) -> bool:
    """Whether an answer is this person's; only a decision can be another's, which a lead took back by its id."""
    query = select(decisions.c.actor).where(decisions.c.id == answer_id)
    return connection.execute(query).scalar_one_or_none() in (None, actor)


def replayed(connection: Connection, answer_id: str, actor: str) -> str | None:
    """Id of the review that asks again, in a later attempt, for an answer taken back; None unless it waits for them."""
    asked = reviews.alias("asked")
    query = (
        select(reviews.c.id)
        .join(asked, (asked.c.item_id == reviews.c.item_id) & (asked.c.ordinal == reviews.c.ordinal))
        .join(assignments, assignments.c.review_id == asked.c.id)
        .where(assignments.c.id == answer_id, reviews.c.state == "waiting", reviews.c.prefer_actor == actor)
        .limit(1)
    )
    review_id = connection.execute(query).scalar_one_or_none()
    return review_id or _replayed_decision(connection, answer_id, actor)


def _replayed_decision(connection: Connection, decision_id: str, actor: str) -> str | None:
    """The review of a later attempt in which an undone decision is asked for again, once it waits for this person."""
    query = (
        select(reviews.c.id)
        .join(
            decisions,
            (decisions.c.item_id == reviews.c.item_id) & (decisions.c.ordinal == reviews.c.ordinal),
        )
        .where(decisions.c.id == decision_id, reviews.c.state == "waiting", reviews.c.prefer_actor == actor)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
