"""Answers of reviewers who are not proven: votes beside the panel's, until together they are sure enough.

After each vote the panel's posterior and all votes on the review are merged. From `reviewers.settles` on they decide
the item; under it the review goes on waiting for further people, until `reviewers.most_votes` votes hand it to a lead,
the least sure first. A vote counts by how reliable its author is, and for a label, as soon as enough is known, by what
the crowd and its author confuse with what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from solon.config.sections import ReviewersConfig
from solon.consensus.crowd import believe_crowd
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.consensus.traits import UNKNOWN
from solon.consensus.trust import Belief
from solon.questions import CHANGED, MARKED, NEITHER, question_of
from solon.responses import MOST_EVIDENCE, Response, fields_of, kept_evidence
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.reading import form_in
from solon.store.reviewing.review_rows import VOTES, ReviewRow, find_review
from solon.store.reviewing.reviews import set_escalated, store_decision
from solon.store.runs.certificates import crowd_scope, newest_model
from solon.store.runs.traits import traits_on
from solon.store.runs.verdicts import against_on, votes_on
from solon.store.tables import assignments, decisions, items, reviews
from solon.store.tables import consensus_versions as versions

UNCHECKED = 0.7
"""A panel that no decision has calibrated counts for no more than one judge whom nobody has checked."""
ROUNDING = 1e-9
"""Slack in comparing: two answers of .75 make .9 except for the last digit of a float."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One blind answer by someone who is not proven, in the panel's words, and how far it is believed.

    Attributes:
        assignment_id: the assignment that was answered.
        actor: who answered.
        outcome: the answer as an outcome of its question, tie or neither.
        reliability: probability that an answer of this person is right.
        flags: candidate of the present attempt -> what the person flagged it as.
        evidence: the words of such candidates that the person points to, see `solon.responses.kept_evidence`.
    """

    assignment_id: str
    actor: str
    outcome: str
    reliability: float
    flags: dict[str, tuple[str, ...]]
    evidence: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """What panel and votes say together.

    Attributes:
        posterior: probability of each outcome.
        votes: the votes that went into it.
    """

    posterior: dict[str, float]
    votes: tuple[Vote, ...]

    @property
    def best(self) -> str:
        """The most probable outcome."""
        return max(self.posterior, key=lambda outcome: self.posterior[outcome])

    @property
    def sure(self) -> float:
        """The probability of the most probable outcome."""
        return self.posterior[self.best]

    @property
    def none_will_do(self) -> bool:
        """Do most votes, and two at least, name neither candidate?"""
        neither = sum(vote.outcome not in self.posterior for vote in self.votes)
        return neither >= 2 and 2 * neither > len(self.votes)

    def settles(self, reviewers: ReviewersConfig) -> bool:
        """Are panel and votes sure enough of an outcome to decide?"""
        return self.sure >= reviewers.settles - ROUNDING and not self.none_will_do and bool(self.votes)

    def needs_lead(self, reviewers: ReviewersConfig) -> bool:
        """Will further votes never settle it?"""
        return self.none_will_do or len(self.votes) >= reviewers.most_votes


def who_decides(
    connection: Connection, actors: Iterable[str], reviewers: ReviewersConfig
) -> dict[str, Belief]:
    """Whether an answer by each actor decides, and how reliable it is. Without a token one decides, as the owner."""
    people = {expert.actor: expert.believed(reviewers) for expert in list_experts(connection)}
    return {actor: people.get(actor, Belief(True, 1.0)) for actor in actors}


def log_vote(store: Store, connection: Connection, review_id: str, actor: str, vote_id: str) -> None:
    """Note that someone voted, in both logs."""
    insert_rows(connection, [event(actor, "review.voted", review_id, {"vote": vote_id})])
    append(store, connection, actor, "review.voted", review_id, {"vote": vote_id})


def kept_answer(store: Store, connection: Connection, review_id: str, response: Response) -> dict[str, Any]:
    """An answer that does not decide, as ids and small values to be kept; its texts are stored here."""
    return {
        "choice": response.choice,
        "candidate": response.candidate,
        "text": keep_text(store, connection, review_id, response.text),
        "guidance": keep_text(store, connection, review_id, response.guidance),
        "rationale": keep_text(store, connection, review_id, response.rationale),
        "principles": list(response.principles),
        "flags": {candidate: list(flags) for candidate, flags in response.flags.items()},
        "scores": dict(response.scores),
        "strength": response.strength,
        "evidence": kept_evidence(response),
    }


def keep_text(store: Store, connection: Connection, review_id: str, body: str | None) -> str | None:
    """Store a text of an answer with the seed that it is about; its id, None for none."""
    if not (body or "").strip():
        return None
    seed_id = connection.execute(
        select(items.c.seed_id)
        .join(reviews, reviews.c.item_id == items.c.id)
        .where(reviews.c.id == review_id)
    ).scalar_one()
    text_id, row = store.text_row(str(body), seed_id)
    insert_rows(connection, [row])
    return text_id


def settle(store: Store, connection: Connection, review: ReviewRow, reviewers: ReviewersConfig) -> str | None:
    """After a vote: decide its question where panel and votes are sure, hand it to a lead where they never will be.

    Returns:
        The id of the decision by votes, None while the question goes on waiting, or waits no longer.
    """
    review = asked_now(connection, review)
    if review.kind != "interrupt" or review.state != "waiting":
        return None
    counted = tally(connection, review, reviewers)
    told = not question_of(review.response_schema).detailed or any(
        vote.outcome == counted.best for vote in counted.votes
    )  # a panel alone does not say what spans are changed into, or how the others are ranked
    if told and counted.settles(reviewers):
        return _decide(store, connection, review, counted)
    if counted.needs_lead(reviewers):
        set_escalated(connection, review.id, priority=counted.sure)
        detail = {"votes": len(counted.votes), "sure": round(counted.sure, 4)}
        insert_rows(connection, [event("system", "review.votes_undecided", review.id, detail)])
    return None


def settle_waiting(store: Store, outcomes: Sequence[str], reviewers: ReviewersConfig) -> int:
    """Count the votes on waiting questions with these outcomes again, after something was learned of people: decide
    what they settle now, and put what waits for a lead in order anew. Returns how many were decided.

    What somebody has open is left as it is.
    """
    waiting = (
        select(reviews.c.id, reviews.c.response_schema, reviews.c.escalated)
        .join(assignments, assignments.c.review_id == reviews.c.id)
        .where(
            reviews.c.kind == "interrupt",
            reviews.c.state == "waiting",
            reviews.c.leased.is_(False),
            assignments.c.state == "vote",
        )
        .distinct()
    )
    with store.connect() as connection:
        found = connection.execute(waiting.order_by(reviews.c.id)).all()
    decided = 0
    for row in found:
        if set(question_of(row.response_schema).outcomes) != set(outcomes):
            continue
        with store.transaction() as connection:
            review = find_review(connection, row.id)
            if not row.escalated:
                decided += settle(store, connection, review, reviewers) is not None
            elif (counted := tally(connection, review, reviewers)).needs_lead(reviewers):
                set_escalated(connection, review.id, priority=counted.sure)
    return decided


def tally(connection: Connection, review: ReviewRow, reviewers: ReviewersConfig) -> Tally:
    """Panel and votes on a review together: the panel's posterior merged with every blind vote.

    Votes are taken as independent of the panel and of each other, given the truth.
    """
    rows = [
        row
        for row in standing_votes(connection, review)
        if row.revealed_at is None or row.revealed_at >= row.closed_at
    ]
    people = who_decides(connection, [row.actor for row in rows], reviewers)
    called = _called_now(connection, rows, review)
    agreed = _agreed_marks(rows)
    votes = [_vote(row, review, people[row.actor].reliability, called, agreed) for row in rows]
    posterior, confidence = _panel(connection, review)
    crowd = find_crowd(connection, question_of(review.response_schema).outcomes)
    answers = [(vote.actor, vote.outcome, vote.reliability) for vote in votes]
    return Tally(merge_votes(posterior, answers, crowd, confidence=confidence), tuple(votes))


def find_crowd(connection: Connection, outcomes: Sequence[str]) -> ConsensusModel | None:
    """What was learned of people who are asked for these labels, newest; None before anything was."""
    return newest_model(connection, crowd_scope(outcomes))


def merge_votes(
    posterior: Mapping[str, float],
    votes: Sequence[tuple[str, str, float]],
    crowd: ConsensusModel | None,
    *,
    confidence: float | None = None,
) -> dict[str, float]:
    """The posterior after votes of `(actor, outcome, reliability)`.

    Args:
        posterior: of the panel; where no panel spoke, all outcomes alike.
        crowd: what was learned of people's confusions; None: each vote counts by its reliability alone.
        confidence: how far the panel's best outcome is believed.
    """
    from solon.consensus.reviewers import merge

    if crowd is None:
        return merge(
            posterior, [(outcome, reliability) for _, outcome, reliability in votes], confidence=confidence
        )
    spoke = max(posterior.values()) - min(posterior.values()) > ROUNDING
    panel = merge(posterior, (), confidence=confidence) if spoke else None
    return believe_crowd(crowd, [(actor, outcome) for actor, outcome, _ in votes], panel)


def sure_after(
    connection: Connection, review: ReviewRow, choice: str, candidate_id: str | None, reliability: float
) -> float:
    """How sure panel and one answer together are of that answer; 0 for one that names no side."""
    from solon.consensus.reviewers import merge

    outcome = (
        question_of(review.response_schema).outcome_of(choice, candidate_id, review.candidates) or NEITHER
    )
    posterior, confidence = _panel(connection, review)
    return merge(posterior, [(outcome, reliability)], confidence=confidence).get(outcome, 0.0)


def standing_votes(connection: Connection, review: ReviewRow) -> list[Any]:
    """Votes on a question that stand, one a person, as rows of assignments, the oldest first.

    It does not matter by which review of the question they were given; those of an earlier attempt count too, where one
    was taken back and the rest remain.
    """
    query = (
        select(assignments)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            reviews.c.item_id == review.item_id,
            reviews.c.content_hash == review.content_hash,
            assignments.c.state == "vote",
        )
        .order_by(assignments.c.closed_at, assignments.c.id)
    )
    first: dict[str, Any] = {}
    for row in connection.execute(query):
        first.setdefault(row.actor, row)
    return list(first.values())


def asked_now(connection: Connection, review: ReviewRow) -> ReviewRow:
    """The review by which the graph asks the same question in the item's newest attempt.

    Votes are given on overlaps too, and outlive the review that they were given on. Where no graph has asked, it is the
    review itself.
    """
    query = (
        select(reviews.c.id)
        .where(
            reviews.c.item_id == review.item_id,
            reviews.c.content_hash == review.content_hash,
            reviews.c.kind == "interrupt",
        )
        .order_by(reviews.c.attempt.desc(), reviews.c.ordinal.desc())
        .limit(1)
    )
    review_id = connection.execute(query).scalar_one_or_none()
    return review if review_id is None else find_review(connection, review_id)


def _called_now(connection: Connection, rows: Sequence[Any], review: ReviewRow) -> dict[str, str]:
    """candidate of any attempt -> the one of this attempt with the same text."""
    named = {(row.answer or {}).get("candidate") for row in rows}
    named |= {name for row in rows for name in (row.answer or {}).get("flags") or {}}
    named |= {told["candidate"] for row in rows for told in (row.answer or {}).get("evidence") or ()}
    if named <= {None, *review.candidates}:
        return {}
    text_of = text_ids(connection, [*(name for name in named if name), *review.candidates])
    now = {text_of[name]: name for name in review.candidates}
    return {name: now[text] for name, text in text_of.items() if text in now}


def _agreed_marks(rows: Sequence[Any]) -> str | None:
    """The text of the changed spans that most votes have in common, two at least; None where no two have any."""
    told = [(row.answer or {}) for row in rows]
    texts = Counter(one.get("text") for one in told if one.get("choice") == CHANGED)
    text, votes = max(texts.items(), key=lambda one: one[1], default=(None, 0))
    return text if votes > 1 else None


def _vote(
    row: Any, review: ReviewRow, reliability: float, called: Mapping[str, str], agreed: str | None
) -> Vote:
    """A vote as it counts. One that changes spans as nobody else does speaks for no outcome, for it does not say what
    others hold."""
    said = row.answer or {}
    candidate = str(said.get("candidate") or "")
    question = question_of(review.response_schema)
    outcome = question.outcome_of(
        str(said.get("choice", "")), called.get(candidate, candidate), review.candidates
    )
    alone = question.kind == MARKED and outcome == CHANGED and said.get("text") != agreed
    return Vote(
        row.id,
        row.actor,
        NEITHER if alone or outcome is None else outcome,
        reliability,
        {called.get(name, name): tuple(flags) for name, flags in (said.get("flags") or {}).items()},
        tuple(
            {**told, "candidate": called.get(told["candidate"], told["candidate"])}
            for told in said.get("evidence") or ()
        ),
    )


def _panel(connection: Connection, review: ReviewRow) -> tuple[dict[str, float], float]:
    """The panel's posterior under the item's consensus version, and how far its best outcome is believed.

    Where no panel speaks of the question's outcomes, as of a label, all are alike until people have answered.
    """
    query = (
        select(versions.c.payload)
        .join(items, items.c.consensus_id == versions.c.id)
        .where(items.c.id == review.item_id)
    )
    model = ConsensusModel.from_json(connection.execute(query).scalar_one())
    question = question_of(review.response_schema)
    outcomes = question.outcomes
    if set(model.outcomes) != set(outcomes):
        return dict.fromkeys(outcomes, 1 / len(outcomes)), 1 / len(outcomes)
    shown = tuple(review.candidates)
    cast = votes_on(connection, [(review.item_id, review.attempt, shown)])[review.item_id]
    asked = [(review.item_id, shown)]
    traits = traits_on(connection, asked, segment=model.segment, texts=bool(model.texts))
    found = judge_item(
        model,
        cast,
        against=against_on(connection, [(question, shown)])[shown],
        traits=traits.get(shown, UNKNOWN),
    )
    known = model.calibration.kind != "none"
    return found.posterior, found.confidence if known else min(found.confidence, UNCHECKED)


def _decide(store: Store, connection: Connection, review: ReviewRow, counted: Tally) -> str:
    values: dict[str, Any] = {
        **question_of(review.response_schema).answer(counted.best, review.candidates),
        "flags": _flags(counted.votes),
        "evidence": [told for vote in counted.votes for told in vote.evidence][:MOST_EVIDENCE],
        **_form_of(connection, review, counted),
    }
    response = read_answer(connection, review, values)
    decision_id = store_decision(
        store, connection, review, response, actor=VOTES, channel=VOTES, counts=False, times={}
    )
    shares = {outcome: round(share, 6) for outcome, share in counted.posterior.items()}
    kept = update(decisions).where(decisions.c.id == decision_id)
    connection.execute(kept.values(confidence=shares[counted.best], shares=shares))
    return decision_id


def _form_of(connection: Connection, review: ReviewRow, counted: Tally) -> dict[str, Any]:
    """What the first who gave the label filled in further, where the question has a form."""
    if not fields_of(review.response_schema):
        return {}
    first = next(vote.assignment_id for vote in counted.votes if vote.outcome == counted.best)
    given = connection.execute(select(assignments.c.answer).where(assignments.c.id == first)).scalar_one()
    return form_in(connection, (given or {}).get("text"))


def _flags(votes: Sequence[Vote]) -> dict[str, tuple[str, ...]]:
    """What anyone flagged: a warning needs no majority."""
    seen: dict[str, Counter[str]] = {}
    for vote in votes:
        for candidate, flags in vote.flags.items():
            seen.setdefault(candidate, Counter()).update(flags)
    return {candidate: tuple(sorted(flags)) for candidate, flags in seen.items()}
