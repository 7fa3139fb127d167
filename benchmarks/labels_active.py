"""How fast a committee learns from decisions that it chooses itself: labels, and with `--pairs` preferences.

`SOLON_DATA=../shared/data python -m benchmarks.labels_active`. On `labels_banking12` (480 bank messages, twelve labels,
one model's votes in three orders), 160 texts are drawn once and never asked. Of the others every seed draws 300, and
asks in rounds: 24 first (what the panel ranks first for each label, or at random), then twelve at a time. Measured is
how often the committee is right on the 160 after 24, 48, 96 and 192 decisions: means over ten seeds, with 95% bootstrap
intervals over the 160 texts; and the paired difference to random choice and to the classifier alone. All decisions
teach.

`--pairs` replays recorded panels (`prd_vicuna80`, `pandalm`) with the people who judged the same pairs. Of all pairs
10, 20, 30 and 50% are asked, in rounds of 5%, and the panel learns between rounds; what was asked takes the person's
answer, the rest the panel's. Measured is how often that agrees with people: with `--answers majority` the majority of
people answers and is what is agreed with; with `one` one of three people, drawn for each pair, answers, and what is
agreed with is what the other two say where they agree. Intervals are over requests.
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
from solon.consensus.ballots import Floats, Ints, collect
from solon.consensus.classifier import train
from solon.consensus.learn import Decision, fit, targets
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.resample import ratio_interval
from solon.consensus.select import pick_core_set, pick_ranked, score_acquisition, select
from solon.eval.replay.recorded import load
from solon.questions import PAIR

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


@dataclass(frozen=True)
class Pairs:
    """A recorded panel of pairs: votes and what people said, and to which request each pair belongs."""

    votes: dict[str, tuple[Vote, ...]]
    human: tuple[tuple[str, ...], ...]
    gold: tuple[str, ...]
    request: Ints


SHARES = (0.1, 0.2, 0.3, 0.5)
ROUND = 0.05
OF_PAIRS = (
    Arm("random", "random", "random"),
    Arm("one batch, uncertainty", "uncertainty", "batch"),
    Arm("one batch, committee", "committee", "batch"),
    Arm("rounds, uncertainty", "uncertainty", "uncertainty"),
    Arm("rounds, committee", "committee", "committee"),
    Arm("rounds, uncertainty, a fifth at random", "uncertainty", "uncertainty", explore=0.2),
    Arm("ranked first, then rounds, uncertainty", "ranked", "uncertainty"),
)


def read_pairs(file: Path, answers: str) -> Pairs:
    """Return a recorded panel: the pairs that people agreed on; for `one` those that three people judged."""
    requests = {row["id"]: row["prompt"] for row in map(json.loads, file.read_text().splitlines())}
    items = [i for i in load(file).items if i.verdicts and i.gold in PAIR.outcomes]
    items = [i for i in items if answers == "majority" or len(i.human) == 3]
    number = {request: n for n, request in enumerate(dict.fromkeys(requests[i.id] for i in items))}
    return Pairs(
        {i.id: i.verdicts for i in items},
        tuple(i.human for i in items),
        tuple(i.gold or "" for i in items),
        np.array([number[requests[i.id]] for i in items]),
    )


def answer_pairs(data: Pairs, answers: str, seed: int) -> tuple[list[str], list[str | None]]:
    """Return what the person asked says of each pair, and what that is held against; None where it is left out."""
    if answers == "majority":
        return list(data.gold), list(data.gold)
    draw = np.random.default_rng(1000 + seed)
    said, truth = [], list[str | None]()
    for human in data.human:
        one = int(draw.integers(len(human)))
        others = {word for place, word in enumerate(human) if place != one}
        said.append(human[one])
        truth.append(others.pop() if len(others) == 1 and others <= set(PAIR.outcomes) else None)
    return said, truth


def learn_pairs(data: Pairs, said: Sequence[str], decided: Sequence[int]) -> tuple[ConsensusModel, Floats]:
    """Return the panel as it is learned from these answers, and its probability (n, 2) of each answer of every pair."""
    names = list(data.votes)
    told = [Decision(names[i], said[i]) for i in decided if said[i] in PAIR.outcomes]
    model = fit(data.votes, told) if told else ConsensusModel.prior(PAIR.outcomes)
    found = (judge_item(model, votes).posterior for votes in data.votes.values())
    return model, np.array([[posterior[side] for side in PAIR.outcomes] for posterior in found])


def score_pairs(data: Pairs, model: ConsensusModel, posterior: Floats, how: str) -> Floats:
    """Return what asking about each pair is worth, as a run's budget scores it."""
    ballots = collect(list(data.votes.values()), PAIR.outcomes)
    member = np.where(ballots.active[:, :, None] > 0.0, ballots.shares, posterior[:, None, :])
    return score_acquisition(how, posterior, member)


def curve_of_pairs(data: Pairs, arm: Arm, answers: str, seed: int) -> tuple[dict[float, Floats], Floats]:
    """Return by share asked which pairs agree with people, (n,) each, and which of them are counted, (n,)."""
    said, truth = answer_pairs(data, answers, seed)
    counted = np.array([one is not None for one in truth], dtype=float)
    n, draw = len(truth), np.random.default_rng(seed)
    size, decided, found = round(n * ROUND), list[int](), dict[float, Floats]()
    model, posterior = learn_pairs(data, said, decided)
    match arm.first:
        case "random":
            first = draw.random(n)
        case "ranked":
            first = np.zeros(n)
            first[pick_ranked(posterior, n)] = -np.arange(n)
        case how:
            first = score_pairs(data, model, posterior, how)
    first = first + 1e-9 * draw.random(n)  # ties are drawn
    for share in np.arange(1, round(max(SHARES) / ROUND) + 1) * ROUND:
        score = first
        if arm.then not in ("random", "batch") and decided:
            score = score_pairs(data, model, posterior, arm.then) + 1e-9 * draw.random(n)
        drawn = draw.permutation([i for i in range(n) if i not in set(decided)])[: round(size * arm.explore)]
        decided += [int(i) for i in drawn]
        rest = np.array([i for i in range(n) if i not in set(decided)])
        decided += [int(i) for i in rest[np.argsort(-score[rest], kind="stable")][: size - len(drawn)]]
        at_size = round(float(share), 2) in SHARES
        if at_size or arm.then not in ("random", "batch"):
            model, posterior = learn_pairs(data, said, decided)
        if at_size:
            final = [PAIR.outcomes[k] for k in posterior.argmax(axis=1)]
            for i in decided:
                final[i] = said[i]
            agrees = [float(one == other) for one, other in zip(final, truth, strict=True)]
            found[round(float(share), 2)] = np.array(agrees) * counted
    return found, counted


def tell_by_request(value: Floats, counted: Floats, request: Ints) -> str:
    """A mean over pairs with its interval over requests; both arguments are (n,), sums over seeds."""
    top, bottom = np.bincount(request, value), np.bincount(request, counted)
    low, high = ratio_interval(top, bottom)
    return f"{top.sum() / bottom.sum():.3f} [{low:.3f}, {high:.3f}]"


def measure_pairs(folder: Path, answers: str, seeds: int, only: Sequence[str]) -> None:
    """Print for each recorded panel the agreement by share asked, and paired differences to random choice."""
    for name in ("prd_vicuna80", "pandalm"):
        data = read_pairs(folder / f"{name}.jsonl", answers)
        requests = int(data.request.max()) + 1
        print(f"\n| {name}, {answers}: n = {len(data.gold)} pairs of {requests} requests | ", end="")
        print(" | ".join(f"{share:.0%} asked" for share in SHARES) + " |")
        print("|---" * (len(SHARES) + 1) + "|")
        found: dict[str, dict[float, Floats]] = {}
        for arm in OF_PAIRS:
            if not any(part in arm.name for part in ("random", *only)):
                continue
            curves = [curve_of_pairs(data, arm, answers, seed) for seed in range(seeds)]
            counted = np.sum([counts for _, counts in curves], axis=0)
            mine = {share: np.sum([by_share[share] for by_share, _ in curves], axis=0) for share in SHARES}
            cells = [tell_by_request(mine[share], counted, data.request) for share in SHARES]
            print(f"| {arm.name} | " + " | ".join(cells) + " |", flush=True)
            for other in ("random", "one batch, uncertainty"):
                if other in found and (other == "random" or arm.name.startswith("rounds, uncertainty")):
                    over = {share: mine[share] - found[other][share] for share in SHARES}
                    cells = [tell_by_request(over[share], counted, data.request) for share in SHARES]
                    print(f"| ... over {other} | " + " | ".join(cells) + " |", flush=True)
            found[arm.name] = mine


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
    parser.add_argument("--pairs", action="store_true", help="preferences in place of labels")
    parser.add_argument(
        "--answers", default="majority", choices=("majority", "one"), help="of pairs: who answers"
    )
    args = parser.parse_args()
    if args.pairs:
        measure_pairs(args.data, args.answers, args.seeds, args.only)
        return
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
