"""Agreement of panel and experts, of experts with each other, and of judges with each other, against the ceiling."""

from __future__ import annotations

import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Floats, Ints
from solon.consensus.binomial import rate_difference
from solon.consensus.ceiling import measure_ceiling
from solon.consensus.panel import ABSTAIN, Vote
from solon.eval.coefficients import Rated, alpha_figure, cohen_figure, fleiss_figure, order_of
from solon.eval.replay.opinions import Opinion, Said, overlaps, read_said
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, mean, nothing, rate
from solon.questions import AcceptQuestion
from solon.store.records import evaluation
from solon.store.reviewing.checks import CheckCounts, count_checks
from solon.store.reviewing.doubts import Doubted, doubted_answers
from solon.store.reviewing.overlaps import DOUBT
from solon.store.reviewing.review_rows import VOTES
from solon.store.reviewing.suggestions import anchored
from solon.store.runs.pilot import drawn_for_strata
from solon.store.runs.throughput import BY_DOUBT
from solon.store.runs.verdicts import scores_on

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.store.database.engine import Connection
    from solon.store.records.evaluation import Answer

PERIODS = 8
"""The course over time is cut into at most so many parts of equally many answers."""
LEAST_IN_A_PERIOD = 5
DRAWN_RULES = ("pilot", "always")
"""Rules that send items to people without looking at the panel first: they speak for all items."""
AUDIT_RULE = "audit"
"""Audits are drawn at random among accepted records, which the panel was sure of: they speak for those."""
ALL, ROUTED = "all", "routed"
"""What answers speak for beside audits: all items, or those that the panel was unsure of."""
UNSURE_RULES = (*BY_DOUBT, "budget", "not_asked")
"""Rules that send an item to people because the panel is unsure; a redraft that comes back to its author, for one, is
sent by none of them."""
NOT_JUDGED = (
    "no item that a person answered blind was judged by two seats; judges are compared on those items alone"
)
NONE_TWICE = "no item was answered by two experts"
NOT_BY_CHANCE = (
    f"{NONE_TWICE}, but for those that were asked again because the panel doubted the first answer, which say nothing "
    "of people"
)
RANDOM_RULES = (*DRAWN_RULES, AUDIT_RULE)
"""Rules under which nobody was asked because the panel was unsure."""


class Pair(BaseModel):
    """Two raters and how far they agree.

    Attributes:
        name: of both.
        agreement: share of the items that both answered on which they say the same.
        kappa: Cohen's kappa of the two.
        same_model: True for two seats of one model, whose agreement says little.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    agreement: Figure
    kappa: Figure
    same_model: bool = False


class Period(BaseModel):
    """Agreement within a part of the time.

    Attributes:
        name: of the part.
        until: time of its last answer.
        agreement: of panel and experts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    until: str
    agreement: Figure


class CeilingFigures(BaseModel):
    """How often two experts agree, and the best that any panel could then agree with one of them.

    Attributes:
        experts_agree: of two experts on one item.
        best_panel: of any panel with one expert.
        items: that two experts or more answered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    experts_agree: Figure
    best_panel: Figure
    items: int


class Criterion(BaseModel):
    """Scores of single answers by one criterion of the rubric, 1 to 5, by the panel and by an expert.

    Attributes:
        within_one: share of the answers on which the two differ by at most one.
        gap: the panel's mean minus the expert's score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    within_one: Figure
    gap: Figure


class Asked(BaseModel):
    """Items or audits that were drawn at random and put to people, each counted once, and what those without an answer
    could hide.

    Whoever answers may leave out what is hard, so that those with an answer may agree with the panel more often than
    all would.

    Attributes:
        asked: how many.
        answered: those of them that have an answer that counts.
        agreed: those of them whose answer, of several the first, agrees.
        at_worst: `agreed` among `asked`: the agreement if all without an answer were disagreements.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    asked: int
    answered: int
    agreed: int
    at_worst: Figure

    @property
    def gaps(self) -> int:
        """Those without an answer that counts."""
        return self.asked - self.answered

    def __str__(self) -> str:
        """What is missing, in words; empty where nothing is."""
        if not self.gaps or self.at_worst.value is None:
            return ""
        return (
            f"each counted once, {self.asked} were asked, {self.answered} have an answer that counts, {self.agreed} "
            f"agree: if the other {self.gaps} were all disagreements it would be {self.agreed} of {self.asked}, "
            f"{self.at_worst.value:.1%}"
        )


class Agreement(SuiteResult):
    """How far panel, experts and judges agree, all from blind answers with an expert's token.

    Attributes:
        panel_expert: share over all reviews, however they came about.
        panel_expert_kappa: Cohen's kappa of the same.
        random: share over items that were drawn among all without looking at the panel, each counted once, by its
            first answer; it speaks for all items. Items drawn for strata beyond the pilot are left out.
        asked: how many of those items were asked and answered, and what the share of them would be at worst.
        audited: the same over items of which an accepted record was drawn; it speaks for those.
        routed: the same over items that were asked about because the panel was unsure.
        expert_expert_alpha: Krippendorff's alpha of experts on the same candidates.
        expert_expert_fleiss: Fleiss' kappa of the same.
        experts: every two experts who answered the same.
        judge_judge_alpha: Krippendorff's alpha of the seats of the panel, on items that people answered.
        judge_judge_fleiss: Fleiss' kappa of the same.
        judges: every two seats that judged the same.
        ceiling: the best that any panel could reach.
        over_time: parts of equally many answers, the oldest first.
        by_rule: agreement of panel and experts by the rule that asked for the review.
        by_reviewer: the same by actor.
        by_domain: the same by the specialty that the seed states.
        by_language: the same by the language that the seed states.
        by_principle: the same by principle that the answer cites.
        by_criterion: single answers that judges and an expert scored on the same criterion.
        anchoring: how much more often an answer is what the panel suggested where the suggestion was seen than where it
            was hidden, of those to whom a half was drawn.
    """

    panel_expert: Figure
    panel_expert_kappa: Figure
    random: Figure
    asked: Asked
    audited: Figure
    routed: Figure
    expert_expert_alpha: Figure
    expert_expert_fleiss: Figure
    experts: tuple[Pair, ...]
    judge_judge_alpha: Figure
    judge_judge_fleiss: Figure
    judges: tuple[Pair, ...]
    ceiling: CeilingFigures
    over_time: tuple[Period, ...]
    by_rule: dict[str, Figure]
    by_reviewer: dict[str, Figure]
    by_domain: dict[str, Figure]
    by_language: dict[str, Figure]
    by_principle: dict[str, Figure]
    by_criterion: dict[str, Criterion]
    anchoring: Figure = nothing("no suggestion was shown to a random half")

    def headline(self) -> dict[str, Figure]:
        """What speaks for all items, what for accepted records, and what people reach among themselves."""
        return {
            "panel and expert agree, on items drawn at random among all": self.random,
            "panel and expert agree, on accepted records drawn for audits": self.audited,
            "two experts agree with each other": self.ceiling.experts_agree,
        }

    def next_step(self) -> str:
        """Whom to ask what, until a certificate can be tried for."""
        if not self.n:
            return ASK_EXPERTS
        if not self.random.known:
            return (
                "have items answered that are drawn at random among all: `solon review serve`; "
                "policies `pilot` and `certified` draw them"
            )
        if not self.ceiling.experts_agree.known:
            return "let a second expert answer some of the same items: `solon review serve`"
        return "try for a certificate: `solon learn`"


def what_of(rule: str) -> str:
    """What answers to questions that a rule asked speak for: `ALL` items, accepted records (`AUDIT_RULE`) or `ROUTED`
    ones; empty where for none of these."""
    if rule in DRAWN_RULES:
        return ALL
    return AUDIT_RULE if rule == AUDIT_RULE else ROUTED if rule in UNSURE_RULES else ""


def first_answers(opinions: Iterable[Opinion], beyond: Set[str]) -> Iterator[tuple[str, Opinion]]:
    """Yield what an item speaks for and the first answer to it, so that an item that several people answered counts
    once.

    Args:
        beyond: items that were drawn for strata, which do not speak for all.
    """
    seen: set[tuple[str, str]] = set()
    for opinion in opinions:
        one = what, item = what_of(opinion.answer.rule), opinion.answer.item_id
        if what and one not in seen and not (what == ALL and item in beyond):
            seen.add(one)
            yield what, opinion


def evaluate(material: Material) -> Agreement:
    """Return the agreement, from counted answers: given with an expert's token, before the votes were shown."""
    with material.store.connect() as connection:
        found = Found(connection, material.run_ids)
        for said in read_said(connection, material.run_ids, settled=material.settled):
            found.add(connection, material, said)
        return found.tell(connection, material)


@dataclass(slots=True)
class _Agreed:
    """Answers with which the panel agrees, and all of them."""

    hits: int = 0
    n: int = 0

    def add(self, agrees: bool) -> None:
        self.hits += agrees
        self.n += 1

    @property
    def figure(self) -> Figure:
        return rate(self.hits, self.n, "no expert answered blind what a panel had judged so")


class Found:
    """What was found of the answers read so far: numbers, some bytes for each."""

    def __init__(self, connection: Connection, run_ids: Collection[str]) -> None:
        self._beyond = drawn_for_strata(connection, run_ids)
        self.answers, self.left_out, self.outcomes = 0, Counter[str](), 2
        self.split: dict[str, dict[str, _Agreed]] = defaultdict(lambda: defaultdict(_Agreed))
        self.best, self.said = array("I"), array("I")
        self.at, self.agrees = array("d"), array("b")
        self.gaps: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self.experts, self.seats = Rated(), Rated()
        self.model_of: dict[str, str] = {}
        self.judges: set[str] = set()
        self.asked = self.all_asked = 0
        self._names: dict[str, int] = {}

    def add(self, connection: Connection, material: Material, said: Said) -> None:
        """Read what people answered about some of the items."""
        kept = {answer.id for answer in said.blind}
        self.answers += len(said.answers)
        self.left_out.update(_why_left_out(answer) for answer in said.answers if answer.id not in kept)
        self.outcomes = max((self.outcomes, *(len(answer.question.outcomes) for answer in said.blind)))
        began = {frozenset(a.shown): a.at for a in reversed(said.blind) if a.outcome is not None}
        for shown, answers in overlaps(said.blind).items():
            self.experts.add(answers, began[shown])
        judged: dict[evaluation.Shown, Opinion] = {}
        for opinion in said.opinions:
            self._hear(opinion)
            judged.setdefault(opinion.answer.what, opinion)
        for what, opinion in first_answers(said.opinions, self._beyond):
            self.split["drawn"][what].add(opinion.agrees)
            self.all_asked += opinion.answer.rule == "always"
        for opinion in judged.values():
            self.seats.add(vote_of_seats(opinion.votes), opinion.answer.at)
        self._compare_scores(connection, said.blind)
        self._count_asked(
            evaluation.asked_questions(
                connection, material.run_ids, "interrupt", DRAWN_RULES, part=said.part
            ),
            said,
        )

    def _count_asked(self, asked: Set[tuple[str, int]], said: Said) -> None:
        """Count items drawn among all, each once; not those answered that no panel judged."""
        judged = {o.answer.item_id for o in said.opinions if o.answer.rule in DRAWN_RULES}
        answered = {answer.item_id for answer in said.blind if answer.rule in DRAWN_RULES}
        self.asked += len((({item for item, _ in asked} - answered) | judged) - self._beyond)

    def _hear(self, opinion: Opinion) -> None:
        answer, agrees = opinion.answer, opinion.agrees
        for by, names in (
            ("rule", (answer.rule,)),
            ("reviewer", (answer.actor,)),
            ("domain", (answer.specialty or "not stated",)),
            ("language", (answer.lang or "not stated",)),
            ("principle", answer.principles),
        ):
            for name in names:
                self.split[by][name].add(agrees)
        self.at.append(answer.at)
        self.agrees.append(agrees)
        for column, outcome in ((self.best, opinion.consensus.best), (self.said, str(answer.outcome))):
            column.append(self._names.setdefault(outcome, len(self._names)))
        self.model_of.update((vote.seat, vote.judge) for vote in opinion.votes)
        self.judges.update(vote.judge for vote in opinion.votes)

    def _compare_scores(self, connection: Connection, blind: Sequence[Answer]) -> None:
        """Note when a person answered, and the panel's mean score minus theirs, by criterion."""
        scored = [a for a in blind if a.scores and isinstance(a.question, AcceptQuestion)]
        given = scores_on(connection, sorted({a.shown[0] for a in scored}))
        for answer in scored:
            for criterion, score in answer.scores.items():
                scores = [one[criterion] for one in given.get(answer.shown[0], ()) if criterion in one]
                if scores:
                    self.gaps[criterion].extend((answer.at, sum(scores) / len(scores) - score))

    def tell(self, connection: Connection, material: Material) -> Agreement:
        """Return the agreement of what was read."""
        half = anchored(connection, material.run_ids)
        checks = count_checks(connection, material.run_ids)
        doubted = doubted_answers(connection, material.run_ids)
        seed, none_twice = material.seed, NOT_BY_CHANCE if doubted else NONE_TWICE
        ceiling = _measure_experts(self.experts, self.outcomes, seed, none_twice)
        drawn, audited, routed = (self.split["drawn"][name] for name in (ALL, AUDIT_RULE, ROUTED))
        gaps = measure_gaps(self.asked, drawn.n, drawn.hits)
        said, judged, order = self.experts.counts(), self.seats.counts(), order_of(self.at)
        return Agreement(
            suite="agreement",
            n=len(self.at),
            panel_expert=_Agreed(sum(self.agrees), len(self.at)).figure,
            panel_expert_kappa=cohen_figure(np.array(self.best)[order], np.array(self.said)[order], seed),
            random=drawn.figure,
            asked=gaps,
            audited=audited.figure,
            routed=routed.figure,
            expert_expert_alpha=alpha_figure(said, seed, none_twice),
            expert_expert_fleiss=fleiss_figure(said, seed, none_twice),
            experts=_pairs(self.experts, seed),
            judge_judge_alpha=alpha_figure(judged, seed, NOT_JUDGED),
            judge_judge_fleiss=fleiss_figure(judged, seed, NOT_JUDGED),
            judges=_pairs(self.seats, seed, self.model_of),
            ceiling=ceiling,
            over_time=_over_time(np.array(self.at), np.array(self.agrees)),
            by_rule=self._by("rule"),
            by_reviewer=self._by("reviewer"),
            by_domain=self._by("domain"),
            by_language=self._by("language"),
            by_principle=self._by("principle"),
            by_criterion={name: _criterion(gaps, seed) for name, gaps in sorted(self.gaps.items())},
            anchoring=_anchoring(half[True], half[False]),
            notes=(
                *_tell_gaps(gaps),
                *_tell_all_asked(self.all_asked, drawn.n),
                *_tell_left_out(self.left_out, self.answers),
                *self._notes(routed.n, none_twice if not ceiling.items else ""),
                *_tell_anchoring(half[True], half[False]),
                *_tell_checks(checks),
                *_tell_doubts(doubted),
            ),
        )

    def _by(self, what: str) -> dict[str, Figure]:
        return {name: agreed.figure for name, agreed in sorted(self.split[what].items())}

    def _notes(self, routed: int, none_twice: str) -> Iterator[str]:
        if routed and len(self.at) > routed:
            yield (
                "`routed` items were sent to people because the panel was unsure: only `random` speaks for all items, "
                "and `audited` for the accepted ones"
            )
        if self.at and none_twice:
            yield f"{none_twice}: the ceiling is unknown, and so is what a panel could reach"
        if len(self.judges) == 1:
            yield "all judges are one model: their agreement with each other says little"


def measure_experts(blind: Sequence[Answer], seed: int = 0, none_twice: str = NONE_TWICE) -> CeilingFigures:
    """Return how often experts agree with each other, from counted answers, and what that leaves to any panel.

    Args:
        none_twice: why there is no figure where no question has two answers.
    """
    experts, outcomes = Rated(), max((2, *(len(answer.question.outcomes) for answer in blind)))
    for answers in overlaps(blind).values():
        experts.add(answers)
    return _measure_experts(experts, outcomes, seed, none_twice)


def _measure_experts(experts: Rated, outcomes: int, seed: int, none_twice: str) -> CeilingFigures:
    ceiling = measure_ceiling(experts.each(), outcomes=outcomes, seed=seed)
    return CeilingFigures(
        experts_agree=_bounded(ceiling.agreement, ceiling.interval, ceiling.pairs, none_twice),
        best_panel=_bounded(ceiling.single, ceiling.single_interval, ceiling.pairs, none_twice),
        items=ceiling.items,
    )


def measure_gaps(asked: int, answered: int, agreed: int) -> Asked:
    """Return how many have no answer, and what agreement would be with those as disagreements."""
    at_worst = rate(agreed, asked, "no question was drawn at random")
    return Asked(asked=asked, answered=answered, agreed=agreed, at_worst=at_worst)


def _tell_gaps(asked: Asked) -> tuple[str, ...]:
    return (f"of the items drawn at random among all, {asked}",) if str(asked) else ()


def _tell_all_asked(always: int, drawn: int) -> tuple[str, ...]:
    if not always:
        return ()
    return (
        f"{always} of the {drawn} items drawn at random are of runs in which people are asked "
        "about every item: there each is drawn, and no record needs a promise",
    )


def _anchoring(seen: Sequence[bool], hidden: Sequence[bool]) -> Figure:
    found = rate_difference(sum(seen), len(seen), sum(hidden), len(hidden))
    if found is None:
        return nothing("no suggestion was shown to a random half")
    value, low, high = found
    return Figure(value=value, low=low, high=high, n=len(seen) + len(hidden))


def _tell_anchoring(seen: Sequence[bool], hidden: Sequence[bool]) -> tuple[str, ...]:
    moved = _anchoring(seen, hidden)
    if not moved.known or moved.value is None:
        return ()
    return (
        f"the panel's suggestion moves people by {moved.value:+.3f} (95% {moved.low:+.3f} to {moved.high:+.3f}): "
        f"{sum(seen)} of {len(seen)} answers are what it suggested where it was seen, {sum(hidden)} of {len(hidden)} "
        "where it was hidden, each half drawn",
    )


def _tell_checks(counts: CheckCounts) -> tuple[str, ...]:
    if not counts.checked:
        return ()
    return (
        f"a model read {counts.checked} answers before they were sent: it remarked on {counts.remarked}, and "
        f"{counts.changed} were changed after it; what was answered before is what is counted here",
    )


def _tell_doubts(doubted: Sequence[Doubted]) -> tuple[str, ...]:
    if not doubted:
        return ()
    alone = sum(one.same_person for one in doubted)
    return (
        f"{len(doubted)} answers that the panel doubted were asked again ({alone} of the same person): "
        f"{sum(one.stayed for one in doubted)} were confirmed, {sum(one.with_panel for one in doubted)} then went with "
        "the panel; no chance chose them, so that the first answers are what is counted here",
    )


def _bounded(value: float | None, interval: tuple[float, float], n: int, why: str) -> Figure:
    if value is None:
        return nothing(why)
    return Figure(value=value, low=interval[0], high=interval[1], n=n)


def _criterion(timed: array[float], seed: int) -> Criterion:
    """Of times and gaps, one of each after the other."""
    gaps = np.array(timed[1::2])[order_of(timed[::2])]
    return Criterion(within_one=rate(int((abs(gaps) <= 1).sum()), len(gaps)), gap=mean(gaps, seed))


def _over_time(at: Floats, agrees: Ints) -> tuple[Period, ...]:
    """The course of agreement, in parts of equally many answers."""
    order, n = order_of(at), len(at)
    parts = max(1, min(PERIODS, n // LEAST_IN_A_PERIOD))
    periods = []
    for i in range(parts if n else 0):
        part = order[i * n // parts : (i + 1) * n // parts]
        until = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at[part[-1]]))
        agreed = _Agreed(int(agrees[part].sum()), len(part))
        periods.append(Period(name=f"part {i + 1}", until=until, agreement=agreed.figure))
    return tuple(periods)


def _pairs(rated: Rated, seed: int, model_of: Mapping[str, str] | None = None) -> tuple[Pair, ...]:
    """Each two raters. `model_of`: the models of seats; people have none."""
    return tuple(
        Pair(
            name=f"{a} / {b}",
            agreement=rate(int((first == second).sum()), len(first)),
            kappa=cohen_figure(first, second, seed),
            same_model=model_of is not None and model_of[a] == model_of[b],
        )
        for a, b, first, second in rated.pairs()
    )


def vote_of_seats(votes: Sequence[Vote]) -> dict[str, str]:
    """Return the one vote of each seat, by what most of its orders and samples said: these are no independent
    raters.
    """
    cast: dict[str, Counter[str]] = {}
    for vote in votes:
        if vote.outcome != ABSTAIN and vote.judge != "resolver":
            cast.setdefault(vote.seat, Counter())[vote.outcome] += 1
    voted = {}
    for seat, counts in cast.items():
        (first, most), *rest = counts.most_common(2)
        voted[seat] = "tie" if rest and rest[0][1] == most else first
    return voted


def _tell_left_out(reasons: Counter[str], answers: int) -> tuple[str, ...]:
    """How many answers do not count, by why."""
    if not reasons:
        return ()
    told = "; ".join(f"{n} {why}" for why, n in reasons.most_common())
    return (f"{reasons.total()} of {answers} answers do not count: {told}",)


def _why_left_out(answer: evaluation.Answer) -> str:
    if answer.counts:
        return "given again by the same person"
    if answer.rule == DOUBT:
        return "to questions that were asked again because the panel doubted the first answer"
    if answer.channel == "adjudication":
        return "given by a lead who settled what people differed on"
    if answer.actor == VOTES:
        return "made by votes"
    return "given without an expert's token, or after the votes were shown"
