"""What learning learns from: decided and judged items with their verdicts, and how reliable the people are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from solon.config.sections import ConsensusConfig
from solon.consensus.traits import UNKNOWN, Traits
from solon.consensus.worth import RELIABILITY
from solon.questions import Question
from solon.store.learning import evidence as learning
from solon.store.learning.evidence import Blind, DecidedItem, JudgedItem
from solon.store.reviewing.experts import save_measured
from solon.store.reviewing.known import known_answers
from solon.store.reviewing.review_rows import VOTES
from solon.store.reviewing.voting import find_crowd, merge_votes, who_decides
from solon.store.runs.laws import rubric_of_items
from solon.store.runs.traits import traits_on
from solon.store.runs.verdicts import against_on, votes_on

if TYPE_CHECKING:
    from solon.config.sections import ReviewersConfig
    from solon.consensus.learn import Decision
    from solon.consensus.model import ConsensusModel
    from solon.consensus.panel import Vote
    from solon.consensus.reviewers import Reviewer
    from solon.consensus.target import Target
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow

MEASURED = 5
"""Overlapped answers from which an expert's own agreement with others says more than the assumption."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of decided and judged items.

    Attributes:
        usable: decisions that may be learned from.
        judged: items of the run whose panel has spoken.
        votes: item -> the panel's votes.
        against: item -> what critics hold against each outcome.
        answers: question -> person -> blind answer, in the order they were given.
        reliability: of people, in [0, 1].
        by_votes: of decisions that votes made: what the votes say without the panel.
        final: people whose decision is final.
        ruled: questions on which a lead ruled.
        traits: decided item -> what else is known of it.
        beside: what reliability may follow from besides the votes, as configured.
        rubric: weight by criterion of the rubric that judges score by.
    """

    usable: list[DecidedItem]
    judged: list[JudgedItem]
    votes: dict[str, tuple[Vote, ...]]
    against: dict[str, dict[str, float]]
    answers: dict[str, dict[str, str]]
    reliability: dict[str, float]
    by_votes: dict[str, float]
    final: frozenset[str]
    ruled: frozenset[str]
    traits: dict[str, Traits] = field(default_factory=dict)
    beside: ConsensusConfig = field(default_factory=ConsensusConfig)
    rubric: dict[str, float] = field(default_factory=dict)

    @property
    def seen(self) -> list[DecidedItem]:
        """The usable decisions of the half that teaches amendments; the learning curve is drawn on it, and tested on
        the other."""
        return [d for d in self.usable if not d.held_out]

    @property
    def is_partial(self) -> bool:
        """Whether judges were not asked about some items, since they could change nothing there. So those that all were
        asked about are the harder ones, but for samples."""
        return any(one.not_asked for one in self.judged)

    def without(self, refused: frozenset[str]) -> Evidence:
        """The same without the votes of voters that are refused."""
        if not refused:
            return self

        def heard(cast: Sequence[Vote]) -> tuple[Vote, ...]:
            return tuple(vote for vote in cast if vote.judge not in refused)

        votes = {item: heard(cast) for item, cast in self.votes.items()}
        judged = [replace(one, votes=heard(one.votes)) for one in self.judged]
        return replace(self, votes=votes, judged=judged)

    def as_decisions(self, decided: Sequence[DecidedItem]) -> list[Decision]:
        """Decisions as the consensus learns from them, each with how reliable it is."""
        from solon.consensus.learn import Decision

        return [
            Decision(
                d.item_id,
                str(d.outcome),
                self.by_votes[d.decision_id]
                if d.actor == VOTES
                else self.reliability.get(d.actor, RELIABILITY),
            )
            for d in decided
        ]


def is_drawn_at_random(decided: DecidedItem) -> bool:
    """Whether the item was of the pilot, or of the random part of a budget, and was answered without a suggestion. Then
    every tier was asked, too."""
    drawn = decided.pilot or (decided.inclusion is not None and decided.inclusion < 1.0)
    return drawn and not decided.suggested


def rate_reviewers(store: Store, reviewers: ReviewersConfig) -> dict[str, Reviewer]:
    """Everyone's measured reliability, which is also kept in the store.

    People are measured by blind answers to known questions and beside those of others, never by the panel.
    """
    from solon.consensus.reviewers import pool, rate_people

    with store.connect() as connection:
        said = learning.blind_answers(connection)
        final = final_among(connection, {blind.actor for blind in said}, reviewers)
        right = known_answers(connection)
    rated = pool(
        [
            rate_people(answers_by_question(part), final, golden=right, outcomes=outcomes)
            for outcomes, part in _by_outcomes(said).items()
        ]
    )
    figures = {
        name: {
            "reliability": round(reviewer.reliability, 4),
            "n": reviewer.n,
            "low": round(reviewer.interval[0], 4),
            "high": round(reviewer.interval[1], 4),
        }
        for name, reviewer in rated.items()
        if reviewer.n
    }
    with store.transaction() as connection:
        save_measured(connection, figures)
    return rated


def _by_outcomes(said: Sequence[Blind]) -> dict[int, list[Blind]]:
    """Answers by how many outcomes their questions have, since two who guess agree less often the more there are."""
    by_outcomes: dict[int, list[Blind]] = {}
    for blind in said:
        by_outcomes.setdefault(max(2, len(blind.outcomes)), []).append(blind)
    return by_outcomes


def final_among(connection: Connection, names: Collection[str], reviewers: ReviewersConfig) -> frozenset[str]:
    """Those of the named people whose decision is final."""
    return frozenset(
        name for name, belief in who_decides(connection, names, reviewers).items() if belief.final
    )


def gather(
    connection: Connection,
    run: RunRow,
    scope_runs: Sequence[str],
    usable: list[DecidedItem],
    rated: Mapping[str, Reviewer],
    reviewers: ReviewersConfig,
    question: Question,
    beside: ConsensusConfig | None = None,
) -> Evidence:
    """The evidence for learning: decisions with the verdicts on their items, and what people answered blind.

    Where votes made a decision, what they say without the panel takes its place, since only that can teach
    the panel.

    Args:
        scope_runs: ids of the runs that are learned from.
        usable: decisions that are old enough.
        rated: everyone's measured reliability.
        reviewers: who is proven, and who is not, as configured.
        question: that the runs ask.
        beside: what reliability may follow from besides the votes; None: as it comes.
    """
    judged = learning.judged_items(connection, run.id, question)
    beside = beside or ConsensusConfig()
    known = traits_of(connection, usable, segment=beside.segment, texts=beside.texts)
    votes = {j.item_id: j.votes for j in judged}
    votes |= votes_on(connection, [(d.item_id, d.attempt, d.shown) for d in usable])
    held = against_on(connection, [(d.question, d.shown) for d in usable])
    against = {j.item_id: j.against for j in judged} | {d.item_id: held[d.shown] for d in usable}
    reliability = {
        name: 1.0 if known.proven else known.reliability if known.n >= MEASURED else RELIABILITY
        for name, known in rated.items()
    }
    said_blind = learning.blind_answers(connection)
    crowd = find_crowd(connection, question.outcomes)
    by_votes = _without_panel(usable, said_blind, rated, question.outcomes, crowd)
    own = learning.items_of_runs(connection, scope_runs)
    answers = answers_by_question([blind for blind in said_blind if blind.item_id in own])
    final = final_among(connection, {blind.actor for blind in said_blind}, reviewers)
    ruled = frozenset(question_of(*asked) for asked in learning.ruled_questions(connection, scope_runs))
    rubric = rubric_of_items(connection, run.id)
    weights = rubric.weights() if rubric is not None else {}
    return Evidence(
        usable,
        judged,
        votes,
        against,
        answers,
        reliability,
        by_votes,
        final,
        ruled,
        known,
        beside,
        weights,
    )


def _without_panel(
    usable: Sequence[DecidedItem],
    said_blind: Sequence[Blind],
    rated: Mapping[str, Reviewer],
    outcomes: Sequence[str],
    crowd: ConsensusModel | None,
) -> dict[str, float]:
    """decision -> how sure the votes that made it are of it by themselves, of those that votes made."""
    by_review: dict[str, list[Blind]] = {}
    for blind in said_blind:
        by_review.setdefault(blind.review_id, []).append(blind)
    by_votes: dict[str, float] = {}
    for decision in usable:
        if decision.actor == VOTES:
            weighted_answers = [
                (b.actor, b.outcome, rated[b.actor].reliability)
                for b in by_review.get(decision.review_id, ())
                if b.outcome is not None
            ]
            even = dict.fromkeys(outcomes, 1 / len(outcomes))
            said = merge_votes(even, weighted_answers, crowd)
            by_votes[decision.decision_id] = said.get(str(decision.outcome), 0.0)
    return by_votes


def know_judged(connection: Connection, evidence: Evidence, models: Sequence[ConsensusModel]) -> Evidence:
    """The evidence with what models go by of the judged items besides their votes."""
    return replace(evidence, judged=with_traits(connection, evidence.judged, models))


def with_traits(
    connection: Connection, judged: Sequence[JudgedItem], models: Sequence[ConsensusModel]
) -> list[JudgedItem]:
    """Judged items with what models go by besides their votes. There may be many, so their texts are read only where a
    model goes by texts."""
    parts = [part for model in models for part in (model, *model.tiers)]
    segment = next((part.segment for part in parts if part.segments), "")
    texts = any(part.texts for part in parts)
    known = traits_of(connection, judged, segment=segment, texts=texts)
    return [replace(j, traits=known.get(j.item_id, UNKNOWN)) for j in judged]


def traits_of(
    connection: Connection, asked: Sequence[JudgedItem | DecidedItem], *, segment: str, texts: bool
) -> dict[str, Traits]:
    """item -> what is known of it besides the votes, where it is asked about its candidates shown."""
    wanted = [(one.item_id, one.shown) for one in asked]
    by_shown = traits_on(connection, wanted, segment=segment, texts=texts)
    return {one.item_id: by_shown[one.shown] for one in asked if one.shown in by_shown}


def answers_by_question(said: Sequence[Blind]) -> dict[str, dict[str, str]]:
    """question -> person -> answer, in the order in which they were given; each person's first one counts. What
    cannot be read is no answer."""
    answers: dict[str, dict[str, str]] = {}
    for blind in said:
        if blind.outcome is not None:
            asked = question_of(blind.item_id, blind.attempt)
            answers.setdefault(asked, {}).setdefault(blind.actor, blind.outcome)
    return answers


def question_of(item_id: str, attempt: int) -> str:
    """The name of the question that an item put in one attempt."""
    return f"{item_id}:{attempt}"


def outcomes_for(target: Target, sample: Sequence[DecidedItem], evidence: Evidence) -> dict[str, str]:
    """decision -> what the target of a certificate says of its question. Questions that too few have answered
    are left out.

    A lead's ruling stands in for a single expert's decision where one was given.
    """
    if target.experts == 1:
        return {one.decision_id: one.outcome for one in sample if one.outcome is not None}
    outcomes = {}
    for decided in sample:
        question = question_of(decided.item_id, decided.attempt)
        answers = [
            answer for who, answer in evidence.answers.get(question, {}).items() if who in evidence.final
        ]
        ruling = decided.outcome if question in evidence.ruled else None
        outcome = target.outcome(answers, ruling)
        if outcome is not None:
            outcomes[decided.decision_id] = outcome
    return outcomes
