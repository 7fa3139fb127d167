"""Agreement of panel and experts, of experts with each other, and of judges with each other, against the ceiling."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.consensus.binomial import rate_difference
from solon.consensus.ceiling import measure_ceiling
from solon.consensus.panel import ABSTAIN, Vote
from solon.eval.coefficients import alpha_figure, cohen_figure, fleiss_figure
from solon.eval.replay.opinions import Opinion, counted, opinions_on, overlaps
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, mean, nothing, rate
from solon.questions import AcceptQuestion
from solon.store.records import evaluation
from solon.store.reviewing.checks import CheckCounts, count_checks
from solon.store.reviewing.doubts import Doubted, doubted_answers
from solon.store.reviewing.overlaps import DOUBT
from solon.store.reviewing.review_rows import VOTES
from solon.store.reviewing.suggestions import anchored
from solon.store.runs.verdicts import scores_on

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.store.records.evaluation import Answer

PERIODS = 8
"""The course over time is cut into at most so many parts of equally many answers."""
LEAST_IN_A_PERIOD = 5
DRAWN_RULES = ("pilot", "always")
"""Rules that send items to people without looking at the panel first: they speak for all items."""
AUDIT_RULE = "audit"
"""Audits are drawn at random among accepted records, which the panel was sure of: they speak for those."""
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
    """Questions that were drawn at random and put to people, and what those without an answer could hide.

    Whoever answers may leave out what is hard, so that the questions with an answer may agree with the panel more often
    than all would.

    Attributes:
        asked: how many.
        answered: those that have an answer that counts.
        at_worst: agreement of panel and experts if every question without one were a disagreement.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    asked: int
    answered: int
    at_worst: Figure

    @property
    def gaps(self) -> int:
        """Questions without an answer that counts."""
        return self.asked - self.answered

    def __str__(self) -> str:
        """What is missing, in words; empty where nothing is."""
        if not self.gaps or self.at_worst.value is None:
            return ""
        return (
            f"{self.asked} were asked, {self.answered} have an answer that counts: if the other {self.gaps} were all "
            f"disagreements it would be {self.at_worst.value:.1%}"
        )


class Agreement(SuiteResult):
    """How far panel, experts and judges agree, all from blind answers with an expert's token.

    Attributes:
        panel_expert: share over all reviews, however they came about.
        panel_expert_kappa: Cohen's kappa of the same.
        random: share over reviews that were drawn without looking at the panel; it speaks for all items.
        asked: how many of those were asked and answered, and what the share would be at worst.
        audited: share over reviews that were drawn among accepted records; it speaks for those.
        routed: share over reviews that were asked for because the panel was unsure.
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


def evaluate(material: Material) -> Agreement:
    """Return the agreement, from counted answers: given with an expert's token, before the votes were shown."""
    with material.store.connect() as connection:
        every_answer = evaluation.answers(connection, material.run_ids, settled=material.settled)
        blind = counted(every_answer)
        opinions = opinions_on(connection, blind)
        scored = [a for a in blind if a.scores and isinstance(a.question, AcceptQuestion)]
        half = anchored(connection, material.run_ids)
        checks = count_checks(connection, material.run_ids)
        doubted = doubted_answers(connection, material.run_ids)
        given_scores = scores_on(connection, sorted({a.shown[0] for a in scored}))
        asked = evaluation.asked_questions(connection, material.run_ids, "interrupt", DRAWN_RULES)
    experts = overlaps(blind)
    answers_of = [list(answers.values()) for answers in experts.values()]
    seats = _seats(opinions)
    votes_of = [list(unit.values()) for unit in seats]
    seed = material.seed
    none_twice = NOT_BY_CHANCE if doubted else NONE_TWICE
    ceiling = measure_experts(blind, material.seed, none_twice)
    random = [o for o in opinions if o.answer.rule in DRAWN_RULES]
    audited = [o for o in opinions if o.answer.rule == AUDIT_RULE]
    routed = [o for o in opinions if o.answer.rule not in RANDOM_RULES]
    gaps = _asked(asked, blind, random)
    return Agreement(
        suite="agreement",
        n=len(opinions),
        panel_expert=_agreement(opinions),
        panel_expert_kappa=cohen_figure([(o.consensus.best, str(o.answer.outcome)) for o in opinions], seed),
        random=_agreement(random),
        asked=gaps,
        audited=_agreement(audited),
        routed=_agreement(routed),
        expert_expert_alpha=alpha_figure(answers_of, seed, none_twice),
        expert_expert_fleiss=fleiss_figure(answers_of, seed, none_twice),
        experts=_expert_pairs(experts.values(), seed),
        judge_judge_alpha=alpha_figure(votes_of, seed, NOT_JUDGED),
        judge_judge_fleiss=fleiss_figure(votes_of, seed, NOT_JUDGED),
        judges=_judge_pairs(opinions, seats, seed),
        ceiling=ceiling,
        over_time=_over_time(opinions),
        by_rule=_split(opinions, lambda o: (o.answer.rule,)),
        by_reviewer=_split(opinions, lambda o: (o.answer.actor,)),
        by_domain=_split(opinions, lambda o: (o.answer.specialty or "not stated",)),
        by_language=_split(opinions, lambda o: (o.answer.lang or "not stated",)),
        by_principle=_split(opinions, lambda o: o.answer.principles),
        by_criterion=_by_criterion(scored, given_scores, seed),
        anchoring=_anchoring(half[True], half[False]),
        notes=(
            *_tell_gaps(gaps),
            *_tell_all_asked(random),
            *_tell_left_out(every_answer, blind),
            *_notes(opinions, len(routed), none_twice if not ceiling.items else ""),
            *_tell_anchoring(half[True], half[False]),
            *_tell_checks(checks),
            *_tell_doubts(doubted),
        ),
    )


def measure_experts(blind: Sequence[Answer], seed: int = 0, none_twice: str = NONE_TWICE) -> CeilingFigures:
    """Return how often experts agree with each other, from counted answers, and what that leaves to any panel.

    Args:
        none_twice: why there is no figure where no question has two answers.
    """
    outcomes = max((2, *(len(answer.question.outcomes) for answer in blind)))
    both = [list(answers.values()) for answers in overlaps(blind).values()]
    ceiling = measure_ceiling(both, outcomes=outcomes, seed=seed)
    return CeilingFigures(
        experts_agree=_bounded(ceiling.agreement, ceiling.interval, ceiling.pairs, none_twice),
        best_panel=_bounded(ceiling.single, ceiling.single_interval, ceiling.pairs, none_twice),
        items=ceiling.items,
    )


def _asked(asked: set[tuple[str, int]], blind: Sequence[Answer], random: Sequence[Opinion]) -> Asked:
    answered = {(answer.item_id, answer.attempt) for answer in blind}
    return measure_gaps(asked, answered, sum(opinion.agrees for opinion in random), len(random))


def measure_gaps(asked: set[tuple[str, int]], answered: set[tuple[str, int]], agreed: int, n: int) -> Asked:
    """Return how many of the questions have no answer, and what agreement on `n` answers would be with theirs as
    disagreement.
    """
    gaps = len(asked - answered)
    at_worst = rate(agreed, n + gaps, "no question was drawn at random")
    return Asked(asked=len(asked), answered=len(asked) - gaps, at_worst=at_worst)


def _tell_gaps(asked: Asked) -> tuple[str, ...]:
    return (f"of the questions drawn at random among all items {asked}",) if str(asked) else ()


def _tell_all_asked(random: Sequence[Opinion]) -> tuple[str, ...]:
    n = sum(opinion.answer.rule == "always" for opinion in random)
    if not n:
        return ()
    return (
        f"{n} of the {len(random)} answers on items drawn at random are of runs in which people are asked about every "
        "item: there each is drawn, and no record needs a promise",
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


def _agreement(found: Sequence[Opinion]) -> Figure:
    return rate(
        sum(o.agrees for o in found), len(found), "no expert answered blind what a panel had judged so"
    )


def _bounded(value: float | None, interval: tuple[float, float], n: int, why: str) -> Figure:
    if value is None:
        return nothing(why)
    return Figure(value=value, low=interval[0], high=interval[1], n=n)


def _split(found: Sequence[Opinion], parts: Callable[[Opinion], Iterable[str]]) -> dict[str, Figure]:
    by: dict[str, list[Opinion]] = {}
    for opinion in found:
        for part in parts(opinion):
            by.setdefault(part, []).append(opinion)
    return {name: _agreement(by[name]) for name in sorted(by)}


def _by_criterion(
    answers: Sequence[evaluation.Answer], given: Mapping[str, Sequence[Mapping[str, float]]], seed: int
) -> dict[str, Criterion]:
    gaps: dict[str, list[float]] = {}
    for answer in answers:
        for criterion, score in answer.scores.items():
            scores = [one[criterion] for one in given.get(answer.shown[0], ()) if criterion in one]
            if scores:
                gaps.setdefault(criterion, []).append(sum(scores) / len(scores) - score)
    return {
        name: Criterion(
            within_one=rate(sum(abs(gap) <= 1 for gap in differences), len(differences)),
            gap=mean(differences, seed),
        )
        for name, differences in sorted(gaps.items())
    }


def _over_time(found: Sequence[Opinion]) -> tuple[Period, ...]:
    ordered = sorted(found, key=lambda o: o.answer.at)
    parts = max(1, min(PERIODS, len(ordered) // LEAST_IN_A_PERIOD))
    periods = []
    for i in range(parts if ordered else 0):
        part = ordered[i * len(ordered) // parts : (i + 1) * len(ordered) // parts]
        until = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(part[-1].answer.at))
        periods.append(Period(name=f"part {i + 1}", until=until, agreement=_agreement(part)))
    return tuple(periods)


def _expert_pairs(said: Iterable[dict[str, str]], seed: int) -> tuple[Pair, ...]:
    return tuple(
        Pair(
            name=name, agreement=rate(sum(a == b for a, b in both), len(both)), kappa=cohen_figure(both, seed)
        )
        for name, both in sorted(_by_pair(said).items())
    )


def _by_pair(said: Iterable[dict[str, str]]) -> dict[str, list[tuple[str, str]]]:
    pairs: dict[str, list[tuple[str, str]]] = {}
    for unit in said:
        for a, b in combinations(sorted(unit), 2):
            pairs.setdefault(f"{a} / {b}", []).append((unit[a], unit[b]))
    return pairs


def _seats(found: Sequence[Opinion]) -> list[dict[str, str]]:
    """For each judged item: seat -> what most of its orders and samples said; a tie among them is a tie."""
    return [unit for o in {o.answer.what: o for o in found}.values() if (unit := vote_of_seats(o.votes))]


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


def _judge_pairs(found: Sequence[Opinion], seats: Sequence[dict[str, str]], seed: int) -> tuple[Pair, ...]:
    model_of = {vote.seat: vote.judge for o in found for vote in o.votes}
    pairs = []
    for (a, b), both in sorted(_pairs_of_seats(seats).items()):
        pairs.append(
            Pair(
                name=f"{a} / {b}",
                agreement=rate(sum(x == y for x, y in both), len(both)),
                kappa=cohen_figure(both, seed),
                same_model=model_of[a] == model_of[b],
            )
        )
    return tuple(pairs)


def _pairs_of_seats(seats: Sequence[dict[str, str]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for unit in seats:
        for a, b in combinations(sorted(unit), 2):
            pairs.setdefault((a, b), []).append((unit[a], unit[b]))
    return pairs


def _tell_left_out(every: Sequence[evaluation.Answer], blind: Sequence[evaluation.Answer]) -> tuple[str, ...]:
    """How many answers do not count, by why."""
    kept = {answer.id for answer in blind}
    reasons = Counter(_why_left_out(answer) for answer in every if answer.id not in kept)
    if not reasons:
        return ()
    told = "; ".join(f"{n} {why}" for why, n in reasons.most_common())
    return (f"{reasons.total()} of {len(every)} answers do not count: {told}",)


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


def _notes(found: Sequence[Opinion], routed: int, none_twice: str) -> tuple[str, ...]:
    notes = []
    if routed and len(found) > routed:
        notes.append(
            "`routed` items were sent to people because the panel was unsure: only `random` speaks for all items, and "
            "`audited` for the accepted ones"
        )
    if found and none_twice:
        notes.append(f"{none_twice}: the ceiling is unknown, and so is what a panel could reach")
    if {o.answer.shown for o in found} and len({v.judge for o in found for v in o.votes}) == 1:
        notes.append("all judges are one model: their agreement with each other says little")
    return tuple(notes)
