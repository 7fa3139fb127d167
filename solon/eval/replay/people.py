"""What the recorded people of a replay are worth: as reviewers who are asked, as a ceiling for any panel, as
a crowd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from solon.consensus import replay as figures
from solon.consensus import replay_trust as trust
from solon.consensus.ballots import Ballots, Ints, collect
from solon.consensus.ceiling import measure_ceiling
from solon.consensus.dawid_skene import Crowd, dawid_skene
from solon.consensus.mace import mace
from solon.consensus.panel import ABSTAIN
from solon.consensus.resample import mean_interval
from solon.eval.replay.recorded import RecordedItem, Recording

PILOT, CROWD_SPLITS = 50, 20


def _people(
    items: Sequence[RecordedItem], outcomes: Sequence[str], reviewer: str, seeds: int, seed: int
) -> tuple[Ints, Ints, Ints]:
    """(seeds, n) answers of the reviewer, of a second person, and the truth by the other two; -1: none.

    ``single`` is the same place in every item's list, ``worker`` another person each time. The reviewer's own answer
    never counts towards the truth that it is scored against: both others have to agree on an outcome.
    """
    index = {o: i for i, o in enumerate(outcomes)}
    n = len(items)
    answers, others, truth = (np.full((seeds, n), -1, dtype=np.int64) for _ in range(3))
    for s in range(seeds):
        rng = np.random.default_rng(1000 + seed + s)
        for row, item in enumerate(items):
            human = item.human
            if len(human) < 3:
                continue
            who = s % 3 if reviewer == "single" else int(rng.integers(len(human)))
            rest = [h for i, h in enumerate(human) if i != who]
            answers[s, row] = index.get(human[who], -1)
            others[s, row] = index.get(rest[int(rng.integers(len(rest)))], -1)
            if len(set(rest)) == 1:
                truth[s, row] = index.get(rest[0], -1)
    return answers, others, truth


def measure_reviewers(
    recording: Recording, items: Sequence[RecordedItem], ballots: Ballots, gold: Ints, kind: str, labels: int,
    shares: Sequence[float], seed: int, correlation: float,
) -> dict[str, Any]:  # fmt: skip
    """Return what the reviews of one kind of reviewer would be worth; `why_not` says where too few people
    answered.

    Args:
        kind: `oracle` (always right), `single` (one place in the list of people) or `worker` (another person
            each time).
        labels: decisions known beforehand.
        shares: of the items that the reviewer is asked about.
    """
    seeds = 21
    base: dict[str, Any] = {"kind": kind}
    if kind == "oracle":
        truth = np.tile(gold, (seeds, 1))
        return base | {"scored_against": "gold"} | trust.measure_reviewer(
            ballots, truth, truth, truth, labels=min(labels, len(items) // 2), budgets=shares,
            seed=seed, final=True, correlation=correlation,
        )  # fmt: skip
    if recording.kind == "labels":
        return base | _crowd_worker(recording, items, gold, labels, shares, seed)
    answers, others, truth = _people(items, recording.outcomes, kind, seeds, seed)
    known = int((truth[0] >= 0).sum())
    if known < 20:
        return base | {
            "why_not": f"{known} items have three people of whom the other two agree; 20 are asked"
        }
    pilot = max(labels, min(PILOT, known // 3))
    figures_of_reviews = trust.measure_reviewer(
        ballots,
        answers,
        others,
        truth,
        labels=pilot,
        budgets=shares,
        seed=seed,
        correlation=correlation,
    )
    return base | {"scored_against": "the other two people, where they agree"} | figures_of_reviews


def _crowd_worker(
    recording: Recording,
    items: Sequence[RecordedItem],
    gold: Ints,
    labels: int,
    shares: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    """One label of each item is held back from the panel and plays the reviewer; several splits of who is
    held back.
    """
    index = {o: i for i, o in enumerate(recording.outcomes)}
    parts = []
    for s in range(CROWD_SPLITS):
        rng = np.random.default_rng(2000 + seed + s)
        rest, answers, other = (
            [],
            np.full(len(items), -1, dtype=np.int64),
            np.full(len(items), -1, dtype=np.int64),
        )
        for row, item in enumerate(items):
            cast = [v for v in item.verdicts if v.outcome != ABSTAIN]
            if len(cast) < 3:
                rest.append(item.verdicts)
                continue
            who, second = rng.choice(len(cast), 2, replace=False)
            answers[row], other[row] = index[cast[who].outcome], index[cast[second].outcome]
            rest.append(tuple(v for v in item.verdicts if v is not cast[who]))
        ballots = collect(rest, recording.outcomes)
        parts.append(
            trust.measure_reviewer(
                ballots, answers[None], other[None], gold[None], labels=max(labels, min(PILOT, len(items) // 3)),
                budgets=shares, seed=seed + s, correlation=0.0,
            )
        )  # fmt: skip
    out = dict(parts[0]) | {"scored_against": "gold", "seeds": len(parts)}
    out["panel_alone"] = float(np.mean([p["panel_alone"] for p in parts]))
    for share in shares:
        measured = [p[f"{share:g}"] for p in parts]
        gains = [f["accuracy"] - p["panel_alone"] for f, p in zip(measured, parts, strict=True)]
        out[f"{share:g}"] = {
            "accuracy": float(np.mean([f["accuracy"] for f in measured])),
            "taken_as_truth": float(np.mean([f["taken_as_truth"] for f in measured])),
            "gain": float(np.mean(gains)),
            "gain_range": [min(gains), max(gains)],
        }
    return out


def find_ceiling(items: Sequence[RecordedItem], recording: Recording) -> dict[str, Any]:
    """Return how often two of the people agree, and the best that anything could agree with one of them."""
    ceiling = measure_ceiling([i.human[:10] for i in items], outcomes=len(recording.outcomes), draws=300)
    return {
        "pairwise": ceiling.agreement, "ci": list(ceiling.interval), "items": ceiling.items,
        "single": ceiling.single, "single_ci": list(ceiling.single_interval),
    }  # fmt: skip


def measure_crowd(items: Sequence[RecordedItem], recording: Recording, gold: Ints) -> dict[str, Any]:
    """Return how right the workers are together, by Dawid and Skene's model and by MACE."""
    index = {o: i for i, o in enumerate(recording.outcomes)}
    rows = [
        (row, v.judge, index[v.outcome])
        for row, item in enumerate(items)
        for v in item.verdicts
        if v.outcome in index
    ]
    workers = {w: i for i, w in enumerate(sorted({r[1] for r in rows}))}
    crowd = Crowd(
        np.array([r[0] for r in rows]), np.array([workers[r[1]] for r in rows]), np.array([r[2] for r in rows]),
        len(items), len(workers), len(index),
    )  # fmt: skip
    out: dict[str, Any] = {}
    for name, aggregate in (("dawid_skene", dawid_skene(crowd)), ("mace", mace(crowd))):
        right = figures.score_right(aggregate.posterior, gold)
        out[name] = {
            "accuracy": float(right.mean()),
            "ci": list(mean_interval(right)),
            "rounds": aggregate.rounds,
        }
    return out
