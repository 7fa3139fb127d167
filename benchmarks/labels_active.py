"""How fast a committee of models and a classifier learns labels from decisions that it chooses itself.

`SOLON_DATA=../shared/data python -m benchmarks.labels_active`. On `labels_banking12` (480 bank messages, twelve labels,
one model's votes in three orders), 160 texts are drawn once and never asked; the others are asked in rounds: 24, then
twelve at a time. Measured is how often the committee is right on the 160 after 24, 48, 96 and 192 decisions, mean over
ten seeds with a 95% interval: of the mean over seeds by bootstrap over the 160 texts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solon.agents.models.embedding import embed, embed_words
from solon.consensus.ballots import Floats, Ints
from solon.consensus.classifier import train
from solon.consensus.learn import Decision, fit, targets
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.resample import ratio_interval
from solon.consensus.select import pick_core_set, score_entropy, score_margin, score_uncertainty, select

SIZES = (24, 48, 96, 192)
BATCH = 12
TESTED = 160
DRAWN = 300
DIVERSITY = 0.3
REFERENCES = {24: 0.659, 48: 0.816, 96: 0.886, 192: 0.919}
CLASSIFIER = "classifier"
ACQUISITIONS: dict[str, Callable[[Floats], Floats]] = {
    "uncertainty": score_uncertainty,
    "margin": score_margin,
    "entropy": score_entropy,
}


@dataclass(frozen=True)
class Texts:
    """The recorded set: vectors (n, D), gold labels and the model's votes, and which texts are never asked."""

    vectors: Floats
    gold: tuple[str, ...]
    votes: tuple[tuple[Vote, ...], ...]
    outcomes: tuple[str, ...]
    tested: Ints
    pool: Ints


def read(folder: Path, features: str) -> Texts:
    """Return the recorded set, with the 160 texts that are never asked drawn once."""
    rows = [json.loads(line) for line in (folder / "labels_banking12.jsonl").read_text().splitlines()]
    votes = tuple(
        tuple(
            Vote("qwen1.5b", seat=name.split("/")[1], outcome=said["verdict"], shares=said["p"])
            for name, said in row["judges"].items()
        )
        for row in rows
    )
    texts = [row["text"] for row in rows]
    order = np.random.default_rng(2024).permutation(len(rows))
    return Texts(
        embed(texts) if features == "meaning" else embed_words(texts),
        tuple(row["gold"] for row in rows),
        votes,
        tuple(sorted({row["gold"] for row in rows})),
        order[:TESTED],
        order[TESTED:],
    )


def learn(data: Texts, decided: Sequence[int], models: bool, classifier: bool) -> Floats:
    """Return the posterior (n, K) of the committee for all texts, as `solon learn` fits it."""
    n, outcomes = len(data.gold), data.outcomes
    decisions = [Decision(str(i), data.gold[i]) for i in decided]
    votes = {str(i): data.votes[i] if models else () for i in range(n)}
    trained = None
    if classifier and decisions:
        trained = train(
            data.vectors[list(decided)], targets(decisions, outcomes), [d.item for d in decisions],
            features="meaning", outcomes=outcomes,
        )  # fmt: skip
    if trained is not None:
        shares = trained[0].shares(data.vectors)
        shares[list(decided)] = trained[1]
        for i in range(n):
            said = dict(zip(outcomes, shares[i].tolist(), strict=True))
            votes[str(i)] += (Vote(CLASSIFIER, outcome=outcomes[int(shares[i].argmax())], shares=said),)
    if not any(votes.values()):
        return np.full((n, len(outcomes)), 1.0 / len(outcomes))
    model = (
        fit(votes, decisions, outcomes=outcomes, calibration="none")
        if decisions
        else ConsensusModel.prior(outcomes)
    )
    found = (judge_item(model, votes[str(i)]).posterior for i in range(n))
    return np.array([[posterior[o] for o in outcomes] for posterior in found])


def choose(
    data: Texts, pool: Ints, posterior: Floats, decided: list[int], count: int, how: str, draw: Any
) -> list[int]:
    """Return the next texts to ask about."""
    left = np.array([i for i in pool if i not in set(decided)])
    if how == "random":
        return [int(i) for i in draw.permutation(left)[:count]]
    if how == "ranked":
        return [int(left[i]) for i in pick_ranked(posterior[left], count)]
    if how == "core-set":
        covered = np.array(decided, dtype=np.int64)
        known = np.concatenate([covered, left])
        found = pick_core_set(data.vectors[known], count, np.arange(len(covered)))
        return [int(known[i]) for i in found]
    score = ACQUISITIONS[how](posterior[left])
    rows = select(
        score + 1e-9, items=count, embeddings=data.vectors[left], covered=data.vectors[decided] if decided else None,
        diversity=DIVERSITY,
    )  # fmt: skip
    return [int(i) for i in left[rows]]


def pick_ranked(posterior, count):
    order = np.argsort(-posterior, axis=0, kind="stable")
    picked = []
    for rank in range(len(posterior)):
        for k in range(posterior.shape[1]):
            row = int(order[rank, k])
            if row not in picked:
                picked.append(row)
            if len(picked) == count:
                return picked
    return picked


def curve(data: Texts, how: str, models: bool, classifier: bool, seed: int, start: str) -> dict[int, Floats]:
    """Return which of the 160 texts are right (160,) by number of decisions."""
    draw = np.random.default_rng(seed)
    pool = draw.permutation(data.pool)[:DRAWN]
    decided: list[int] = []
    index = {o: k for k, o in enumerate(data.outcomes)}
    gold = np.array([index[g] for g in data.gold])
    posterior = learn(data, decided, models, classifier)
    found = {}
    while len(decided) < max(SIZES):
        wanted = SIZES[0] if not decided else BATCH
        decided += choose(data, pool, posterior, decided, wanted, how if decided else start, draw)
        if how != "random" or len(decided) in SIZES:
            posterior = learn(data, decided, models, classifier)
        if len(decided) in SIZES:
            found[len(decided)] = (posterior[data.tested].argmax(axis=1) == gold[data.tested]).astype(float)
    return found


ARMS = (
    ("classifier alone, random", "random", False, True),
    ("classifier alone, margin", "margin", False, True),
    ("committee, random", "random", True, True),
    ("committee, margin", "margin", True, True),
    ("committee, uncertainty", "uncertainty", True, True),
    ("committee, entropy", "entropy", True, True),
)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SOLON_DATA", "../shared/data")))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="", help="part of an arm's name")
    parser.add_argument("--features", default="meaning", choices=("meaning", "words"))
    parser.add_argument("--start", default="random", choices=("random", *ACQUISITIONS, "core-set", "ranked"))
    parser.add_argument("--diversity", type=float, default=0.3)
    args = parser.parse_args()
    global DIVERSITY
    DIVERSITY = args.diversity
    data = read(args.data, args.features)
    print(f"| right on {TESTED} texts | " + " | ".join(str(size) for size in SIZES) + " | seconds |")
    print("|---" * (len(SIZES) + 2) + "|")
    for name, how, models, classifier in ARMS:
        if args.only not in name:
            continue
        begun = time.perf_counter()
        curves = [curve(data, how, models, classifier, seed, args.start) for seed in range(args.seeds)]
        cells = []
        for size in SIZES:
            right = np.mean([c[size] for c in curves], axis=0)
            low, high = ratio_interval(right, np.ones(TESTED))
            cells.append(f"{right.mean():.3f} [{low:.3f}, {high:.3f}]")
        print(f"| {name} | " + " | ".join(cells) + f" | {time.perf_counter() - begun:.0f} |", flush=True)


if __name__ == "__main__":
    main()
