"""How fast a committee of models and a classifier learns labels from decisions that it chooses itself.

`SOLON_DATA=../shared/data python -m benchmarks.labels_active`. On `labels_banking12` (480 bank messages, twelve labels,
one model's votes in three orders), 160 texts are drawn once and never asked. Of the others every seed draws 300, and
asks in rounds: 24 first (what the panel ranks first for each label, or at random), then twelve at a time. Measured is
how often the committee is right on the 160 after 24, 48, 96 and 192 decisions: means over ten seeds, with 95% bootstrap
intervals over the 160 texts; and the paired difference to random choice and to the classifier alone. All decisions
teach.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from solon.agents.models.embedding import embed, embed_words
from solon.consensus.ballots import Floats, Ints
from solon.consensus.classifier import train
from solon.consensus.learn import Decision, fit, targets
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.resample import ratio_interval
from solon.consensus.select import pick_core_set, pick_ranked, score_acquisition, select

SIZES = (24, 48, 96, 192)
BATCH = 12
TESTED = 160
DRAWN = 300
DIVERSITY = 0.3
REFERENCES = {24: 0.659, 48: 0.816, 96: 0.886, 192: 0.919}
CLASSIFIER = "classifier"


@dataclass(frozen=True)
class Arm:
    """A way to choose and to vote: how the first 24 and the rest are chosen, which part of every round at random."""

    name: str
    first: str
    then: str
    models: bool = True
    classifier: bool = True
    explore: float = 0.0


ARMS = (
    Arm("classifier alone, random", "random", "random", models=False),
    Arm("classifier alone, uncertainty", "random", "uncertainty", models=False),
    Arm("committee, random", "random", "random"),
    Arm("committee, random first, then uncertainty", "random", "uncertainty"),
    Arm("committee, uncertainty", "ranked", "uncertainty"),
    Arm("committee, uncertainty, a fifth at random", "ranked", "uncertainty", explore=0.2),
    Arm("committee, margin", "ranked", "margin"),
    Arm("committee, entropy", "ranked", "entropy"),
    Arm("committee, core-set", "core-set", "core-set"),
)


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


def learn(data: Texts, decided: Sequence[int], arm: Arm) -> Floats:
    """Return the posterior (n, K) of the committee for all texts, as `solon learn` fits it."""
    n, outcomes = len(data.gold), data.outcomes
    decisions = [Decision(str(i), data.gold[i]) for i in decided]
    votes = {str(i): data.votes[i] if arm.models else () for i in range(n)}
    trained = None
    if arm.classifier and decisions:
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


def choose(data: Texts, left: Ints, posterior: Floats, decided: list[int], count: int, how: str) -> list[int]:
    """Return the next of the texts that are left to ask about, as a budget chooses them."""
    if how == "ranked":
        return [int(i) for i in left[pick_ranked(posterior[left], count)]]
    if how == "core-set":
        known = np.concatenate([np.array(decided, dtype=np.int64), left])
        return [int(known[i]) for i in pick_core_set(data.vectors[known], count, np.arange(len(decided)))]
    rows = select(
        score_acquisition(how, posterior[left]) + 1e-9,
        items=count,
        embeddings=data.vectors[left],
        covered=data.vectors[decided] if decided else None,
        diversity=DIVERSITY,
    )
    return [int(i) for i in left[rows]]


def curve(data: Texts, arm: Arm, seed: int) -> dict[int, Floats]:
    """Return which of the 160 texts are right (160,) by number of decisions."""
    draw = np.random.default_rng(seed)
    pool = draw.permutation(data.pool)[:DRAWN]
    index = {o: k for k, o in enumerate(data.outcomes)}
    gold = np.array([index[g] for g in data.gold])
    decided: list[int] = []
    found = {}
    posterior = learn(data, decided, arm)
    while len(decided) < max(SIZES):
        how, count = (arm.then, BATCH) if decided else (arm.first, SIZES[0])
        left = np.array([i for i in pool if i not in set(decided)])
        drawn = count if how == "random" else round(count * arm.explore)
        part = [int(i) for i in draw.permutation(left)[:drawn]]
        rest = np.array([i for i in left if i not in set(part)])
        decided += part + (
            choose(data, rest, posterior, decided, count - drawn, how) if drawn < count else []
        )
        if arm.then != "random" or len(decided) in SIZES:
            posterior = learn(data, decided, arm)
        if len(decided) in SIZES:
            found[len(decided)] = (posterior[data.tested].argmax(axis=1) == gold[data.tested]).astype(float)
    return found


def told(right: Floats) -> str:
    """A mean over texts with its interval; `right` is (n,)."""
    low, high = ratio_interval(right, np.ones(len(right)))
    return f"{right.mean():.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Measure and print a table, then the paired differences of each arm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SOLON_DATA", "../shared/data")))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names of arms")
    parser.add_argument("--features", default="meaning", choices=("meaning", "words"))
    args = parser.parse_args()
    data = read(args.data, args.features)
    print(f"| right on {TESTED} texts | " + " | ".join(str(size) for size in SIZES) + " | seconds |")
    print("|---" * (len(SIZES) + 2) + "|")
    print("| references | " + " | ".join(f"{REFERENCES[size]:.3f}" for size in SIZES) + " | |")
    found: dict[str, dict[int, Floats]] = {}
    for arm in ARMS:
        if not any(part in arm.name for part in args.only):
            continue
        begun = time.perf_counter()
        curves = [curve(data, arm, seed) for seed in range(args.seeds)]
        mine = found[arm.name] = {size: np.mean([c[size] for c in curves], axis=0) for size in SIZES}
        cells = " | ".join(told(mine[size]) for size in SIZES)
        print(f"| {arm.name} | {cells} | {time.perf_counter() - begun:.0f} |", flush=True)
    for name, mine in found.items():
        for other in ("committee, random", "classifier alone, random"):
            if other in found and name != other:
                cells = " | ".join(told(mine[size] - found[other][size]) for size in SIZES)
                print(f"| {name}, over {other} | {cells} | |")


if __name__ == "__main__":
    main()
