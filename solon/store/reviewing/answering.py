"""Taking an expert's answer in, exactly once, even where the network delivers it several times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select

from solon.config.sections import ReviewersConfig
from solon.errors import AlreadyDecided, InvalidDecision, NotPending
from solon.questions import question_of
from solon.responses import NOT_ANSWERS, Response, choices_of
from solon.store.database.audit_log import append, has_read
from solon.store.database.events import event
from solon.store.database.ids import hash_id, keyed_hash
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.checks import is_changed, keep_with_decision, note_changes
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.disagreements import ask_others, note_disagreement
from solon.store.reviewing.doubts import ask_second
from solon.store.reviewing.drafts import Lease, lease_of_token
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.measuring_runs import refuse_without_token
from solon.store.reviewing.proposals import keep_proposal, take_proposal
from solon.store.reviewing.queue import close_asked_once, close_lease, lease_review
from solon.store.reviewing.reuse import settle_by_audit
from solon.store.reviewing.review_rows import PERSONAL, REPEAT, LeaseLost, NotThere, ReviewRow, find_review
from solon.store.reviewing.reviews import decide, refuse_unless_waiting, set_escalated, store_decision
from solon.store.reviewing.suggestions import note_on_decision
from solon.store.reviewing.voting import keep_text, kept_answer, log_vote, settle, sure_after
from solon.store.runs.items import FORGOTTEN
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import assignments, items, reviews

Kind = Literal["decided", "vote", "second", "skipped", "declined", "escalated"]
ASIDE: dict[str, Kind] = {"skip": "skipped", "decline": "declined", "escalate": "escalated"}
DECLINE_REASONS = ("not_my_field", "needs_context", "personal_data", "broken")
LONGEST = 200_000
EXPLAIN = ("edit", "both_bad", "write", "all_bad")
"""Choices that need a sentence why, whoever gives them; so does handing a question to a lead. What a new draft shall do
is its reason."""


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What became of an answer.

    Attributes:
        kind: `decided`: it decides the question. `vote`: the person is not proven; with others' votes and the panel's
            it may decide. `second`: someone decided first, and this one is kept as a blind second opinion. `skipped`,
            `declined`, `escalated`: it was set aside.
        assignment_id: the assignment that was answered; empty for a decision without a lease.
        review_id: the review that was answered.
        decision_id: the decision that it made; None where it made none.
        replayed: the same answer had been taken in before, and nothing was changed.
        saw_votes: the person had seen what the panel found: it decides, and teaches nothing.
    """

    kind: Kind
    assignment_id: str
    review_id: str
    decision_id: str | None
    replayed: bool
    saw_votes: bool = False


def needs_why(store: Store, review: ReviewRow, actor: str) -> tuple[str, ...]:
    """The choices of a review that are refused from this person without a sentence why. An edit beside a proposal needs
    none: what was found stands there."""
    choices = choices_of(review.response_schema)
    if asks_why(store, review, actor):
        return choices
    told = ("edit",) if question_of(review.response_schema).proposes else ()
    return tuple(one for one in choices if one in EXPLAIN and one not in told)


def asks_why(store: Store, review: ReviewRow, actor: str) -> bool:
    """Must this person say why, whatever they answer? True of a random fifth, fixed before anyone answers."""
    return int(keyed_hash(store.key, "why", review.content_hash, actor)[:8], 16) % 5 == 0


def answer_review(
    store: Store,
    review_id: str,
    answer: Mapping[str, Any],
    *,
    by: ExpertRow | str,
    channel: str,
    reviewers: ReviewersConfig | None = None,
    answers: int = 1,
    answers_below: float = 1.0,
    doubt: float = 1.0,
    match: str = "prefer",
    within: Connection | None = None,
) -> AnswerResult:
    """Answer a review that nobody has handed out: from the command line, from Python, or from a file.

    An expert's answer takes the way that it takes from the page. Without a token an answer moves its item and measures
    nothing, so that a run whose questions measure refuses it on every review: refusals must not tell which ones do.

    Args:
        by: the expert whose token was given, or who answers without one (`local:USER`).
        answers, answers_below, doubt, match: as of `answer_lease`.
        within: the connection of the caller's transaction; default: one of its own.

    Raises:
        TokenWanted: an answer without a token, in a run that measures.
        NotPending, LeaseLost, AlreadyDecided, InvalidDecision: saying what is wrong; nothing was changed.
    """
    with store.transaction(within) as connection:
        review = find_review(connection, review_id)
        if isinstance(by, str):
            refuse_without_token(connection, review, answers)
            refuse_unless_waiting(connection, review, by)
            made_id = decide(store, review, answer, actor=by, channel=channel, within=connection)
            aside = ASIDE.get(str(answer.get("choice", "")))
            return AnswerResult(
                aside or "decided", made_id if aside else "", review.id, None if aside else made_id, False
            )
        refuse_unless_waiting(connection, review, by.actor)
        lease, _ = lease_review(connection, by, review.id, match=match, reviewers=reviewers)
        return answer_lease(
            store,
            connection,
            by,
            lease.token,
            answer,
            review_id=review.id,
            channel=channel,
            times={"opened_at": None},
            reviewers=reviewers,
            answers=answers,
            answers_below=answers_below,
            doubt=doubt,
            match=match,
        )


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
    doubt: float = 1.0,
    match: str = "prefer",
) -> AnswerResult:
    """Take an answer in, in the caller's transaction. Sending it again under the same token changes nothing.

    A lease that ran out still counts while nobody has decided; after someone has, the answer is a second opinion.

    Args:
        times: opened_at, first_input_at (epoch seconds), active_seconds; kept with every kind of answer.
        answers: so many people are asked each question; where they differ, a lead settles it.
        answers_below: the further people are asked only where panel and first answer together are less sure than this.
        doubt: a question is asked again where the panel is at least so sure of another answer; 1: never.
        match: how the queue is handed out, which says who else can answer it.

    Raises:
        NotThere: the token is unknown. LeaseLost: its answer was taken back.
        AlreadyDecided: another answer was given under this token.
        InvalidDecision: naming the field.
    """
    lease = _lease_of(connection, expert.actor, token, review_id)
    digest = hash_id(json.dumps(answer, sort_keys=True, default=str))
    if lease.state not in ("leased", "expired", "released"):
        return _again(lease, digest)
    all_times = {"opened_at": lease.opened_at, **times}
    basics: dict[str, Any] = {"digest": digest, "times": all_times}
    review = find_review(connection, lease.review_id)
    late = review.state in ("decided", "withdrawn")
    if late:
        refuse_forgotten(connection, review.item_id)
    answer, proposal = take_proposal(answer)
    if str(answer.get("choice", "")) in NOT_ANSWERS:
        return _set_aside(store, connection, expert, lease, review, answer, basics)
    response = read_answer(connection, review, answer)
    _check_rationale(store, review, expert.actor, channel, response)
    checked = note_changes(store, connection, lease, review, response)
    if review.kind not in PERSONAL and not expert.believed(reviewers).final:
        _keep_beside(store, connection, lease, response, basics, "vote")
        keep_proposal(store, connection, review, None, expert.actor, proposal)
        close_asked_once(connection, review)
        settle(store, connection, review, reviewers or ReviewersConfig())
        return AnswerResult("vote", lease.id, review.id, None, False)
    if late:
        _keep_beside(store, connection, lease, response, basics, "second")
        keep_proposal(store, connection, review, None, expert.actor, proposal)
        note_disagreement(store, connection, review)
        return AnswerResult("second", lease.id, review.id, None, False)
    saw = saw_votes(connection, expert.actor, review)
    alone = not saw and not question_of(review.response_schema).proposes
    decision_id = store_decision(
        store,
        connection,
        review,
        response,
        actor=expert.actor,
        channel=channel,
        counts=review.kind != REPEAT and alone and not is_changed(checked),
        times=all_times,
    )
    if not saw_votes(connection, expert.actor, review, suggestions=False):
        note_on_decision(connection, decision_id, lease)
        # What it saw was a suggestion and nothing else: it teaches.
        saw = saw and not (lease.suggestion and lease.suggestion["seen"])
    keep_with_decision(connection, decision_id, checked, alone=alone)
    close_lease(connection, lease, "decided", answer={"digest": digest}, decision_id=decision_id)
    keep_proposal(store, connection, review, decision_id, expert.actor, proposal)
    settle_by_audit(connection, review)
    reliability = expert.believed(reviewers).reliability
    # Of what was handed to a lead the lead's answer is the last word.
    wanted = 1 if review.escalated else answers
    if wanted > 1 and _unsure(connection, review, response, reliability, answers_below):
        ask_others(connection, review, wanted)
    else:
        ask_second(connection, review, response, expert.actor, doubt, reviewers, match)
    note_disagreement(store, connection, review)
    return AnswerResult("decided", lease.id, review.id, decision_id, False, saw)


def _lease_of(connection: Connection, actor: str, token: str, review_id: str) -> Lease:
    lease = lease_of_token(connection, actor, token)
    if lease.review_id != review_id:
        raise NotThere("this is no lease of yours", next_step="ask for the next review")
    return lease


def _keep_beside(
    store: Store,
    connection: Connection,
    lease: Lease,
    response: Response,
    basics: Mapping[str, Any],
    kind: Literal["second", "vote"],
) -> None:
    """Keep an answer that decides nothing: a second opinion, or the vote of someone who is not proven."""
    kept = {**basics, **kept_answer(store, connection, lease.review_id, response)}
    close_lease(connection, lease, kind, answer=kept)
    if kind == "second":
        append(store, connection, lease.actor, "review.second", lease.review_id, {"assignment": lease.id})
    else:
        log_vote(store, connection, lease.review_id, lease.actor, lease.id)


def _unsure(
    connection: Connection, review: ReviewRow, response: Response, reliability: float, below: float
) -> bool:
    if below >= 1.0 or review.kind != "interrupt":
        return True
    return sure_after(connection, review, response.choice, response.candidate, reliability) < below


def refuse_forgotten(connection: Connection, item_id: str) -> None:
    """Refuse an answer about a forgotten text: what is typed about it would bring a part of it back.

    Raises:
        NotPending: the item was forgotten.
    """
    state = connection.execute(select(items.c.state).where(items.c.id == item_id)).scalar_one()
    if state == FORGOTTEN:
        raise NotPending("the text of this review was forgotten", next_step="ask for the next review")


def _again(lease: Lease, digest: str) -> AnswerResult:
    """The result of the same answer sent once more; another answer is refused."""
    if lease.state == "undone":
        raise LeaseLost("this answer was taken back", next_step="open the review again", kept=lease.id)
    if (lease.answer or {}).get("digest") != digest:
        raise AlreadyDecided(
            "another answer was given here already; nothing was changed", next_step="undo that one first"
        )
    kind: Kind = lease.state  # type: ignore[assignment]
    return AnswerResult(kind, lease.id, lease.review_id, lease.decision_id, True)


def _check_rationale(store: Store, review: ReviewRow, actor: str, channel: str, response: Response) -> None:
    if channel == "import":  # given elsewhere, where nobody asked for one
        return
    why = response.rationale or (response.guidance if response.choice == "redraft" else None)
    if (why or "").strip():
        return
    if response.choice in needs_why(store, review, actor):
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
) -> AnswerResult:
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
    if len(rationale) > LONGEST:
        raise InvalidDecision(f"rationale: longer than {LONGEST} characters", next_step="shorten it")
    if choice == "escalate":
        if expert.may("lead"):
            raise InvalidDecision("choice: a lead has nobody to escalate to", next_step="decide, or skip")
        if not rationale:
            raise InvalidDecision("rationale: say in a sentence what the lead should look at")
        vote = answer.get("vote")
        if vote is not None:
            if not isinstance(vote, Mapping):
                raise InvalidDecision("vote: it is an answer, with its choice", next_step="or leave it out")
            vote_response = read_answer(connection, review, {"rationale": rationale, **vote})
            kept |= kept_answer(store, connection, lease.review_id, vote_response)
            note_changes(store, connection, lease, review, vote_response)
        if review.state == "waiting" and review.kind not in PERSONAL:
            set_escalated(connection, review.id)
    kept.setdefault("rationale", keep_text(store, connection, lease.review_id, rationale))
    close_lease(connection, lease, ASIDE[choice], answer=kept, reason=reason[:100] or None)
    if review.kind in PERSONAL:
        close_asked_once(connection, review)
    insert_rows(connection, [event(expert.actor, f"review.{choice}", review.id, {"assignment": lease.id})])
    append(store, connection, expert.actor, f"review.{choice}", review.id, {"assignment": lease.id})
    return AnswerResult(ASIDE[choice], lease.id, review.id, None, False)


def saw_votes(connection: Connection, actor: str, review: ReviewRow, *, suggestions: bool = True) -> bool:
    """Has this person seen the votes on these candidates? Then their answer is no blind evidence.

    Args:
        suggestions: the suggestion alone, shown with the review, is something of them.
    """
    seen = (
        select(assignments.c.id)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            assignments.c.actor == actor,
            assignments.c.revealed_at.is_not(None),
            reviews.c.item_id == review.item_id,
            reviews.c.ordinal == review.ordinal,
            *(() if suggestions else (assignments.c.suggestion.is_(None),)),
        )
        .limit(1)
    )
    if connection.execute(seen).first() is not None:
        return True
    voted = select(panel_votes.c.id).where(panel_votes.c.item_id == review.item_id).limit(1)
    return has_read(connection, actor, "item.read", review.item_id) and bool(
        connection.execute(voted).first()
    )
