"""Labels of several people an item: when to stop asking, and whom a lead is shown, on recorded crowds.

`python -m benchmarks.labels_adjudicate --data FOLDER`. Labels arrive in an order drawn for each of ten seeds; the right
answer is known of 50 items drawn at random (or of none), which are not scored. What is believed after some labels is
the package's own: the crowd that learning learns, the votes that routing merges, the rule that settles a review.
Right is scored on the items that are not known; 95% bootstrap intervals over items.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from solon.config.sections import ReviewersConfig
from solon.consensus.crowd import learn_crowd
from solon.consensus.model import ConsensusModel
from solon.consensus.resample import mean_interval, ratio_interval
from solon.consensus.reviewers import rate_people
from solon.learning.crowd import LEAST_KNOWN
from solon.store.reviewing.voting import Tally, Vote, merge_votes

SETS = ("crowd_rte", "crowd_web", "labels_medical_response")
KNOWN = 50
SEEDS = 10
WANTED = 0.95
"""Part of the accuracy of answering all that a lead's answers are to reach."""
BATCH = 20
"""Parts of a set: after each the crowd is learned anew from the lead's answers."""
Order = Mapping[str, Sequence[tuple[str, str]]]
"""item -> worker and label, in the order in which they arrive."""


@dataclass(frozen=True)
class Crowd:
    """A recorded crowd.

    Attributes:
        name: of the file.
        outcomes: its labels.
        gold: item -> the right one.
        labels: item -> worker and label.
    """

    name: str
    outcomes: tuple[str, ...]
    gold: dict[str, str]
    labels: Order

    def draw(self, seed: int, known: int) -> tuple[Order, dict[str, str]]:
        """The order in which labels arrive, and the items whose right answer is known."""
        rng = np.random.default_rng(seed)
        order = {item: [given[i] for i in rng.permutation(len(given))] for item, given in self.labels.items()}
        items = [str(item) for item in rng.permutation(list(self.gold))[:known]]
        return order, {item: self.gold[item] for item in items}


def read(folder: Path, name: str) -> Crowd:
    """A crowd with the items that have labels and a right answer; of several labels of a worker the first."""
    rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row.get("labels") and row.get("gold") is not None]
    labels: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        first: dict[str, str] = {}
        for worker, label in row["labels"]:
            first.setdefault(str(worker), str(label))
        labels[row["id"]] = list(first.items())
    gold = {row["id"]: str(row["gold"]) for row in rows}
    outcomes = sorted({*gold.values(), *(label for given in labels.values() for _, label in given)})
    return Crowd(name, tuple(outcomes), gold, labels)


class Believed:
    """What is believed of items after some labels of each, as `solon learn` and the count of votes have it."""

    def __init__(self, crowd: Crowd, seen: Order, known: Mapping[str, str], one_number: bool = False) -> None:
        said = {item: dict(given) for item, given in seen.items()}
        self.even = dict.fromkeys(crowd.outcomes, 1 / len(crowd.outcomes))
        self.rated = rate_people(said, (), golden=known, outcomes=len(crowd.outcomes))
        self.model: ConsensusModel | None = None
        if len(known) >= LEAST_KNOWN and not one_number:
            self.model = learn_crowd(said, known, crowd.outcomes)

    def count(self, given: Sequence[tuple[str, str]]) -> Tally:
        """The labels of an item, counted."""
        votes = tuple(Vote("", who, label, self.rated[who].reliability, {}) for who, label in given)
        said = [(vote.actor, vote.outcome, vote.reliability) for vote in votes]
        return Tally(merge_votes(self.even, said, self.model), votes)


def upto(order: Order, most: int) -> Order:
    """The first labels of each item."""
    return {item: given[:most] for item, given in order.items()}


def vote(given: Sequence[tuple[str, str]], gold: str) -> float:
    """Whether the plain majority is right; a tie counts its share."""
    counts: dict[str, int] = {}
    for _, label in given:
        counts[label] = counts.get(label, 0) + 1
    best = [label for label, n in counts.items() if n == max(counts.values())]
    return float(gold in best) / len(best)


class Scores:
    """Figures by item over seeds; an item that is known in a seed is not scored there."""

    def __init__(self, crowd: Crowd) -> None:
        self.place = {item: i for i, item in enumerate(crowd.gold)}
        self.total, self.times = np.zeros(len(self.place)), np.zeros(len(self.place))

    def add(self, values: Mapping[str, float]) -> None:
        for item, value in values.items():
            self.total[self.place[item]] += value
            self.times[self.place[item]] += 1

    @property
    def mean(self) -> float:
        return float(self.total.sum() / max(self.times.sum(), 1.0))

    def __str__(self) -> str:
        low, high = ratio_interval(self.total, self.times)
        return f"{self.mean:.3f} [{low:.3f}, {high:.3f}]"


def measure_arrival(crowd: Crowd, most: int) -> dict[str, dict[int, float]]:
    """Accuracy with so many labels of every item; returns it by way of counting."""
    print(f"\n{crowd.name}: right after j labels of every item, {KNOWN} of {len(crowd.gold)} known")
    print(
        "| j | majority | one number a person | learned crowd | the same less majority |\n|---|---|---|---|---|"
    )
    curves: dict[str, dict[int, float]] = {"majority": {}, "one number a person": {}, "learned crowd": {}}
    for j in range(1, most + 1):
        plain, number, learned, gain = (Scores(crowd) for _ in range(4))
        for seed in range(SEEDS):
            order, known = crowd.draw(seed, KNOWN)
            seen = upto(order, j)
            rest = {item: given for item, given in seen.items() if item not in known}
            by_vote = {item: vote(given, crowd.gold[item]) for item, given in rest.items()}
            plain.add(by_vote)
            for scores, one in ((number, True), (learned, False)):
                believed = Believed(crowd, seen, known, one)
                right = {item: float(believed.count(g).best == crowd.gold[item]) for item, g in rest.items()}
                scores.add(right)
            gain.add({item: right[item] - by_vote[item] for item in right})
        for curve, scores in zip(curves.values(), (plain, number, learned), strict=True):
            curve[j] = scores.mean
        print(f"| {j} | {plain} | {number} | {learned} | {gain} |", flush=True)
    return curves


def ask(crowd: Crowd, order: Order, known: Mapping[str, str], reviewers: ReviewersConfig, one_number: bool
        ) -> tuple[dict[str, Tally], dict[str, int]]:  # fmt: skip
    """Ask one further person a round where the votes so far do not settle an item; all is learned anew each round."""
    asked = {item: len(given) if item in known else 1 for item, given in order.items()}
    open_ = [item for item in order if item not in known]
    settled: dict[str, Tally] = {}
    while open_:
        believed = Believed(
            crowd, {item: given[: asked[item]] for item, given in order.items()}, known, one_number
        )
        further = []
        for item in open_:
            counted = believed.count(order[item][: asked[item]])
            settled[item] = counted
            last = asked[item] >= len(order[item]) or counted.needs_lead(reviewers)
            if not counted.settles(reviewers) and not last:
                asked[item] += 1
                further.append(item)
        open_ = further
    return settled, asked


def measure_overlap(crowd: Crowd, most: int, curves: Mapping[str, Mapping[int, float]]) -> None:
    """Labels an item under the rule that stops, against a fixed number at equal accuracy."""
    print(f"\n{crowd.name}: asking stops where the votes settle it (.9), at most {most} labels")
    for one_number, told in ((False, "learned crowd"), (True, "one number a person")):
        right, used, sure, ok = (Scores(crowd) for _ in range(4))
        reviewers = ReviewersConfig(most_votes=most)
        for seed in range(SEEDS):
            order, known = crowd.draw(seed, KNOWN)
            counted, asked = ask(crowd, order, known, reviewers, one_number)
            hit = {item: float(one.best == crowd.gold[item]) for item, one in counted.items()}
            right.add(hit)
            used.add({item: float(asked[item]) for item in counted})
            sure.add({item: float(one.settles(reviewers)) for item, one in counted.items()})
            ok.add({item: hit[item] for item, one in counted.items() if one.settles(reviewers)})
        accuracy = right.mean
        fixed = "; ".join(f"{way} {labels_for(curve, accuracy)}" for way, curve in curves.items())
        print(f"  {told}: right {right}, labels an item {used}, settled {sure}, of these right {ok}")
        print(f"    labels of every item for as much: {fixed}", flush=True)


def labels_for(curve: Mapping[int, float], wanted: float) -> str:
    """How many labels of every item reach an accuracy, between two numbers by a straight line."""
    for j in sorted(curve):
        if curve[j] >= wanted:
            if j - 1 not in curve:
                return f"{j}"
            return f"{j - 1 + (wanted - curve[j - 1]) / max(curve[j] - curve[j - 1], 1e-9):.2f}"
    return f"more than {max(curve)}"


def measure_lead(crowd: Crowd) -> None:
    """How many answers of a lead, the known ones included, make .95 of all right."""
    print(
        f"\n{crowd.name}: a lead's answers until {WANTED:.0%} of all {len(crowd.gold)} are right, all labels there"
    )
    for told in ("least sure first", "least sure first, one number a person", "at random"):
        found = [lead_needs(crowd, seed, told) / len(crowd.gold) for seed in range(SEEDS)]
        low, high = mean_interval(np.array(found))
        print(
            f"  {told}: {np.mean(found):.3f} [{low:.3f}, {high:.3f}] of the items (over {SEEDS} seeds)",
            flush=True,
        )


def lead_needs(crowd: Crowd, seed: int, told: str) -> int:
    """Answers of a lead, who is right, in this order; the crowd is learned anew after every twentieth of the set."""
    order, known = crowd.draw(seed, KNOWN)
    known = dict(known)
    rng, step = np.random.default_rng(seed), max(1, len(crowd.gold) // BATCH)
    while True:
        believed = Believed(crowd, order, known, "one number" in told)
        counted = {item: believed.count(given) for item, given in order.items() if item not in known}
        wrong = {item for item, one in counted.items() if one.best != crowd.gold[item]}
        allowed = (1 - WANTED) * len(crowd.gold)
        queue = sorted(counted, key=lambda item: counted[item].sure)
        if told == "at random":
            queue = [str(item) for item in rng.permutation(queue)]
        for item in queue[:step]:
            if len(wrong) <= allowed:
                return len(known)
            wrong.discard(item)
            known[item] = crowd.gold[item]
        if len(wrong) <= allowed or not queue:
            return len(known)


def main() -> None:
    """Measure the sets that are there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SOLON_DATA", "../shared/data")))
    parser.add_argument("sets", nargs="*", default=SETS)
    given = parser.parse_args()
    for name in given.sets:
        crowd = read(given.data, name)
        most = min(10, int(np.percentile([len(one) for one in crowd.labels.values()], 90)))
        people = {who for one in crowd.labels.values() for who, _ in one}
        print(f"\n# {name}: {len(crowd.gold)} items, {len(people)} people, {len(crowd.outcomes)} labels")
        measure_overlap(crowd, most, measure_arrival(crowd, most))
        measure_lead(crowd)


if __name__ == "__main__":
    main()
