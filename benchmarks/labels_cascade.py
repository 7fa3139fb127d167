"""What a cascade of voters costs a label, and how often it is right, against asking the strongest model of everything.

`python -m benchmarks.labels_cascade`, with SOLON_DATA the folder of recordings (default ../shared/data). The messages
of `labels_banking12` go through whole runs: rules and the classifier are asked first, then a small model (the recorded
model in one order of the labels, one call), then a strong one (the same in three orders, averaged: three calls), then
people, whose answer is the gold label. Other draws of the pilot for each seed; brackets are 95 % intervals, over draws
for means and exact binomial for shares of all draws together.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import select

from benchmarks.labels_weak import RULES
from solon import Project, judge
from solon.agents.models.embedding import can_embed
from solon.consensus.binomial import clopper_pearson
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.tables import candidates, records, texts

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
CALLS = {"small": 1, "strong": 3}
TIERS = ("rules and classifier", "small model", "strong model", "people")


@dataclass(frozen=True)
class Message:
    """A text with its gold label and what the recorded model said of it: probabilities by order of the labels."""

    id: str
    text: str
    gold: str
    orders: tuple[Mapping[str, float], ...]

    @property
    def small(self) -> dict[str, float]:
        """What the model said in the order given."""
        return _scaled(self.orders[:1])

    @property
    def strong(self) -> dict[str, float]:
        """What it said in three orders, averaged."""
        return _scaled(self.orders)


def _scaled(orders: Sequence[Mapping[str, float]]) -> dict[str, float]:
    listed = sorted(
        {label for order in orders for label in order}
    )  # a letter that was not listed had next to nothing
    summed = {label: sum(order.get(label, 0.0) for order in orders) for label in listed}
    total = sum(summed.values())
    return {label: share / total for label, share in summed.items()}


def read_messages() -> list[Message]:
    rows = [json.loads(line) for line in (DATA / "labels_banking12.jsonl").open(encoding="utf-8")]
    return [
        Message(row["id"], row["text"], row["gold"], tuple(one["p"] for one in row["judges"].values()))
        for row in rows
    ]


MESSAGES = {message.text: message for message in read_messages()}


@judge("small", "1")
def small(answer: str) -> dict[str, float]:
    """The recorded model in one order."""
    return MESSAGES[answer].small


@judge("strong", "1")
def strong(answer: str) -> dict[str, float]:
    """The recorded model in three orders."""
    return MESSAGES[answer].strong


@dataclass
class Tally:
    """What became of the labels of one draw: how many each tier gave, and how many of these are wrong."""

    given: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    certified: bool = False


def run_cascade(folder: Path, seed: int, pilot: int, alpha: float) -> Tally:
    """One run from seeds to labels, with every answer that it asks for."""
    messages = list(MESSAGES.values())
    labels = sorted({message.gold for message in messages})
    rules = [
        {"name": f"{label}_{n}", "label": label, "regex": regex}
        for label, pair in RULES.items()
        for n, regex in enumerate(pair)
    ]
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": {"labels": labels},
        "rules": rules,
        "classifier": {"enabled": True, "features": "meaning" if can_embed() else "words"},
        "judges": [
            {"python": f"{__name__}:{name}", "tier": tier} for tier, name in ((1, "small"), (2, "strong"))
        ],
        "routing": {
            "policy": "pilot",
            "pilot": pilot,
            "pilot_share": 1.0,
            "audit_share": 0.0,
            "alpha": alpha,
        },
        "run": {"seed": seed},
    }
    with Project(f"sqlite:///{folder}/{seed}.db", config=config) as project:
        project.plugins = {f"{__name__}:{one.name}": one for one in (small, strong)}
        project.run("label-panel", [{"id": m.id, "prompt": m.text} for m in messages])
        answer_waiting(project)
        learned = project.learn()
        for _ in range(3):
            project.resume()
            if not answer_waiting(project):
                break
        return count(project, certified=learned.granted)


def answer_waiting(project: Project) -> int:
    """Everything that waits is answered with the gold label."""
    text_of = bodies(project)
    with project.store.connect() as connection:
        waiting = list_reviews(connection, limit=5000)
    for review in waiting:
        said = {"choice": MESSAGES[text_of[review.candidates[0]]].gold}
        decide(project.store, review.id, said, actor="expert:gold", channel="api", counts=True)
    return len(waiting)


def bodies(project: Project) -> dict[str, str]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        return {row.id: row.body for row in connection.execute(query)}


def count(project: Project, *, certified: bool) -> Tally:
    """By tier what was given and what of it is wrong, and the calls of all items, whoever had the last word."""
    text_of, tally = bodies(project), Tally(certified=certified)
    columns = (records.c.label, records.c.decision_id, records.c.chosen_id, records.c.tier)
    query = select(*columns).where(records.c.superseded_at.is_(None))
    with project.store.connect() as connection:
        for row in connection.execute(query):
            tier = TIERS[3] if row.decision_id else TIERS[row.tier or 0]
            tally.given[tier] += 1
            tally.wrong[tier] += row.label != MESSAGES[text_of[row.chosen_id]].gold
            tally.calls += sum(list(CALLS.values())[: row.tier or 0])
    return tally


def by_threshold(seed: int, pilot: int) -> tuple[float, float]:
    """Right, and calls a label, where the small model decides from one threshold on its own probability and the strong
    one else, the threshold being the best on a random sample of the pilot's size; on the rest."""
    messages = list(MESSAGES.values())
    order = np.random.default_rng(seed).permutation(len(messages))
    sure = np.array([max(m.small.values()) for m in messages])
    right_small = np.array([max(m.small, key=m.small.__getitem__) == m.gold for m in messages])
    right_strong = np.array([max(m.strong, key=m.strong.__getitem__) == m.gold for m in messages])

    def right(rows: Any, cut: float) -> float:
        return float(np.where(sure[rows] >= cut, right_small[rows], right_strong[rows]).mean())

    cut = max(
        np.append(np.quantile(sure, np.linspace(0, 1, 21)), 2.0), key=lambda one: right(order[:pilot], one)
    )
    rest = order[pilot:]
    return right(rest, float(cut)), float(1 + 2 * (sure[rest] < cut).mean())


def _interval(values: Sequence[float]) -> str:
    mean, half = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def tell(pilot: int, alpha: float, tallies: Sequence[Tally], n: int) -> None:
    print(
        f"\npilot {pilot}, alpha {alpha}: certified in {sum(t.certified for t in tallies)} of {len(tallies)} draws"
    )
    for tier in TIERS:
        given, wrong = sum(t.given[tier] for t in tallies), sum(t.wrong[tier] for t in tallies)
        low, high = clopper_pearson(wrong, given) if given else (0.0, 1.0)
        print(
            f"  {tier:22} {given / n / len(tallies):.3f} of labels, wrong {wrong} of {given} [{low:.3f}, {high:.3f}]"
        )
    machine = [t.given.total() - t.given[TIERS[3]] for t in tallies]
    wrong = [t.wrong.total() for t in tallies]
    print(f"  labels without a person {_interval([m / n for m in machine])}, of them right", end=" ")
    print(_interval([1 - w / m for w, m in zip(wrong, machine, strict=True) if m]))
    print(f"  all labels right {_interval([1 - w / n for w in wrong])}, calls a label", end=" ")
    print(_interval([t.calls / n for t in tallies]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--pilots", type=int, nargs="*", default=[96, 144, 192])
    parser.add_argument("--alpha", type=float, nargs="*", default=[0.1, 0.2])
    given = parser.parse_args()
    n = len(MESSAGES)
    for name in ("small", "strong"):
        said = [getattr(m, name) for m in MESSAGES.values()]
        right = sum(max(p, key=p.__getitem__) == m.gold for p, m in zip(said, MESSAGES.values(), strict=True))
        low, high = clopper_pearson(right, n)
        print(
            f"everything to the {name} model: right {right / n:.3f} [{low:.3f}, {high:.3f}], {CALLS[name]} calls"
        )
    for pilot in given.pilots:
        found = [by_threshold(seed, pilot) for seed in range(100)]
        print(
            f"one threshold, chosen on {pilot}: right {_interval([r for r, _ in found])}",
            end=", calls a label ",
        )
        print(_interval([c for _, c in found]))
    for alpha in given.alpha:
        for pilot in given.pilots:
            with TemporaryDirectory() as folder:
                tallies = [run_cascade(Path(folder), seed, pilot, alpha) for seed in range(given.draws)]
            tell(pilot, alpha, tallies, n)


if __name__ == "__main__":
    main()
