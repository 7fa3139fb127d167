"""Adjudication: a lead who gave none of the answers settles a disagreement; its reviewers may reply once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, desc, exists, func, or_, select, update

from solon.errors import AlreadyDecided, InvalidDecision, NotPending
from solon.questions import CHANGED, LABELLED, MARKED, STANDS, question_of
from solon.responses import WITH_ANSWER, choices_of, fields_of
from solon.store.database import clock
from solon.store.database.audit_log import append, has_read
from solon.store.database.events import event
from solon.store.database.ids import hash_id, new_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.citations import check_cited, read_answer
from solon.store.reviewing.disagreements import GivenAnswer, given_answers, outcome_of, soft_shares, text_ids
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.reading import form_in, text_bodies
from solon.store.reviewing.review_lists import has_text
from solon.store.reviewing.review_rows import NotThere, ReviewRow, find_review, has_reason
from solon.store.reviewing.reviews import decision_rows
from solon.store.reviewing.undoing import BeingApplied, start_over, take_from_outbox
from solon.store.tables import adjudication_replies as replies
from solon.store.tables import adjudications, assignments, decisions, items, precedents, reviews, seeds, texts
from solon.store.tables.disputes import Reply

CONTESTED = "contested"
REVIEWER = "reviewer "
"""Before the number of the reviewer whose spans, ranking or own answer a ruling is for."""
WHOLE = (CHANGED, "rank", "write")
"""Choices of answers that say more than their outcome: a ruling is for one as a whole."""
WITH_TEXT = ("edit", "redraft")
"""An adjudicator chooses among what there is; an edit or a redraft would be a third answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """A disagreement as it is stored, with its answers in the order in which their reviewers are numbered.

    Attributes:
        id: its id.
        item_id: the item whose question it is about.
        review: a review of the question.
        state: open, decided, contested or withdrawn.
        given: the answers to the question that stand, that of reviewer 1 first.
        actor: the lead who settled it; None while it is open.
        informed: that lead had read the item, and with it the panel's votes, before settling it.
        choice: what the lead ruled; None while it is open.
        candidate_id: the candidate preferred; None unless the choice is `prefer`.
        principle: id of the principle that decided; None where none was named.
        reason_id: id of the text that says why; None while it is open.
        decision_id: the decision that holds by the ruling; None where the question was left contested.
        soft: id of a text -> share of people who hold it to be the better one, or label -> share of people who gave
            it; None unless contested.
        created_at: when the answers first differed, in epoch seconds.
        decided_at: when it was settled, in epoch seconds; None while it is open.
    """

    id: str
    item_id: str
    review: ReviewRow
    state: str
    given: tuple[GivenAnswer, ...]
    actor: str | None
    informed: bool
    choice: str | None
    candidate_id: str | None
    principle: str | None
    reason_id: str | None
    decision_id: str | None
    soft: Mapping[str, float] | None
    created_at: float
    decided_at: float | None

    @property
    def choices(self) -> list[str]:
        """What the adjudicator may choose."""
        own = choices_of(self.review.response_schema)
        reviewers = [f"{REVIEWER}{n}" for n in self.whole]
        return [*(choice for choice in own if choice not in (*WITH_TEXT, *WHOLE)), *reviewers, CONTESTED]

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The fields of the question's form as JSON schemas, by their names; empty where it has none."""
        schema = self.review.response_schema
        return {} if question_of(schema).detailed else fields_of(schema)

    @property
    def whole(self) -> dict[int, GivenAnswer]:
        """The answers that say more than their outcome, by the number of their reviewer: an adjudicator rules for one
        of them. Empty where the question has none such."""
        question = question_of(self.review.response_schema)
        if not (question.detailed or question.proposes):
            return {}
        whole = ("edit",) if question.proposes else WHOLE
        return {n: one for n, one in enumerate(self.given, 1) if one.choice in whole}

    def ruled_for(self, choice: str | None) -> GivenAnswer | None:
        """The answer that a ruling is for as a whole; None where it is for none."""
        number = (choice or "").removeprefix(REVIEWER)
        return self.whole.get(int(number)) if choice != number and number.isdecimal() else None

    def number(self, actor: str) -> int | None:
        """Which reviewer a person is, from 1; None for others."""
        return next((n for n, one in enumerate(self.given, 1) if one.actor == actor), None)


def find_case(connection: Connection, case_id: str) -> Case:
    """A disagreement by its id.

    Raises:
        NotThere: there is none.
    """
    row = connection.execute(select(adjudications).where(adjudications.c.id == case_id)).mappings().first()
    if row is None:
        raise NotThere("there is no such adjudication", next_step="see the list of adjudications")
    values = {name: row[name] for name in Case.__dataclass_fields__ if name not in ("review", "given")}
    answers = {
        one.assignment_id: one for one in given_answers(connection, row["item_id"], row["content_hash"])
    }
    listed = tuple(answers[name] for name in row["answers"] or () if name in answers)
    return Case(**values, review=find_review(connection, row["review_id"]), given=listed)


@dataclass(frozen=True, slots=True)
class CaseFilters:
    """What a list of disagreements is narrowed to besides their state; None is no condition.

    Attributes:
        text: stands somewhere in the seed's text, in upper or lower case.
        recipe: name of the recipe.
        reason: code of one of the reasons why the question came to people.
        reviewer: who gave one of the answers. While a question is open nobody is told that, so that only settled ones
            are found by it.
    """

    text: str | None = None
    recipe: str | None = None
    reason: str | None = None
    reviewer: str | None = None


NO_FILTERS = CaseFilters()


def list_cases(
    connection: Connection,
    state: str | None = "open",
    filters: CaseFilters = NO_FILTERS,
    *,
    limit: int = 100,
) -> list[Case]:
    """Disagreements in a state (None: in any) that fit the filters, the oldest first."""
    query = _cases(state, filters).order_by(*_BY_AGE).limit(limit)
    return [find_case(connection, case_id) for case_id in connection.execute(query).scalars()]


def next_case(
    connection: Connection, actor: str, filters: CaseFilters, after: Case | None = None
) -> str | None:
    """Return the id of the open case that a lead may settle next: the oldest after this one, else the oldest of all;
    None where no other is left."""
    query = _left_for(actor, filters)
    if after is not None:
        at, name = _BY_AGE
        later = or_(at > after.created_at, and_(at == after.created_at, name > after.id))
        query = query.where(name != after.id).order_by(desc(later))
    found = connection.execute(query.order_by(*_BY_AGE).limit(1)).scalar_one_or_none()
    return None if found is None else str(found)


def count_left_for(connection: Connection, actor: str, filters: CaseFilters) -> int:
    """Return how many open cases that fit the filters a lead may settle."""
    left = _left_for(actor, filters).subquery()
    return int(connection.execute(select(func.count()).select_from(left)).scalar_one())


def _left_for(actor: str, filters: CaseFilters) -> Select[Any]:
    return _cases("open", replace(filters, reviewer=None)).where(~answered_by(actor))


_BY_AGE = (adjudications.c.created_at, adjudications.c.id)


def _cases(state: str | None, filters: CaseFilters) -> Select[Any]:
    query = select(adjudications.c.id).join(reviews, reviews.c.id == adjudications.c.review_id)
    if state is not None:
        query = query.where(adjudications.c.state == state)
    if filters.recipe is not None:
        query = query.where(reviews.c.recipe == filters.recipe)
    if filters.reason is not None:
        query = query.where(has_reason(filters.reason))
    if filters.text is not None:
        query = query.join(items, items.c.id == adjudications.c.item_id)
        query = query.join(seeds, seeds.c.id == items.c.seed_id).join(texts, texts.c.id == seeds.c.text_id)
        query = query.where(has_text(filters.text))
    if filters.reviewer is not None:
        query = query.where(answered_by(filters.reviewer), adjudications.c.decided_at.is_not(None))
    return query


def answered_by(actor: str) -> ColumnElement[bool]:
    """The condition on a disagreement that one of its answers is this person's, who then may not settle it."""
    asked = reviews.alias("asked")
    return exists().where(
        asked.c.content_hash == adjudications.c.content_hash,
        asked.c.item_id == adjudications.c.item_id,
        assignments.c.review_id == asked.c.id,
        assignments.c.actor == actor,
        assignments.c.state.in_(("decided", "second")),
    )


def cases_of(connection: Connection, actor: str, *, limit: int = 50) -> list[Case]:
    """Settled disagreements in which a person has answered, the newest first."""
    query = (
        select(adjudications.c.id)
        .join(reviews, reviews.c.content_hash == adjudications.c.content_hash)
        .join(assignments, assignments.c.review_id == reviews.c.id)
        .where(
            adjudications.c.state.in_(("decided", CONTESTED)),
            adjudications.c.decided_at.is_not(None),
            reviews.c.item_id == adjudications.c.item_id,
            assignments.c.actor == actor,
        )
        .distinct()
    )
    cases = [find_case(connection, case_id) for case_id in connection.execute(query).scalars()]
    mine = [case for case in cases if case.number(actor) is not None]
    return sorted(mine, key=lambda case: -(case.decided_at or 0))[:limit]


def adjudicate(
    store: Store,
    connection: Connection,
    expert: ExpertRow,
    case_id: str,
    *,
    choice: str,
    candidate: str | None,
    principle: str | None,
    reason: str,
    fields: Mapping[str, Any] | None = None,
) -> Case:
    """Settle a disagreement, in the caller's transaction. Where the outcome is not what the item went on with, the
    item is replayed with it, at no model cost. The answers stay their authors' evidence.

    Args:
        choice: one of the case's `choices`; `contested` leaves it open, for the legislator.
        candidate: with `prefer`, the id of a candidate of the case's review.
        principle: id of the principle that decided.
        reason: one sentence why; the reviewers see it.
        fields: where the question has a form, what it shall hold; None: what the first filled in who said the same.

    Raises:
        NotPending: the caller gave one of the answers, or an answer was taken back meanwhile.
        AlreadyDecided: someone else was first. InvalidDecision: naming the field.
    """
    case = find_case(connection, case_id)
    _check_adjudicator(case, expert)
    side = _check_ruling(connection, case, choice, candidate, principle, reason, fields)
    now = clock.now()
    reason_id, text = store.text_row(reason.strip(), _seed_of(connection, case.item_id))
    insert_rows(connection, [text])
    decision_id = None
    if choice != CONTESTED:
        decision_id = _rule(store, connection, case, expert, choice, side, principle, reason, fields)
    soft = _shares(connection, case) if choice == CONTESTED else None
    won = connection.execute(
        update(adjudications)
        .where(adjudications.c.id == case.id, adjudications.c.state == "open")
        .values(
            state=CONTESTED if choice == CONTESTED else "decided",
            actor=expert.actor,
            informed=has_read(connection, expert.actor, "item.read", case.item_id),
            choice=choice,
            candidate_id=candidate if choice == "prefer" else None,
            principle=principle,
            reason_id=reason_id,
            decision_id=decision_id,
            soft=soft,
            decided_at=now,
        )
    )
    if won.rowcount != 1:
        raise AlreadyDecided("someone else has settled this already", next_step="see the list")
    append(store, connection, expert.actor, "adjudication.decided", case.id, {"decision": decision_id})
    return find_case(connection, case.id)


def _check_adjudicator(case: Case, expert: ExpertRow) -> None:
    if not expert.may("lead"):
        raise NotPending("adjudication is for leads", next_step="ask a lead")
    if case.number(expert.actor) is not None:
        raise NotPending("you gave one of these answers", next_step="another lead has to settle it")
    if case.state != "open":
        raise AlreadyDecided(f"this disagreement is {case.state} already", next_step="see the list")


def _check_ruling(
    connection: Connection,
    case: Case,
    choice: str,
    candidate: str | None,
    principle: str | None,
    reason: str,
    fields: Mapping[str, Any] | None,
) -> str | None:
    """The id of the text that is preferred; None where the ruling prefers none."""
    if choice not in case.choices:
        raise InvalidDecision(
            f"choice: {choice[:60]!r} is none here", next_step=f"choices: {', '.join(case.choices)}"
        )
    if not reason.strip():
        raise InvalidDecision("reason: say in a sentence why; the reviewers see it")
    if fields is not None and (choice == CONTESTED or not case.fields):
        raise InvalidDecision("fields: there is no form to fill in here", next_step="leave them out")
    check_cited(connection, case.item_id, [principle] if principle is not None else [])
    if ruled := case.ruled_for(choice):
        return ruled.side
    if choice != "prefer":
        return None
    if candidate not in case.review.candidates:
        raise InvalidDecision(
            "candidate: it is not part of this question",
            next_step=f"its candidates: {', '.join(sorted(case.review.candidates))}",
        )
    return text_ids(connection, [candidate])[candidate]


def _seed_of(connection: Connection, item_id: str) -> str:
    return str(connection.execute(select(items.c.seed_id).where(items.c.id == item_id)).scalar_one())


def _rule(
    store: Store,
    connection: Connection,
    case: Case,
    expert: ExpertRow,
    choice: str,
    side: str | None,
    principle: str | None,
    reason: str,
    fields: Mapping[str, Any] | None,
) -> str:
    """Make the ruling the outcome of the item, and return the id of the decision that now holds."""
    standing = _standing(connection, case)
    review = find_review(connection, standing["review_id"])
    texts = text_ids(connection, review.candidates)
    question, ruled = question_of(review.response_schema), case.ruled_for(choice)
    held = texts.get(standing["candidate_id"] or "") if question.compares else None
    if question.kind == MARKED or question.proposes:
        held = standing["edit_id"]
    if ruled is not None:
        choice, fields = ruled.choice, _brought(connection, ruled)
    same = outcome_of(standing["choice"], held) == outcome_of(choice, side)
    if same and fields is None:
        return str(standing["id"])
    candidate = next((name for name, text in texts.items() if text == side), None)
    candidate = review.candidates[0] if choice == "edit" else candidate
    answer: dict[str, Any] = {"choice": choice, "candidate": candidate, "rationale": reason.strip()}
    answer |= {"principles": (principle,)} if principle else {}
    answer |= fields or _form_of(connection, case, choice)
    response = read_answer(connection, review, answer)
    if same and (response.text or "") == text_bodies(connection, [standing["edit_id"]]).get(
        standing["edit_id"], ""
    ):
        return str(standing["id"])
    state = connection.execute(select(items.c.state).where(items.c.id == case.item_id)).scalar_one()
    if state == "running":
        raise BeingApplied("the item is being worked on just now", next_step="try again in a few seconds")
    decision_id, now = new_id(), clock.now()
    rows = decision_rows(
        store, connection, review, response, decision_id, expert.actor, "adjudication", False, {}
    )
    undelivered = take_from_outbox(connection, standing, now, "overruled")
    insert_rows(connection, rows)
    connection.execute(
        update(decisions).where(decisions.c.id == standing["id"]).values(overruled_by=decision_id)
    )
    connection.execute(
        update(precedents)
        .where(precedents.c.decision_id == standing["id"], precedents.c.overruled_at.is_(None))
        .values(overruled_at=now)
    )
    connection.execute(update(reviews).where(reviews.c.id == review.id).values(decision_id=decision_id))
    if not undelivered:
        _take_back_what_followed(connection, standing, now)
        start_over(connection, standing, now)
    append(store, connection, expert.actor, "decision.overruled", str(standing["id"]), {"by": decision_id})
    return decision_id


def _shares(connection: Connection, case: Case, *more: str) -> dict[str, float]:
    """The share of people for each text, or for each label where one was asked for; with `more` outcomes."""
    question = question_of(case.review.response_schema)
    texts = list(text_ids(connection, case.review.candidates).values())
    said = [*(one.outcome for one in case.given), *more]
    if question.kind == MARKED:  # what was proposed is one of the texts that people hold
        said = [texts[0] if one == STANDS else one for one in said]
        return soft_shares(said, list(dict.fromkeys((texts[0], *said))))
    return soft_shares(said, question.outcomes if question.kind == LABELLED else texts)


def _brought(connection: Connection, answer: GivenAnswer) -> dict[str, Any]:
    """What an answer brings beside its choice: spans, a ranking, or the text that its author wrote."""
    if answer.choice in WITH_ANSWER:
        return {"text": text_bodies(connection, [answer.edit_id]).get(answer.edit_id, "")}
    return form_in(connection, answer.edit_id)


def _form_of(connection: Connection, case: Case, choice: str) -> dict[str, Any]:
    """What the first who said the same filled in further, where the question has a form."""
    if not case.fields:
        return {}
    forms = (one.edit_id for one in case.given if one.choice == choice and one.edit_id)
    return form_in(connection, next(forms, None))


def _standing(connection: Connection, case: Case) -> dict[str, Any]:
    """The decision with which the item went on."""
    query = (
        select(decisions)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            decisions.c.item_id == case.item_id,
            decisions.c.content_hash == case.review.content_hash,
            reviews.c.kind == "interrupt",
            decisions.c.undone_at.is_(None),
            decisions.c.overruled_by.is_(None),
        )
        .order_by(decisions.c.decided_at)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotPending(
            "the answer that the item went on with was taken back", next_step="wait until it is given again"
        )
    return dict(row)


def _take_back_what_followed(connection: Connection, standing: Mapping[str, Any], now: float) -> None:
    """Undo the answers to what the item went on to ask: under the new outcome that is never asked."""
    later = (
        decisions.c.item_id == standing["item_id"],
        decisions.c.ordinal > standing["ordinal"],
        decisions.c.undone_at.is_(None),
    )
    ids = select(decisions.c.id).where(*later)
    connection.execute(
        update(precedents)
        .where(precedents.c.decision_id.in_(ids), precedents.c.overruled_at.is_(None))
        .values(overruled_at=now)
    )
    connection.execute(
        update(assignments)
        .where(assignments.c.decision_id.in_(ids), assignments.c.state == "decided")
        .values(state="undone")
    )
    connection.execute(update(decisions).where(*later).values(undone_at=now))


def reply(
    store: Store, connection: Connection, expert: ExpertRow, case_id: str, *, stance: str, words: str
) -> Case:
    """A reviewer's one reply to the outcome. Whoever maintains their answer leaves the question contested.

    Raises:
        NotThere: the caller gave none of the answers, or nothing is decided yet.
        AlreadyDecided: they have replied. InvalidDecision: naming the field.
    """
    case = find_case(connection, case_id)
    if case.number(expert.actor) is None or case.decided_at is None:
        raise NotThere("there is no outcome of yours to reply to", next_step="see the list of outcomes")
    if stance not in ("accepts", "maintains"):
        raise InvalidDecision(f"stance: {stance[:60]!r} is neither accepts nor maintains")
    if stance == "maintains" and not words.strip():
        raise InvalidDecision("words: say in a sentence why you maintain your answer")
    reply_id = hash_id("reply", case.id, expert.actor)
    if connection.execute(select(replies.c.id).where(replies.c.id == reply_id)).first() is not None:
        raise AlreadyDecided("you have replied already", next_step="one reply each")
    row: dict[str, Any] = {
        "id": reply_id,
        "adjudication_id": case.id,
        "actor": expert.actor,
        "stance": stance,
        "text_id": None,
        "created_at": clock.now(),
    }
    if words.strip():
        row["text_id"], text = store.text_row(words.strip(), _seed_of(connection, case.item_id))
        insert_rows(connection, [text])
    insert_rows(
        connection, [(Reply, row), event(expert.actor, "adjudication.reply", case.id, {"stance": stance})]
    )
    append(store, connection, expert.actor, "adjudication.reply", case.id, {"stance": stance})
    if stance == "maintains" and case.state == "decided":
        sides = text_ids(connection, case.review.candidates)
        side, ruled = sides.get(case.candidate_id or ""), str(case.choice)
        if answer := case.ruled_for(ruled):
            ruled, side = answer.choice, answer.side
        soft = _shares(connection, case, outcome_of(ruled, side))
        connection.execute(
            update(adjudications).where(adjudications.c.id == case.id).values(state=CONTESTED, soft=soft)
        )
        append(store, connection, expert.actor, "adjudication.contested", case.id)
    return find_case(connection, case.id)


def replies_to(connection: Connection, case_id: str) -> dict[str, tuple[str, str | None]]:
    """The replies to an outcome by actor: the stance, and the id of what they wrote (None: nothing)."""
    query = select(replies).where(replies.c.adjudication_id == case_id)
    return {row.actor: (row.stance, row.text_id) for row in connection.execute(query)}
