"""What learning reads: decided items with their verdicts, blind answers of people, and items that it may change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, or_, select, true

from solon.consensus.panel import Vote
from solon.consensus.traits import UNKNOWN, Traits
from solon.questions import Question, question_of
from solon.store.database.chunks import chunks
from solon.store.reviewing.checks import blind_answer, first_answer, is_changed
from solon.store.reviewing.drawn_questions import is_drawn_as
from solon.store.reviewing.overlaps import DOUBT, half_of
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import KNOWN_RUN
from solon.store.runs.verdicts import against_on, find_not_asked, panel_votes, votes_on
from solon.store.tables import (
    adjudications,
    assignments,
    candidates,
    decisions,
    items,
    precedents,
    records,
    reviews,
    runs,
    seeds,
    texts,
)

CHUNK = 500


@dataclass(frozen=True, slots=True)
class DecidedItem:
    """A decision that counts, on candidates that the panel judged.

    Attributes:
        question: what was asked.
        decision_id: the decision.
        item_id: the item.
        attempt: attempt of the item that was asked about.
        shown: ids of the candidates shown.
        choice: what was chosen, or ruled by a lead in its place.
        candidate_id: the candidate chosen, None where the choice names none.
        actor: who decided.
        decided_at: when, epoch seconds.
        held_out: its precedent is in the half that only ever tests.
        pilot: the item is in the random pilot sample.
        kind: kind of the review, e.g. `interrupt` or `audit`.
        run_id: run of the item.
        review_id: the review answered.
        inclusion: known probability with which the item was drawn, None where it was not.
        rule: the rule that sent the item to review.
        group: of its seed; the seed's id where it has none.
        suggested: it was made with the panel's suggestion in sight, or changed after a check.
    """

    question: Question
    decision_id: str
    item_id: str
    attempt: int
    shown: tuple[str, ...]
    choice: str
    candidate_id: str | None
    actor: str
    decided_at: float
    held_out: bool
    pilot: bool
    kind: str
    run_id: str
    review_id: str = ""
    inclusion: float | None = None
    rule: str = ""
    group: str = ""
    suggested: bool = False

    @property
    def outcome(self) -> str | None:
        """The decision as an outcome of its question, tie or neither; None where it cannot be read."""
        return self.question.outcome_of(self.choice, self.candidate_id, self.shown)


@dataclass(frozen=True, slots=True)
class Blind:
    """One person's blind answer to one question.

    Attributes:
        item_id: the item.
        attempt: attempt of the item that was asked about.
        outcome: the answer as an outcome of its question, tie or neither; None where it cannot be read.
        outcomes: that the question has.
        review_id: the review answered.
        actor: who answered.
        at: when, epoch seconds.
    """

    item_id: str
    attempt: int
    outcome: str | None
    outcomes: tuple[str, ...]
    review_id: str
    actor: str
    at: float


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """An item whose panel has spoken, with where it stands.

    Attributes:
        item_id: the item.
        attempt: its attempt.
        state: `waiting`, `accepted` or `rejected`.
        pilot: it is in the random pilot sample.
        record_id: its record, None without one.
        chosen_id: the candidate that the record chose, None without one.
        label: the label of the record, None without one.
        review_id: the review that it waits for, None where it waits for none.
        shown: ids of the candidates shown.
        votes: votes of the panel, and of the resolver, on them.
        against: outcome -> severity that critics hold against it, see `held_against`.
        traits: what else is known of it.
        not_asked: votes of the panel that were not asked, see `consensus.settled`.
    """

    item_id: str
    attempt: int
    state: str
    pilot: bool
    record_id: str | None = None
    chosen_id: str | None = None
    label: str | None = None
    review_id: str | None = None
    shown: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()
    against: dict[str, float] = field(default_factory=dict)
    traits: Traits = UNKNOWN
    not_asked: tuple[Vote, ...] = ()


def counted_decisions(
    connection: Connection,
    key: str,
    scope_runs: Sequence[str],
    *,
    voted: bool = False,
    kind: str = "",
    part: ColumnElement[bool] | None = None,
) -> list[DecidedItem]:
    """The first decisions by experts with their own token, not undone, the oldest first; one for each item and kind.

    Where a lead settled a disagreement otherwise, the ruling takes the place of the answer. Of items that were
    judged again under newer law than their run's, only audits are there. The half of a decision that is no precedent,
    such as a label, follows from its seed as that of a precedent does.

    What was found of an answer after it was given, by a check or because the panel doubted it, changes the data and
    teaches, and never measures: where decisions only measure (`voted` is False), and of what was drawn at random, the
    first blind answer stands.

    Args:
        key: of the store; draws the halves.
        scope_runs: ids of the runs to look at.
        voted: with the decisions that votes made, and those made with a suggestion in sight, too.
        kind: only those of reviews of this kind, for which no graph waits, such as audits; empty: of any.
        part: only those about these items, see `parts_of_items`.
    """
    query = _with_rulings(voted)
    if kind:
        query = query.where(is_drawn_as(kind), reviews.c.run_id.in_(scope_runs))
    elif part is not None:
        query = query.where(items.c.run_id.in_(scope_runs))
    else:
        query = query.where(_is_of(connection, scope_runs))
    if part is not None:
        query = query.where(part)
    first: dict[tuple[str, str], DecidedItem] = {}
    for row in connection.execute(query):
        stands = _standing(row._mapping, voted)
        if stands is not None:
            first.setdefault((row.item_id, row.kind), _decided_item(row, stands, key))
    return list(first.values())


def _is_of(connection: Connection, run_ids: Sequence[str]) -> ColumnElement[bool]:
    """Is a decision about an item of these runs? The items are gone through, or the decisions of the store where these
    are fewer: of many items that wait few may be decided."""
    number = select(func.count()).select_from(items).where(items.c.run_id.in_(run_ids))
    beyond = select(decisions.c.id).limit(1).offset(int(connection.execute(number).scalar_one()))
    if connection.execute(beyond).first() is not None:
        return items.c.run_id.in_(run_ids)
    asked = items.alias("asked")
    return exists().where(asked.c.id == decisions.c.item_id, asked.c.run_id.in_(run_ids))


def _with_rulings(voted: bool) -> Select[Any]:
    """The query of decisions that may count, the oldest first, each with its review, its item and seed, its precedent
    and the ruling in its place, where it has these."""
    ruling = decisions.alias("ruling")
    own = ("id", "item_id", "review_id", "choice", "candidate_id", "checked", "actor", "decided_at")
    asked = ("attempt", "candidates", "response_schema", "kind", "inclusion", "rule")
    return (
        select(
            *(decisions.c[name] for name in (*own, "suggestion", "counts")),
            *(reviews.c[name] for name in asked),
            ruling.c.id.label("ruled"),
            ruling.c.choice.label("ruled_choice"),
            ruling.c.candidate_id.label("ruled_candidate"),
            _doubted().label("doubted"),
            precedents.c.half,
            items.c.pilot,
            items.c.run_id,
            seeds.c.id.label("seed"),
            seeds.c.group,
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(items, items.c.id == decisions.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(
            precedents,
            # Its index is that of items.
            (precedents.c.decision_id == decisions.c.id) & (precedents.c.item_id == decisions.c.item_id),
            isouter=True,
        )
        .join(ruling, ruling.c.id == decisions.c.overruled_by, isouter=True)
        .where(
            or_(
                decisions.c.counts,
                decisions.c.checked.is_not(None),
                *([decisions.c.actor == VOTES, decisions.c.suggestion.is_not(None)] if voted else []),
            ),
            reviews.c.rule != DOUBT,
            decisions.c.undone_at.is_(None),
            precedents.c.id.is_not(None) | decisions.c.label.is_not(None),
        )
        .where(items.c.carried.is_(None) | (reviews.c.kind == "audit"))
        .order_by(decisions.c.decided_at, decisions.c.id)
    )


def _decided_item(row: Row[Any], stands: tuple[str, str | None, bool], key: str) -> DecidedItem:
    choice, candidate_id, suggested = stands
    return DecidedItem(
        question=question_of(row.response_schema),
        decision_id=row.id,
        item_id=row.item_id,
        attempt=row.attempt,
        shown=tuple(row.candidates),
        choice=choice,
        candidate_id=candidate_id,
        actor=row.actor,
        decided_at=row.decided_at,
        held_out=(row.half or half_of(key, row.group or row.seed)) == "held_out",
        pilot=bool(row.pilot),
        kind=row.kind,
        run_id=row.run_id,
        review_id=row.review_id,
        inclusion=row.inclusion,
        rule=row.rule,
        group=row.group or row.seed,
        suggested=suggested,
    )


def _standing(row: Mapping[Any, Any], voted: bool) -> tuple[str, str | None, bool] | None:
    """Choice and candidate that stand of a decision, and whether they were given with something of the panel's or a
    model's in sight; None where nothing of it may be read."""
    blind, by_votes = blind_answer(row), row["actor"] == VOTES
    if blind is None and not (voted and (row["suggestion"] is not None or by_votes)):
        return None
    drawn = (
        row["pilot"] or row["kind"] == "audit" or (row["inclusion"] is not None and row["inclusion"] < 1.0)
    )
    measures = not voted or drawn
    suggested = not (row["counts"] or by_votes or (measures and blind is not None))
    if row["ruled"] is not None and not (row["doubted"] and measures):
        return row["ruled_choice"], row["ruled_candidate"], suggested
    if blind is not None and measures:
        return blind.choice, blind.candidate_id, suggested
    return row["choice"], row["candidate_id"], suggested


def texts_shown(connection: Connection, wanted: Mapping[str, str]) -> dict[str, str]:
    """The texts of candidates, each under the name that it is wanted by; without those that were erased.

    Args:
        wanted: name -> id of a candidate.
    """
    bodies: dict[str, str] = {}
    ids = sorted(set(wanted.values()))
    for start in range(0, len(ids), CHUNK):
        query = (
            select(candidates.c.id, texts.c.body)
            .join(texts, texts.c.id == candidates.c.text_id)
            .where(candidates.c.id.in_(ids[start : start + CHUNK]))
        )
        bodies |= {row.id: row.body for row in connection.execute(query) if row.body}
    return {name: bodies[candidate] for name, candidate in wanted.items() if candidate in bodies}


def blind_answers(connection: Connection, item_ids: Collection[str] | None = None) -> list[Blind]:
    """What people answered without knowing what others, the panel or a check say, over all runs, the oldest first;
    without answers that were asked for because the panel doubted another, which no chance chose.

    These are decisions with an expert's token, votes, second opinions, and what was said before a review went to a
    lead.

    Args:
        item_ids: only answers about these items; None: about all.
    """
    if item_ids is None:
        answers = _blind_answers(connection, true())
    else:
        ids = sorted(item_ids)
        among = (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
        answers = [one for some in among for one in _blind_answers(connection, reviews.c.item_id.in_(some))]
    return sorted(answers, key=lambda answer: (answer.at, answer.review_id, answer.actor))


def _blind_answers(connection: Connection, wanted: ColumnElement[bool]) -> list[Blind]:
    asked = [reviews.c[name] for name in ("id", "item_id", "attempt", "candidates", "response_schema")]
    decided = (
        select(
            *asked,
            decisions.c.actor,
            decisions.c.choice,
            decisions.c.candidate_id,
            decisions.c.decided_at,
            decisions.c.counts,
            decisions.c.checked,
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            or_(decisions.c.counts, decisions.c.checked.is_not(None)),
            decisions.c.undone_at.is_(None),
            reviews.c.rule != DOUBT,
            wanted,
        )
    )
    answers = []
    for row in connection.execute(decided):
        if (said := blind_answer(row._mapping)) is not None:
            answers.append(_blind(row, said.choice, said.candidate_id, said.at))
    turn = (assignments.c.answer, assignments.c.checked, assignments.c.closed_at.label("at"))
    others = (
        select(*asked, assignments.c.actor, *turn)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            assignments.c.state.in_(("vote", "second", "escalated")),
            reviews.c.rule != DOUBT,
            or_(assignments.c.revealed_at.is_(None), assignments.c.revealed_at >= assignments.c.closed_at),
            wanted,
        )
    )
    for turn_row in connection.execute(others):
        if (said := first_answer(turn_row.checked)) is not None:
            answers.append(_blind(turn_row, said.choice, said.candidate_id, said.at))
        elif (turn_row.answer or {}).get("choice") and not is_changed(turn_row.checked):
            answers.append(
                _blind(turn_row, turn_row.answer["choice"], turn_row.answer.get("candidate"), turn_row.at)
            )
    return answers


def _blind(row: Any, choice: str, candidate_id: str | None, at: float) -> Blind:
    question = question_of(row.response_schema)
    outcome = question.outcome_of(choice, candidate_id, row.candidates)
    return Blind(row.item_id, row.attempt, outcome, question.outcomes, row.id, row.actor, at)


def questions_asked(connection: Connection, run_id: str) -> list[Question]:
    """What a run asked people, each question once."""
    query = select(reviews.c.response_schema).where(reviews.c.run_id == run_id).distinct()
    return [question_of(schema) for schema in sorted(connection.execute(query).scalars())]


def _doubted() -> ColumnElement[bool]:
    """Whether a question was asked again because the panel doubted its answer: a ruling on it measures nothing, since
    only answers against the panel come so far."""
    again = reviews.alias("again")
    return exists().where(
        again.c.item_id == reviews.c.item_id, again.c.attempt == reviews.c.attempt, again.c.rule == DOUBT
    )


def ruled_questions(connection: Connection, run_ids: Iterable[str]) -> set[tuple[str, int]]:
    """(item, attempt) of the questions on which people differed until a lead ruled; without those that stayed
    contested, or were asked again because the panel doubted an answer.
    """
    query = (
        select(reviews.c.item_id, reviews.c.attempt)
        .join(adjudications, adjudications.c.review_id == reviews.c.id)
        .where(adjudications.c.state == "decided", reviews.c.run_id.in_(list(run_ids)), ~_doubted())
    )
    return {(row.item_id, row.attempt) for row in connection.execute(query)}


def ruled_outcomes(connection: Connection) -> dict[tuple[str, int], str]:
    """(item, attempt) -> what a lead ruled where people differed, over all runs; without what stayed contested, was
    asked again because the panel doubted an answer, or cannot be read.
    """
    query = (
        select(
            reviews.c.item_id,
            reviews.c.attempt,
            reviews.c.response_schema,
            reviews.c.candidates,
            adjudications.c.choice,
            adjudications.c.candidate_id,
        )
        .join(adjudications, adjudications.c.review_id == reviews.c.id)
        .where(adjudications.c.state == "decided", ~_doubted())
    )
    ruled = {}
    for row in connection.execute(query):
        question = question_of(row.response_schema)
        outcome = question.outcome_of(row.choice, row.candidate_id, row.candidates)
        if outcome is not None:
            ruled[row.item_id, row.attempt] = outcome
    return ruled


def withdrawn_among(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those of these decisions that were taken back, or that a lead ruled otherwise."""
    ruling = decisions.alias("ruling")
    other = or_(
        ruling.c.choice != decisions.c.choice,
        func.coalesce(ruling.c.candidate_id, "") != func.coalesce(decisions.c.candidate_id, ""),
    )
    found: set[str] = set()
    for start in range(0, len(names), CHUNK):
        query = (
            select(decisions.c.id)
            .join(ruling, ruling.c.id == decisions.c.overruled_by, isouter=True)
            .where(
                decisions.c.id.in_(names[start : start + CHUNK]),
                decisions.c.undone_at.is_not(None) | (ruling.c.id.is_not(None) & other),
            )
        )
        found |= set(connection.execute(query).scalars())
    return found


def random_part_waits(connection: Connection, run_id: str) -> bool:
    """Whether a review of a budget that was chosen for certain (not drawn) is still open. Until all of those are
    answered, their decisions are no sample.
    """
    query = select(reviews.c.id).where(
        reviews.c.run_id == run_id,
        reviews.c.rule == "budget",
        reviews.c.inclusion == 1.0,
        reviews.c.state.in_(("opening", "held", "waiting")),
    )
    return connection.execute(query.limit(1)).first() is not None


def items_of_runs(connection: Connection, run_ids: Iterable[str]) -> set[str]:
    """The ids of all items of these runs."""
    return set(connection.execute(select(items.c.id).where(items.c.run_id.in_(list(run_ids)))).scalars())


def any_of_runs(connection: Connection, item_ids: Iterable[str], run_ids: Sequence[str]) -> bool:
    """Whether any of these items is of these runs."""
    of_runs = select(items.c.id).where(items.c.run_id.in_(run_ids)).limit(1)
    return any(
        connection.execute(of_runs.where(items.c.id.in_(part))).first() is not None
        for part in chunks(list(item_ids))
    )


def count_learnable(
    connection: Connection, run_ids: Sequence[str], kind: str = "interrupt"
) -> tuple[int, float]:
    """How many decisions, by people and by votes, a version could be fitted on, and when the newest was made, epoch
    seconds.

    Args:
        kind: of review; audits are watched, never fitted on.
    """
    query = (
        select(func.count(), func.coalesce(func.max(decisions.c.decided_at), 0.0))
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            or_(
                decisions.c.counts,
                decisions.c.actor == VOTES,
                decisions.c.suggestion.is_not(None),
                decisions.c.checked.is_not(None),
            ),
            decisions.c.undone_at.is_(None),
            reviews.c.kind == kind,
            reviews.c.run_id.in_(run_ids),
        )
    )
    count, newest = connection.execute(query).one()
    return int(count), float(newest)


def runs_of_scope(connection: Connection, run: RunRow) -> list[str]:
    """The ids of the runs of the same recipe and configuration, whose panel, law and prompts are therefore the run's
    own; without known questions, whose answers were learned from where they were first given, or nowhere.
    """
    query = select(runs.c.id).where(
        runs.c.recipe == run.recipe, runs.c.config_id == run.config_id, runs.c.status != KNOWN_RUN
    )
    return list(connection.execute(query).scalars())


def judged_items(connection: Connection, run_id: str, question: Question) -> list[JudgedItem]:
    """Items that a new version may change, with their votes: waiting ones that nobody leased, drafted or voted on,
    those that a budget holds back, and accepted ones that no person decided; without those that were judged again
    under newer law than the run's.

    Args:
        question: that the run asks.
    """
    waiting = _waiting_free(connection, run_id, ("waiting", "held"))
    judged = [*waiting, *_accepted_unseen(connection, run_id)]
    votes = votes_on(connection, [(j.item_id, j.attempt, j.shown) for j in judged])
    against = against_on(connection, [(question, j.shown) for j in judged])
    missing = find_not_asked(connection, run_id)
    return [
        replace(
            j,
            votes=votes.get(j.item_id, ()),
            against=against[j.shown],
            not_asked=missing.get((j.item_id, j.attempt), ()),
        )
        for j in judged
    ]


def held_items(connection: Connection, run_id: str, consensus_id: str) -> list[JudgedItem]:
    """Items that a budget holds back and that are pinned to another version than this, without their votes."""
    pinned = select(items.c.id).where(items.c.run_id == run_id, items.c.consensus_id != consensus_id)
    other = set(connection.execute(pinned).scalars())
    return [held for held in _waiting_free(connection, run_id, ("held",)) if held.item_id in other]


def undecided_items(connection: Connection, run_id: str) -> list[JudgedItem]:
    """Items that no person has decided or has in hand, those that a budget holds back or the panel rejected among them,
    without their votes: what another policy may send elsewhere.
    """
    free = _waiting_free(connection, run_id, ("waiting", "held"))
    decided = select(decisions.c.item_id).join(items, items.c.id == decisions.c.item_id)
    decided = decided.where(items.c.run_id == run_id, decisions.c.undone_at.is_(None))
    known = set(connection.execute(decided).scalars())
    ended = (*_accepted_unseen(connection, run_id), *_rejected_by_panel(connection, run_id))
    return [item for item in (*free, *ended) if item.item_id not in known]


def _rejected_by_panel(connection: Connection, run_id: str) -> list[JudgedItem]:
    """Rejected items that were judged: what was refused before, such as a draft that is nothing but an echo, is not a
    question of the policy."""
    judged = exists().where(panel_votes.c.item_id == items.c.id, panel_votes.c.attempt == items.c.attempt)
    query = select(items.c.id, items.c.attempt, items.c.pilot).where(
        items.c.run_id == run_id, items.c.state == "rejected", items.c.carried.is_(None), judged
    )
    return [JudgedItem(row.id, row.attempt, "rejected", bool(row.pilot)) for row in connection.execute(query)]


def _waiting_free(
    connection: Connection, run_id: str, states: Sequence[str] = ("waiting",)
) -> list[JudgedItem]:
    begun_on = exists().where(
        assignments.c.review_id == reviews.c.id,
        or_(
            assignments.c.state == "vote",
            assignments.c.state.in_(("released", "expired")) & assignments.c.draft_id.is_not(None),
        ),
    )
    query = (
        select(
            items.c.id,
            items.c.attempt,
            items.c.pilot,
            reviews.c.id.label("review_id"),
            reviews.c.candidates,
        )
        .join(reviews, (reviews.c.item_id == items.c.id) & (reviews.c.attempt == items.c.attempt))
        .where(
            items.c.run_id == run_id,
            items.c.state == "waiting",
            items.c.carried.is_(None),
            reviews.c.state.in_(states),
            reviews.c.kind == "interrupt",
            reviews.c.leased.is_(False),
            reviews.c.prefer_actor.is_(None),
            ~begun_on,
        )
    )
    return [
        JudgedItem(
            row.id,
            row.attempt,
            "waiting",
            bool(row.pilot),
            review_id=row.review_id,
            shown=tuple(row.candidates),
        )
        for row in connection.execute(query)
        if row.candidates
    ]


def _accepted_unseen(connection: Connection, run_id: str) -> list[JudgedItem]:
    query = (
        select(
            items.c.id,
            items.c.attempt,
            items.c.pilot,
            records.c.id.label("record_id"),
            records.c.chosen_id,
            records.c.label,
            records.c.shown,
        )
        .join(records, records.c.item_id == items.c.id)
        .where(
            items.c.run_id == run_id,
            items.c.state == "accepted",
            items.c.carried.is_(None),
            records.c.superseded_at.is_(None),
            records.c.decision_id.is_(None),
        )
    )
    return [
        JudgedItem(
            row.id,
            row.attempt,
            "accepted",
            bool(row.pilot),
            row.record_id,
            row.chosen_id,
            row.label,
            shown=tuple(row.shown),
        )
        for row in connection.execute(query)
        if row.shown
    ]


def chosen_of(
    connection: Connection, wanted: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], tuple[str | None, str | None, str | None]]:
    """The candidate that the record of an attempt chose, the label that it gave, and the certificate that it was
    accepted under, by (item, attempt); superseded records too.
    """
    chosen: dict[tuple[str, int], tuple[str | None, str | None, str | None]] = {}
    ids = sorted({item_id for item_id, _ in wanted})
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        names = ("item_id", "attempt", "chosen_id", "label", "certificate_id")
        query = select(*(records.c[name] for name in names)).where(records.c.item_id.in_(part))
        for item_id, attempt, *choice in connection.execute(query):
            chosen[item_id, attempt] = tuple(choice)
    return chosen
