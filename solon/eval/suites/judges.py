"""Each judge against the project's own decisions: accuracy, calibration, cost, and its leanings.

Leanings are by order, by length, by style and towards its own family of models.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.config.sections import family_of
from solon.consensus.ballots import Floats
from solon.consensus.calibrate import measure_brier, measure_ece
from solon.consensus.panel import ABSTAIN
from solon.eval.replay.opinions import counted
from solon.eval.replay.winning import Duels, WinRate, measure_wins
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, calibration_interval, mean, nothing, rate
from solon.eval.writing import count_marks
from solon.formats.records import plain_model
from solon.questions import LABELLED, PAIR, leaning
from solon.store.records import evaluation
from solon.store.records.evaluation import Answer, CandidateText, PaidVote, Shown
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
        model: that speaks from it; where several held the seat, all of them, the oldest first.
        family: of the model, or of each.
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
        models: that sit there.
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

    models: dict[str, None] = field(default_factory=dict)
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
        self.models[vote.judge] = None
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
    """Return how every seat of the runs' panels does against the experts' counted decisions.

    It reads a part of the items after the other, and holds numbers of what it has read: some bytes for each pair that
    has two authors, and for each that experts decided.
    """
    tallies: dict[str, _Tally] = {}
    n, decided = 0, False
    with material.store.connect() as connection:
        families = runs.told_families(connection, material.runs)
        for part in evaluation.parts_of_runs(connection, material.run_ids):
            about: dict[str, Any] = {"settled": material.settled, "part": part}
            answers = counted(evaluation.answers(connection, material.run_ids, **about))
            gold, labels = _gold(answers), _gold_labels(answers)
            seats = _read_seats(
                evaluation.paid_votes(connection, material.run_ids, **about), {*gold, *labels}
            )
            written = _written(evaluation.candidate_texts(connection, material.run_ids, part), families)
            for name, seat in seats.items():
                tallies.setdefault(name, _Tally()).add(seat, families, gold, labels, written)
            judged = {shown for seat in seats.values() for shown in (*seat.sides, *seat.labels)}
            n += len(judged & {*gold, *labels})
            decided = decided or bool(gold or labels)
        missing = tell_not_asked(connection, material.run_ids)
    measured = tuple(_judge(name, tally, material.seed) for name, tally in sorted(tallies.items()))
    notes = [missing] if missing else []
    notes += ["no decision counts yet: accuracy and calibration are unknown"] if not decided else []
    notes += [
        f"{judge.name} ({judge.model}) judged {judge.own_family} pairs in which one answer is of its own family: "
        "a judge should not judge its own family"
        for judge in measured
        if judge.own_family
    ]
    notes += [
        f"{judge.name} was held by several models ({judge.model}): its figures are of all of them together"
        for judge in measured
        if len(tallies[judge.name].models) > 1
    ]
    if len({judge.model for judge in measured}) == 1 and len(measured) > 1:
        notes.append("all seats are one model: count them as one voter")
    return Judges(suite="judges", n=n, judges=measured, notes=tuple(notes))


def _written(texts: Iterable[CandidateText], families: Mapping[str, str]) -> dict[str, Written]:
    return {
        text.id: Written(
            text.author, family_of(text.author, families), len(text.body), count_marks(text.body)
        )
        for text in texts
    }


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
        seat = seats.setdefault(vote.seat, _Seat())
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


class _Leaning:
    """A judge's share for one side, of pairs in which the answers differ in something, and its gaps to the experts'."""

    def __init__(self) -> None:
        self.n, self.hits, self.gaps = 0, 0.0, array("d")

    def add(self, seat: _Seat, gold: Mapping[Shown, float], side: Mapping[Shown, float]) -> None:
        """Count pairs: `side` is 1 where the first answer has it, 0 where the second has."""
        for shown, value in side.items():
            share = 1.0 - abs(seat.sides[shown] - value)
            self.n += 1
            self.hits += share
            if shown in gold:
                self.gaps.append(share - (1.0 - abs(gold[shown] - value)))

    def share(self) -> Figure:
        return rate(self.hits, self.n, "no pair differs in this")

    def bias(self, seed: int) -> Figure:
        """The judge's share minus the experts', pair by pair."""
        if len(self.gaps) < 2:
            return nothing("fewer than two decided pairs differ in this", len(self.gaps), low=-1.0)
        return mean(self.gaps, seed)


@dataclass(slots=True)
class _Tally:
    """What one seat said in all parts that were read, in numbers.

    Attributes:
        models: that sat there, the oldest first -> family.
        counts: of its verdicts, as `_Seat` has them; `both` pairs seen in both orders, of which `changed`; `decided`
            votes that were paid for on what experts decided, of which `priced` at `cost` for `tokens`.
        right: how far it was right, of what experts decided.
        said: probability of the first outcome, where experts decided on it.
        hit: how far it was right there.
    """

    models: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0
    right: array[float] = field(default_factory=lambda: array("d"))
    said: array[float] = field(default_factory=lambda: array("d"))
    hit: array[float] = field(default_factory=lambda: array("d"))
    own: _Leaning = field(default_factory=_Leaning)
    longer: _Leaning = field(default_factory=_Leaning)
    marked: _Leaning = field(default_factory=_Leaning)
    duels: Duels = field(default_factory=Duels)

    def add(
        self,
        seat: _Seat,
        families: Mapping[str, str],
        gold: Mapping[Shown, float],
        labels: Mapping[Shown, str],
        written: Mapping[str, Written],
    ) -> None:
        """Count what it said in one part.

        Args:
            families: that the configurations state of models.
            gold: the experts' share for the first candidate, 1 or 0.
            labels: the experts' labels.
            written: the candidates.
        """
        models = {model: family_of(model, families) for model in seat.models}
        self.models.update(models)
        right = {shown: 1.0 - abs(side - gold[shown]) for shown, side in seat.sides.items() if shown in gold}
        said = [shown for shown in seat.said if shown in gold]
        self.said.extend(seat.said[shown] for shown in said)
        self.hit.extend(right[shown] for shown in said)
        right |= {
            shown: float(label == labels[shown]) for shown, label in seat.labels.items() if shown in labels
        }
        self.right.extend(right.values())
        first, second = seat.by_order["AB"], seat.by_order["BA"]
        both = [outcome != second[shown] for shown, outcome in first.items() if shown in second]
        decided = [paid for paid in seat.decided if paid.call_id and paid.what in right]
        costs = [paid.cost for paid in decided if paid.cost is not None]
        self.cost += sum(costs)
        self.counts.update(
            verdicts=seat.verdicts,
            abstained=seat.abstained,
            sided=seat.sided,
            first=seat.first,
            both=len(both),
            changed=sum(both),
            decided=len(decided),
            priced=len(costs),
            tokens=sum(paid.tokens for paid in decided),
        )
        self._add_leanings(seat, set(models.values()), gold, written)

    def _add_leanings(
        self,
        seat: _Seat,
        families: Collection[str],
        gold: Mapping[Shown, float],
        written: Mapping[str, Written],
    ) -> None:
        own = {
            shown: side for shown in seat.sides if (side := _own_side(shown, written, families)) is not None
        }
        self.own.add(seat, gold, own)
        self.longer.add(seat, gold, _compare(seat, written, lambda one: one.length))
        self.marked.add(seat, gold, _compare(seat, written, lambda one: one.marks))
        for shown, side in seat.sides.items():
            if PAIR.fits(shown[2]) and all(c in written for c in shown[2]):
                a, b = (written[c] for c in shown[2])
                if a.author != b.author:
                    self.duels.add(a.author, b.author, (a.length, b.length), side)


def _judge(name: str, tally: _Tally, seed: int) -> Judge:
    of, hits = tally.counts, sum(tally.right)
    priced = hits and of["priced"] and of["priced"] == of["decided"]
    return Judge(
        name=name,
        model=", ".join(dict.fromkeys(map(plain_model, tally.models))),
        family=", ".join(dict.fromkeys(tally.models.values())),
        verdicts=of["verdicts"],
        accuracy=rate(hits, len(tally.right), "no expert decided what it judged"),
        flips=rate(of["changed"], of["both"], "it saw no pair in both orders"),
        first_shown=rate(of["first"], of["sided"], "it saw no pair"),
        abstained=rate(of["abstained"], of["verdicts"]),
        prefers_longer=tally.longer.share(),
        length_bias=tally.longer.bias(seed),
        prefers_marked=tally.marked.share(),
        style_bias=tally.marked.bias(seed),
        own_family=tally.own.n,
        self_preference=tally.own.bias(seed),
        wins=measure_wins(tally.duels, seed),
        **_calibration(np.asarray(tally.said), np.asarray(tally.hit), seed),
        cost_per_correct=tally.cost / hits if priced else None,
        tokens_per_correct=of["tokens"] / hits if hits and of["decided"] else None,
    )


def _own_side(shown: Shown, written: Mapping[str, Written], families: Collection[str]) -> float | None:
    """1 where only the first candidate is of one of these families, 0 where only the second is."""
    if not PAIR.fits(shown[2]) or any(c not in written for c in shown[2]):
        return None
    a, b = (written[c].family in families for c in shown[2])
    return None if a == b else float(a)


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


def _calibration(p: Floats, right: Floats, seed: int) -> dict[str, Any]:
    """ECE and Brier score with their intervals, and the reliability; None where nothing was decided.

    Args:
        p: probability of the first outcome that the judge gave.
        right: how far it was right.
    """
    if not len(p):
        return {**dict.fromkeys(("ece", "ece_interval", "brier", "brier_interval")), "reliability": ()}
    confidence = np.maximum(p, 1.0 - p)
    edges = np.unique(np.quantile(confidence, np.linspace(0.0, 1.0, min(BINS, max(1, len(p) // 5)) + 1)))
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
