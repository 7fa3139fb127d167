"""How the learned panel fares on recorded panels, as its users have it.

`python -m benchmarks.consensus_panels DATA`, where DATA is a folder of recordings. For every panel and N = 0, 10, 20,
50, 100 random decisions, where 40 items remain: how often the learned panel is right on the other items, beside a
shrunk naive Bayes over the same decisions, the plain majority and the commonest class of these decisions; how well its
confidence ranks right before wrong, beside the plain margin; and its calibration error. Differences are paired, with
95% bootstrap intervals over items.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from solon.consensus.ballots import Floats, Ints, collect
from solon.consensus.calibrate import measure_auroc, measure_ece
from solon.consensus.learn import Decision, fit
from solon.consensus.model import PRIOR_CORRELATION
from solon.consensus.panel import Vote, judge_item
from solon.consensus.replay import gap, naive_bayes, score_right
from solon.consensus.resample import ratio_interval
from solon.consensus.traits import UNKNOWN, Traits, compare_texts
from solon.eval.replay.recorded import RecordedItem, Recording, load

SIZES = (0, 10, 20, 50, 100)
REMAIN = 40
FOUR = ("ChatGPT", "GPT-4", "LLaMA2", "PaLM2")
STRATEGIES = (
    "CoT",
    "Metrics",
    "Metrics_Reference",
    "Reference",
    "Swap",
    "Swap_CoT",
    "Vanilla",
    "Vanilla_NoRules",
)


@dataclass(frozen=True)
class Panel:
    """A recorded panel, or a part of one."""

    name: str
    file: str
    judges: tuple[str, ...] = ()
    subset: str | None = None
    seeds: int = 100
    segment: str = ""


def one_strategy(strategy: str) -> tuple[str, ...]:
    """The four models of LLMBar that answer apart, each asked by one strategy in both orders."""
    return tuple(f"{model}/{strategy}" for model in FOUR)


def talkative(model: str) -> tuple[str, ...]:
    """The four models, of which one is asked by eight strategies and the others by one: unequally many channels."""
    return tuple(f"{model}/{s}" for s in STRATEGIES) + tuple(f"{m}/Vanilla" for m in FOUR if m != model)


PANELS = (
    Panel("GPTInst /Vanilla", "llmbar.jsonl", one_strategy("Vanilla"), "GPTInst"),
    Panel("GPTInst /Vanilla_NoRules", "llmbar.jsonl", one_strategy("Vanilla_NoRules"), "GPTInst"),
    Panel("GPTInst, GPT-4 x 8", "llmbar.jsonl", talkative("GPT-4"), "GPTInst"),
    Panel("GPTInst, LLaMA2 x 8", "llmbar.jsonl", talkative("LLaMA2"), "GPTInst"),
    Panel("GPTInst, ChatGPT x 8", "llmbar.jsonl", talkative("ChatGPT"), "GPTInst"),
    Panel("Natural /Vanilla", "llmbar.jsonl", one_strategy("Vanilla"), "Natural"),
    Panel("LLMBar both /Vanilla", "llmbar.jsonl", one_strategy("Vanilla"), segment="subset"),
    Panel("LLMBar both, GPT-4 x 8", "llmbar.jsonl", talkative("GPT-4"), segment="subset"),
    Panel("PRD, all", "prd_vicuna80.jsonl", segment="category"),
    Panel("PRD, gpt4 twice, others once", "prd_vicuna80.jsonl",
          ("gpt4#AB", "gpt4#BA", "bard#AB", "claude#BA", "gpt35#AB", "vicuna-13b#BA")),
    Panel("PandaLM, both", "pandalm.jsonl", segment="category"),
    Panel("RewardBench 2 scores, K = 4", "rb2_k8_scores.jsonl", seeds=20),
    Panel("banking12, three orders, K = 12", "labels_banking12.jsonl"),
    Panel("rte crowd", "crowd_rte.jsonl", seeds=20),
    Panel("bluebird crowd", "crowd_bluebird.jsonl"),
    Panel("medical crowd, K = 6", "labels_medical_response.jsonl"),
)  # fmt: skip


def read(folder: Path, panel: Panel) -> Recording:
    """Return a recorded panel. A model's labels are read here: replay knows pairs, scores and crowds."""
    path = folder / panel.file
    if "banking" not in panel.file:
        return load(path, panel=panel.judges or None, subset=panel.subset)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    items = [
        RecordedItem(
            row["id"],
            tuple(
                Vote(name.split("/")[0], seat=name.split("/")[1], outcome=said["verdict"])
                for name, said in row["judges"].items()
            ),
            row["gold"],
        )
        for row in rows
    ]
    return Recording(panel.file, "judges", tuple(sorted({row["gold"] for row in rows})), tuple(items))


def traits_of(folder: Path, panel: Panel, *, segments: bool, texts: bool) -> dict[str, Traits]:
    """Return what is known of the items besides votes."""
    rows = [json.loads(line) for line in (folder / panel.file).read_text().splitlines()]
    found = {}
    for number, row in enumerate(rows, start=1):
        segment = str(row.get(panel.segment) or "") if segments else ""
        two = [row.get("response_a"), row.get("response_b")]
        asked = f"{row.get('prompt', '')} {row.get('input') or ''}"
        told = compare_texts(asked, *two) if texts and all(isinstance(text, str) for text in two) else {}
        found[str(row.get("id", f"line-{number}"))] = Traits(segment, told)
    return found


@dataclass
class Tally:
    """Sums over the splits that tested an item, by item."""

    n: int
    right: dict[str, Floats] = field(default_factory=dict)
    tests: Floats = field(init=False)
    auroc: list[tuple[float, float]] = field(default_factory=list)
    ece: list[float] = field(default_factory=list)
    confidence: list[Floats] = field(default_factory=list)
    correct: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tests = np.zeros(self.n)

    def add(self, test: Ints, **right: Floats) -> None:
        """Count one split."""
        self.tests[test] += 1.0
        for name, values in right.items():
            self.right.setdefault(name, np.zeros(self.n))[test] += values

    def point(self) -> dict[str, Any]:
        """Figures of one number of decisions."""
        seen = self.tests > 0
        weight, mine = self.tests[seen], self.right["solon"][seen]
        point: dict[str, Any] = {"right": float(mine.sum() / weight.sum())}
        for name, values in self.right.items():
            if name != "solon":
                point[name] = float(values[seen].sum() / weight.sum())
                point[f"over {name}"] = [
                    point["right"] - point[name],
                    *ratio_interval(mine - values[seen], weight),
                ]
        known = np.array([pair for pair in self.auroc if None not in pair], dtype=float)
        if len(known):
            point["auroc"], point["auroc of margin"] = (float(x) for x in known.mean(axis=0))
            difference = known[:, 0] - known[:, 1]
            point["auroc difference"] = [
                float(difference.mean()),
                float(difference.std() / len(known) ** 0.5),
            ]
        point["ece"] = float(np.mean(self.ece))
        point["ece, pooled"] = measure_ece(np.concatenate(self.confidence), np.concatenate(self.correct))
        return point


def measure(
    recording: Recording, seeds: int, sizes: Sequence[int], traits: dict[str, Traits]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the figures of a panel by number of decisions."""
    items = [i for i in recording.items if i.gold in recording.outcomes and i.verdicts]
    votes = {i.id: i.verdicts for i in items}
    names, k = list(votes), len(recording.outcomes)
    ballots = collect(list(votes.values()), recording.outcomes)
    gold = np.array([recording.outcomes.index(str(i.gold)) for i in items], dtype=np.int64)
    plain, margin = score_right(ballots.votes, gold), gap(ballots.votes)
    correlation = 0.0 if recording.kind == "labels" else PRIOR_CORRELATION
    for size in sizes:
        if len(items) - size < REMAIN:
            continue
        tally = Tally(len(items))
        for seed in range(seeds):
            turn = np.random.default_rng(seed).permutation(len(items))
            train, test = turn[:size], turn[size:]
            decisions = [Decision(names[i], recording.outcomes[gold[i]]) for i in train]
            if size or not seed:
                model = fit(
                    votes, decisions, outcomes=recording.outcomes, correlation=correlation, traits=traits
                )
                found = [judge_item(model, votes[name], traits=traits.get(name, UNKNOWN)) for name in names]
                posterior = np.array([[c.posterior[o] for o in recording.outcomes] for c in found])
                confidence = np.array([c.confidence for c in found])
                right = score_right(posterior, gold)
            common = np.bincount(gold[train], minlength=k).astype(float) if size else np.ones(k)
            tally.add(
                test,
                solon=right[test],
                naive=score_right(naive_bayes(ballots, train, gold)[test], gold[test]),
                majority=plain[test],
                commonest=score_right(np.tile(common, (len(test), 1)), gold[test]),
            )
            ranks = measure_auroc(confidence[test], right[test]), measure_auroc(margin[test], right[test])
            tally.auroc.append(ranks)  # type: ignore[arg-type]
            tally.ece.append(measure_ece(confidence[test], right[test]))
            tally.confidence.append(confidence[test])
            tally.correct.append(right[test])
        yield size, tally.point()


def told(difference: Sequence[float]) -> str:
    """A paired difference with its interval."""
    return f"{difference[0]:+.3f} [{difference[1]:+.3f}, {difference[2]:+.3f}]"


def main() -> None:
    """Measure the panels and print one table; `--json FILE` keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", help="part of a panel's name")
    parser.add_argument("--seeds", type=int, default=0, help="draws; default: those of the panel")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--votes-only", action="store_true", help="without texts")
    parser.add_argument("--segments", action="store_true", help="with the segments that some panels have")
    args = parser.parse_args()
    print("| panel | N | Solon | over naive Bayes | over majority | over commonest | AUROC (margin) | ECE |")
    print("|---|---|---|---|---|---|---|---|")
    figures: dict[str, Any] = {}
    for panel in PANELS:
        if args.only not in panel.name:
            continue
        begun = time.perf_counter()
        traits = traits_of(args.data, panel, segments=args.segments, texts=not args.votes_only)
        for size, point in measure(read(args.data, panel), args.seeds or panel.seeds, args.sizes, traits):
            figures.setdefault(panel.name, {})[str(size)] = point
            ranked = f"{point.get('auroc', 0.5):.3f} ({point.get('auroc of margin', 0.5):.3f})"
            print(
                f"| {panel.name} | {size} | {point['right']:.3f} | {told(point['over naive'])} | "
                f"{told(point['over majority'])} | {told(point['over commonest'])} | {ranked} | {point['ece']:.3f} |",
                flush=True,
            )
        figures[panel.name]["seconds"] = round(time.perf_counter() - begun, 1)
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
