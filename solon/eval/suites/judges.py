"""Each judge against the project's own decisions: accuracy, calibration, cost, and its leanings.

Leanings are by order, by length, by style and towards its own family of models.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.config.sections import family_of
from solon.consensus.calibrate import measure_brier, measure_ece
from solon.consensus.panel import ABSTAIN
from solon.eval.replay.opinions import counted
from solon.eval.replay.winning import Duel, WinRate, measure_wins
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, calibration_interval, mean, nothing, rate
from solon.eval.writing import count_marks
from solon.formats.records import plain_model
from solon.questions import LABELLED, PAIR, leaning
from solon.store.records import evaluation
from solon.store.records.evaluation import Answer, PaidVote, Shown
from solon.store.runs import runs
from solon.store.runs.verdicts import tell_not_asked

if TYPE_CHECKING:
    from solon.eval.material import Material

BINS = 10
SHORT = 40
"""Characters of a judge's name in a headline."""


@dataclass(frozen=True, slots=True)
class Written:
    """What bias is measured on: a candidate without its text.

    Attributes:
        author: who wrote it.
        family: model family of the author.
        length: in characters.
        marks: of Markdown.
    """

    author: str
    family: str
    length: int
    marks: int


class Bin(BaseModel):
    """Part of a reliability plot.

    Attributes:
        said: mean probability that the judge gave its own side.
        right: how often it was right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    said: float
    right: Figure


class Judge(BaseModel):
    """One seat of the panel, against the experts. Biases compare it with them on the same pairs; above zero
    it has more of it than they.

    Attributes:
        name: of the seat.
        model: that speaks from it.
        family: of the model.
        verdicts: how many it gave.
        accuracy: share of the experts' preferences that it shares; its ties count one half.
        flips: share of pairs seen in both orders on which it changes sides.
        first_shown: share of its verdicts for the answer shown first; .5 without position bias.
        abstained: share of its verdicts that are abstentions.
        prefers_longer: share of pairs of different length in which it prefers the longer answer.
        length_bias: that share minus the experts', on pairs that both decided.
        prefers_marked: share of pairs in which it prefers the answer with more Markdown.
        style_bias: that share minus the experts', on pairs that both decided.
        own_family: pairs in which exactly one answer is of its own family.
        self_preference: share of these in which it prefers its own family's answer minus the experts'.
        wins: of each author of answers against the others, as it is and at equal length.
        ece: expected calibration error of the probability that it gives its own side, averaged over orders;
            None where nothing was decided. Noise only ever adds to it, so that its interval lies too high
            where pairs are few.
        ece_interval: its bootstrap interval over decided pairs.
        brier: mean squared error of that probability.
        brier_interval: its bootstrap interval over decided pairs.
        reliability: that probability against how often it was right.
        cost_per_correct: of its calls on what experts decided, by its correct verdicts there; what nobody
            decided is in neither. None: prices unknown, or nothing correct.
        tokens_per_correct: the same in tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    model: str
    family: str
    verdicts: int
    accuracy: Figure
    flips: Figure
    first_shown: Figure
    abstained: Figure
    prefers_longer: Figure
    length_bias: Figure
    prefers_marked: Figure
    style_bias: Figure
    own_family: int
    self_preference: Figure
    wins: tuple[WinRate, ...]
    ece: float | None
    ece_interval: tuple[float, float] | None
    brier: float | None
    brier_interval: tuple[float, float] | None
    reliability: tuple[Bin, ...]
    cost_per_correct: float | None
    tokens_per_correct: float | None


class Judges(SuiteResult):
    """Every judge of the runs, against the experts.

    Attributes:
        n: decided pairs and single candidates that judges gave verdicts on.
        judges: one for each seat.
    """

    judges: tuple[Judge, ...]

    def headline(self) -> dict[str, Figure]:
        """Of the judge that agrees with the experts the least; where none was compared, of the first."""
        if not self.judges:
            return {}
        worst = min(
            self.judges, key=lambda judge: (judge.accuracy.value is None, judge.accuracy.value or 0.0)
        )
        name = worst.name if len(worst.name) <= SHORT else f"{worst.name[:SHORT]}..."
        return {
            f"shares the experts' preference, the least of {len(self.judges)} judges ({name})": worst.accuracy,
            "it changes sides with the order": worst.flips,
            "it prefers longer answers, above the experts": worst.length_bias,
        }

    def next_step(self) -> str:
        """Ask experts, or change the judge that knows the least."""
        if not self.n:
            return ASK_EXPERTS
        return "change what is weak in [[judges]] of solon.toml and try it on a few seeds: `solon preview`"


@dataclass(slots=True)
class _Seat:
    """What one seat said, by what was shown.

    Attributes:
        model: that sits there.
        verdicts: how many it gave.
        abstained: of these, how many name no outcome.
        sided: verdicts for one of two sides that it saw in a known order.
        first: of these, those for the side that it saw first.
        by_order: order -> the outcome that it named first, by what was shown.
        decided: its votes on what experts decided.
        sides: share for the first outcome, of pairs and single candidates.
        labels: the label that most of its votes gave; equal ones are left out.
        said: mean probability of the first outcome.
    """

    model: str
    verdicts: int = 0
    abstained: int = 0
    sided: int = 0
    first: int = 0
    by_order: dict[str, dict[Shown, str]] = field(default_factory=lambda: {"AB": {}, "BA": {}})
    decided: list[PaidVote] = field(default_factory=list)
    sides: dict[Shown, float] = field(default_factory=dict)
    labels: dict[Shown, str] = field(default_factory=dict)
    said: dict[Shown, float] = field(default_factory=dict)

    def add(self, paid: PaidVote, what: Shown, *, decided: bool) -> None:
        """Count a vote; of what nobody decided it is not kept, since a run has many."""
        vote = paid.vote
        self.verdicts += 1
        self.abstained += vote.outcome == ABSTAIN
        if PAIR.is_outcome(vote.outcome) and vote.order in self.by_order:
            self.sided += 1
            self.first += (vote.outcome == PAIR.outcomes[0]) == (vote.order == "AB")
            if vote.sample == 0:
                self.by_order[vote.order][what] = sys.intern(vote.outcome)
        if decided:
            self.decided.append(paid)


def evaluate(material: Material) -> Judges:
    """Return how every seat of the runs' panels does against the experts' counted decisions."""
    with material.store.connect() as connection:
        answers = counted(evaluation.answers(connection, material.run_ids, settled=material.settled))
        gold, labels = _gold(answers), _gold_labels(answers)
        votes = evaluation.paid_votes(connection, material.run_ids, settled=material.settled)
        seats = _read_seats(votes, {*gold, *labels})
        families = runs.told_families(connection, material.runs)
        written = {
            text.id: Written(
                sys.intern(text.author),
                sys.intern(family_of(text.author, families)),
                len(text.body),
                count_marks(text.body),
            )
            for text in evaluation.candidate_texts(connection, material.run_ids)
        }
        missing = tell_not_asked(connection, material.run_ids)
    judged = {shown for seat in seats.values() for shown in (*seat.sides, *seat.labels)}
    measured = tuple(
        _judge(name, seat, family_of(seat.model, families), gold, labels, written, material.seed)
        for name, seat in sorted(seats.items())
    )
    notes = [missing] if missing else []
    notes += (
        ["no decision counts yet: accuracy and calibration are unknown"] if not gold and not labels else []
    )
    notes += [
        f"{judge.name} ({judge.model}) judged {judge.own_family} pairs in which one answer is of its own family: "
        "a judge should not judge its own family"
        for judge in measured
        if judge.own_family
    ]
    if len({judge.model for judge in measured}) == 1 and len(measured) > 1:
        notes.append("all seats are one model: count them as one voter")
    return Judges(
        suite="judges",
        n=len(judged & {*gold, *labels}),
        judges=measured,
        notes=tuple(notes),
    )


def _gold(answers: Sequence[Answer]) -> dict[Shown, float]:
    """Share of the experts for the first candidate, where they preferred a side; several experts are averaged."""
    answers_on: dict[Shown, list[float]] = defaultdict(list)
    for answer in answers:
        side = leaning(answer.outcome) if answer.question.is_outcome(answer.outcome) else None
        if side is not None and answer.question.kind != LABELLED:
            answers_on[answer.what].append(side)
    means = {shown: sum(values) / len(values) for shown, values in answers_on.items()}
    return {shown: float(value > 0.5) for shown, value in means.items() if value != 0.5}


def _gold_labels(answers: Sequence[Answer]) -> dict[Shown, str]:
    """The label that most experts gave; where two were given equally often, neither is known to be right."""
    answers_on: dict[Shown, list[str]] = defaultdict(list)
    for answer in answers:
        if answer.question.kind == LABELLED and answer.outcome is not None:
            answers_on[answer.what].append(answer.outcome)
    return {shown: label for shown, given in answers_on.items() if (label := _most(given)) is not None}


def _most(given: Sequence[str]) -> str | None:
    """What was said most often; None where two things were said equally often."""
    (first, most), *rest = Counter(given).most_common(2)
    return None if rest and rest[0][1] == most else first


def _read_seats(votes: Iterable[PaidVote], decided: Collection[Shown]) -> dict[str, _Seat]:
    """Votes by seat. `decided`: what experts decided."""
    seats: dict[str, _Seat] = {}
    sums: dict[str, dict[Shown, _Sums]] = defaultdict(lambda: defaultdict(_Sums))
    labels: dict[str, dict[Shown, list[str]]] = defaultdict(lambda: defaultdict(list))
    known: dict[Shown, Shown] = {}
    for paid in votes:
        vote, what = paid.vote, known.setdefault(paid.what, paid.what)
        seat = seats.setdefault(vote.seat, _Seat(vote.judge))
        seat.add(paid, what, decided=what in decided)
        share = leaning(vote.outcome)
        if share is None and vote.outcome != ABSTAIN:
            labels[vote.seat][what].append(sys.intern(vote.outcome))
        if share is not None:
            sums[vote.seat][what].add(share, vote.p)
    for name, given in labels.items():
        seats[name].labels = {shown: label for shown, all_ in given.items() if (label := _most(all_))}
    for name in list(sums):
        for shown, cast in sums.pop(name).items():
            if cast.told:
                seats[name].said[shown] = cast.p / cast.told
            share = seats[name].said.get(shown, cast.share / cast.n)
            seats[name].sides[shown] = float(share > 0.5) + 0.5 * (share == 0.5)
    return seats


@dataclass(slots=True)
class _Sums:
    """Of the votes of one seat on one thing: their number and shares, and those that tell a probability."""

    n: int = 0
    share: float = 0.0
    told: int = 0
    p: float = 0.0

    def add(self, share: float, p: float | None) -> None:
        self.n += 1
        self.share += share
        if p is not None:
            self.told += 1
            self.p += p


def _judge(
    name: str,
    seat: _Seat,
    family: str,
    gold: Mapping[Shown, float],
    labels: Mapping[Shown, str],
    written: Mapping[str, Written],
    seed: int,
) -> Judge:
    right = {shown: 1.0 - abs(side - gold[shown]) for shown, side in seat.sides.items() if shown in gold}
    right |= {shown: float(said == labels[shown]) for shown, said in seat.labels.items() if shown in labels}
    own = {shown: side for shown in seat.sides if (side := _own_side(shown, written, family)) is not None}
    longer = _compare(seat, written, lambda one: one.length)
    marked = _compare(seat, written, lambda one: one.marks)
    hits = sum(right.values())
    decided = [paid for paid in seat.decided if paid.call_id and paid.what in right]
    costs = [paid.cost for paid in decided]
    known = [cost for cost in costs if cost is not None]
    return Judge(
        name=name,
        model=plain_model(seat.model),
        family=family,
        verdicts=seat.verdicts,
        accuracy=rate(hits, len(right), "no expert decided what it judged"),
        flips=_flips(seat),
        first_shown=rate(seat.first, seat.sided, "it saw no pair"),
        abstained=rate(seat.abstained, seat.verdicts),
        prefers_longer=_share(seat, longer),
        length_bias=_bias(seat, gold, longer, seed),
        prefers_marked=_share(seat, marked),
        style_bias=_bias(seat, gold, marked, seed),
        own_family=len(own),
        self_preference=_bias(seat, gold, own, seed),
        wins=measure_wins(_duels(seat, written), seed),
        **_calibration(seat, gold, seed),
        cost_per_correct=sum(known) / hits if hits and known and len(known) == len(costs) else None,
        tokens_per_correct=sum(paid.tokens for paid in decided) / hits if hits and decided else None,
    )


def _flips(seat: _Seat) -> Figure:
    first, second = seat.by_order["AB"], seat.by_order["BA"]
    both = [outcome != second[shown] for shown, outcome in first.items() if shown in second]
    return rate(sum(both), len(both), "it saw no pair in both orders")


def _own_side(shown: Shown, written: Mapping[str, Written], family: str) -> float | None:
    """1 where only the first candidate is of this family, 0 where only the second is."""
    if not PAIR.fits(shown[2]) or any(c not in written for c in shown[2]):
        return None
    a, b = (written[c].family == family for c in shown[2])
    return None if a == b else float(a)


def _duels(seat: _Seat, written: Mapping[str, Written]) -> list[Duel]:
    """Pairs whose answers have different authors."""
    duels = []
    for shown, side in seat.sides.items():
        if PAIR.fits(shown[2]) and all(c in written for c in shown[2]):
            a, b = (written[c] for c in shown[2])
            if a.author != b.author:
                duels.append(Duel(a.author, b.author, (a.length, b.length), side))
    return duels


def _compare(
    seat: _Seat, written: Mapping[str, Written], measure: Callable[[Written], int]
) -> dict[Shown, float]:
    """1 where the first candidate has more, 0 where the second has; pairs that are even say nothing."""
    sides = {}
    for shown in seat.sides:
        if PAIR.fits(shown[2]) and all(c in written for c in shown[2]):
            a, b = (measure(written[c]) for c in shown[2])
            if a != b:
                sides[shown] = float(a > b)
    return sides


def _share(seat: _Seat, side: Mapping[Shown, float]) -> Figure:
    hits = sum(1.0 - abs(seat.sides[shown] - value) for shown, value in side.items())
    return rate(hits, len(side), "no pair differs in this")


def _bias(seat: _Seat, gold: Mapping[Shown, float], side: Mapping[Shown, float], seed: int) -> Figure:
    """The judge's share for one side minus the experts', pair by pair."""
    gaps = [
        (1.0 - abs(seat.sides[shown] - value)) - (1.0 - abs(gold[shown] - value))
        for shown, value in side.items()
        if shown in gold
    ]
    if len(gaps) < 2:
        return nothing("fewer than two decided pairs differ in this", len(gaps), low=-1.0)
    return mean(gaps, seed)


def _calibration(seat: _Seat, gold: Mapping[Shown, float], seed: int) -> dict[str, Any]:
    """ECE and Brier score with their intervals, and the reliability; None where nothing was decided."""
    known = [shown for shown in seat.said if shown in gold]
    if not known:
        return {**dict.fromkeys(("ece", "ece_interval", "brier", "brier_interval")), "reliability": ()}
    p = np.array([seat.said[shown] for shown in known])
    confidence = np.maximum(p, 1.0 - p)
    right = np.array([1.0 - abs(seat.sides[shown] - gold[shown]) for shown in known])
    edges = np.unique(np.quantile(confidence, np.linspace(0.0, 1.0, min(BINS, max(1, len(known) // 5)) + 1)))
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, max(len(edges) - 2, 0))
    parts = [place == b for b in np.unique(place)]
    bins = tuple(
        Bin(said=float(confidence[part].mean()), right=rate(float(right[part].sum()), int(part.sum())))
        for part in parts
    )
    figures: dict[str, Any] = {"reliability": bins}
    for name, measure in (("ece", measure_ece), ("brier", measure_brier)):
        figures[name] = measure(confidence, right)
        figures[f"{name}_interval"] = calibration_interval(measure, confidence, right, seed)
    return figures
