"""The sample that a certificate is tested on: random questions in the order of the draw, none left out, looked at when
a planned number of them is answered.

Who answers may choose what to answer: skip what is hard, know one field only, take an answer back once the
panel's is known. So what is missing is not missing at random, and the questions that were answered agree with
the panel more often than all would. Therefore a question that was passed over, since others drawn after it
are answered, counts as disagreement until it is answered too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from solon.consensus.looks import Look, part_of, plan_look
from solon.consensus.target import NOBODYS
from solon.learning.evidence import Evidence, outcomes_for, traits_of
from solon.learning.strata import Strata, StratumSample, read_strata
from solon.store.learning import evidence as learning
from solon.store.learning.evidence import DecidedItem
from solon.store.reviewing.drawn_questions import DrawnQuestion, drawn_questions
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs.interactive import is_interactive
from solon.store.runs.pilot import count_items, drawn_at_first, pilot_in_order
from solon.store.runs.verdicts import against_on, votes_on

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig
    from solon.consensus.target import Target
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

UNDER_WAY = ("queued", "running")
"""States of items that may yet put a question to people."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The decisions that a certificate is tested on.

    Attributes:
        decisions: one for each group, in the order of the draw; then what a budget chose for certain.
        outcomes: decision -> what the target says of it.
        passed_over: how many of them have no answer.
        evidence: with the verdicts on those too.
        look: the planned look that it is for.
        missing: questions that must be answered before that look; 0 where it may be taken.
        unanswered: questions of it without an answer, those that were passed over among them.
        drawn: all of its questions are drawn.
        strata: samples of the strata that may be promised something of their own, by the same rules.
        unpromised: stratum -> how many items it has, of those with too few; under the empty name those without one.
        further: questions that were drawn for strata beyond it.
    """

    decisions: list[DecidedItem]
    outcomes: dict[str, str]
    passed_over: int
    evidence: Evidence
    look: Look
    missing: int = 0
    unanswered: int = 0
    drawn: bool = True
    strata: tuple[StratumSample, ...] = ()
    unpromised: Mapping[str, int] = field(default_factory=dict)
    further: int = 0

    @property
    def every(self) -> list[DecidedItem]:
        """Its decisions, and then those that are in samples of strata alone."""
        others = {d.item_id: d for stratum in self.strata for d in stratum.decisions}
        for own in self.decisions:
            others.pop(own.item_id, None)
        return [*self.decisions, *others.values()]

    @property
    def answered(self) -> int:
        """How many of them have an answer."""
        return len(self.decisions) - self.passed_over


def draw_sample(
    connection: Connection,
    run: RunRow,
    evidence: Evidence,
    target: Target,
    routing: RoutingConfig,
    *,
    delta: float,
    looked: int,
    idle: int = 0,
    fresh: Collection[str] = (),
) -> Sample:
    """The decisions of proven people on questions that were drawn at random, each with its probability, cut to the size
    of the next planned look.

    Of the items of one group the first that was drawn stands for all, since they are not independent; its
    probability is that of the group shared among its items. What a budget chose for certain joins only once
    all of it is answered: answered in the order of its value, a part of it would be no sample of anything.

    Args:
        delta: probability of error that all looks together may spend.
        looked: how many planned looks are over.
        idle: how many of them tested nothing.
        fresh: items whose newest decision is not learned from yet.
    """
    own = [d for d in evidence.usable if d.run_id == run.id and d.actor != VOTES and not d.suggested]
    outcomes = outcomes_for(target, own, evidence)
    answered = {d.item_id: d for d in own if d.decision_id in outcomes}
    asked = [q for q in drawn_questions(connection, run.id) if q.asked >= target.experts]
    questions, strata = asked, Strata()
    if routing.policy == "budget":  # its size follows from the budget, and all that it drew is there at once
        look, to_come, undrawn = Look(looked, len(questions), part_of(looked - idle) * delta), 0, 0
    else:
        look = plan_look(
            drawn_at_first(connection, run.id, routing, grows=is_interactive(run)), looked, delta, idle=idle
        )
        pilot = pilot_in_order(connection, run.id)[: look.size]
        within = {item for item, _ in pilot}
        questions = [q for q in asked if q.item_id in within]
        most = look.size if is_interactive(run) else min(look.size, count_items(connection, run.id))
        strata = read_strata(connection, run.id, routing.strata, within)
        undrawn, to_come = most - len(pilot), sum(state in UNDER_WAY for _, state in pilot)
        to_come += sum(state in UNDER_WAY for state in strata.further.values())
    parts = {name: strata.questions_of(name, asked) for name in strata.samples}
    ours = {q.item_id for q in questions}.union(*({q.item_id for q in part} for part in parts.values()))
    unreached = _unreached(questions, answered)
    for part in parts.values():
        unreached |= _unreached(part, answered) & strata.further.keys()
    waiting = unreached | (ours & set(fresh))
    chosen = _one_of_each_group(_reached(questions, answered), run.id, answered)
    samples = tuple(
        StratumSample(name, strata.sizes[name], _one_of_each_group(part, run.id, answered))
        for name, part in parts.items()
    )
    passed_over = [d for d in chosen if d.decision_id not in outcomes]
    if not learning.random_part_waits(connection, run.id):
        chosen += [d for d in answered.values() if d.inclusion == 1.0]
    found = Sample(
        chosen,
        {},
        len(passed_over),
        evidence,
        look,
        missing=undrawn + to_come + len(waiting),
        unanswered=undrawn + to_come + sum(name not in answered for name in ours),
        drawn=undrawn <= 0,
        strata=samples,
        unpromised=strata.unpromised,
        further=len(strata.further),
    )
    every = found.every
    gaps = [d for d in every if d.decision_id not in outcomes]
    return replace(
        found,
        outcomes={d.decision_id: outcomes.get(d.decision_id, NOBODYS) for d in every},
        evidence=_with_votes(connection, evidence, gaps),
    )


def _reached(questions: Sequence[DrawnQuestion], answered: Collection[str]) -> list[DrawnQuestion]:
    """Questions up to the last answered one."""
    places = [place for place, question in enumerate(questions) if question.item_id in answered]
    return list(questions[: places[-1] + 1]) if places else []


def _unreached(questions: Sequence[DrawnQuestion], answered: Collection[str]) -> set[str]:
    """The items of the questions after the last answered one."""
    return {question.item_id for question in questions[len(_reached(questions, answered)) :]}


def _one_of_each_group(
    questions: Sequence[DrawnQuestion], run_id: str, answered: Mapping[str, DecidedItem]
) -> list[DecidedItem]:
    """The decisions on the questions that were drawn first of their groups."""
    first: dict[str, DrawnQuestion] = {}
    for question in questions:
        first.setdefault(question.group, question)
    return [_decided(question, run_id, answered) for question in first.values()]


def _decided(question: DrawnQuestion, run_id: str, answered: Mapping[str, DecidedItem]) -> DecidedItem:
    """The decision on a question, or one that nobody made, with how likely it came to stand for its group."""
    chance = 1.0 if question.pilot else question.chance  # in the pilot all alike
    chance *= _shared(question.chance, question.size)
    decision = answered.get(question.item_id)
    if decision is not None:
        return replace(decision, inclusion=chance)
    return DecidedItem(
        question=question.question,
        decision_id=f"{question.item_id}: passed over",
        item_id=question.item_id,
        attempt=question.attempt,
        shown=question.shown,
        choice="",
        candidate_id=None,
        actor="",
        decided_at=0.0,
        held_out=False,
        pilot=question.pilot,
        kind="interrupt",
        run_id=run_id,
        inclusion=chance,
        group=question.group,
    )


def _shared(chance: float, size: int) -> float:
    """How much less likely an item stands for its group than it is drawn: 1 where it has no others beside it."""
    return (1.0 - (1.0 - chance) ** size) / size / chance if size > 1 else 1.0


def _with_votes(connection: Connection, evidence: Evidence, missing: Sequence[DecidedItem]) -> Evidence:
    votes = votes_on(connection, [(d.item_id, d.attempt, d.shown) for d in missing])
    held = against_on(connection, [(d.question, d.shown) for d in missing])
    return replace(
        evidence,
        votes=evidence.votes | votes,
        against=evidence.against | {d.item_id: held[d.shown] for d in missing},
        traits=evidence.traits
        | traits_of(connection, missing, segment=evidence.beside.segment, texts=evidence.beside.texts),
    )
