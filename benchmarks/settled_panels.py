"""How many judge calls a panel saves that stops asking once no missing vote can change what becomes of an item.

`python -m benchmarks.settled_panels DATA`, where DATA is a folder of recordings. Every panel is asked again from its
recorded votes as `[consensus] stop = "settled"` does it, with its seats in an order that is drawn anew for each of
`--seeds` draws, under policies that let the panel end items. The route and the answer of every item are held against
those of the full panel. Intervals: 95%, bootstrap over items.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.consensus_panels import Panel, one_strategy, read, talkative
from solon.consensus.learn import Decision, fit
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import ABSTAIN, Consensus, Vote, judge_item
from solon.consensus.resample import ratio_interval
from solon.consensus.settled import count_next, order_calls

PANELS = (
    Panel("LLMBar GPTInst, 4 models", "llmbar.jsonl", one_strategy("Vanilla"), "GPTInst"),
    Panel("LLMBar GPTInst, 11 prompts", "llmbar.jsonl", talkative("GPT-4"), "GPTInst"),
    Panel("LLMBar Natural, 4 models", "llmbar.jsonl", one_strategy("Vanilla"), "Natural"),
    Panel("LLMBar both, 4 models", "llmbar.jsonl", one_strategy("Vanilla")),
    Panel("PRD vicuna80, all", "prd_vicuna80.jsonl"),
    Panel("PandaLM, both", "pandalm.jsonl"),
)
DECISIONS = 50
Settles = Callable[[Consensus], bool]


@dataclass(frozen=True)
class Policy:
    """What lets the panel end an item: its answer alone, a margin, or a confidence that so many items reach."""

    name: str
    margin: float | None = None
    covers: float | None = None
    learned: bool = False

    def settles(self, model: ConsensusModel, panel: Sequence[Sequence[Vote]]) -> Settles:
        """Whether what is found of an item ends it."""
        margin = self.margin
        if margin is not None:
            return lambda found: found.margin >= margin
        if self.covers is None:
            return lambda found: True
        reached = [judge_item(model, votes).confidence for votes in panel]
        cut = float(np.quantile(reached, 1.0 - self.covers))
        return lambda found: found.confidence >= cut


POLICIES = (
    Policy("never, nothing learned"),
    Policy("threshold .2, nothing learned", margin=0.2),
    Policy(f"threshold .2, {DECISIONS} decisions", margin=0.2, learned=True),
    *(
        Policy(f"certificate over {c}, {DECISIONS} decisions", covers=c, learned=True)
        for c in (0.95, 0.8, 0.5)
    ),
)


@dataclass(frozen=True)
class Asked:
    """One item: votes asked, turns they came in, votes of the full panel, and whether answer and route are its."""

    asked: int
    turns: int
    full: int
    same: bool


def ask(model: ConsensusModel, votes: Sequence[Vote], settles: Settles) -> Asked:
    """Ask votes as a run does, until the item is settled."""
    votes = [votes[place] for place in order_calls(model, votes)]
    missing = [replace(v, outcome=ABSTAIN, p=None, scores=None, confidence=None, shares=None) for v in votes]
    done = turns = 0
    while n := count_next(model, votes[:done], missing[done:], settles):
        done, turns = done + n, turns + 1
    so_far, full = judge_item(model, votes[:done]), judge_item(model, votes)
    stopped = done < len(votes)
    return Asked(done, turns, len(votes), not stopped or (so_far.best == full.best and settles(full)))


def measure(folder: Path, panel: Panel, seeds: int) -> Iterator[tuple[Policy, np.ndarray]]:
    """Yield of each policy (seeds, items, 4): the figures of `Asked`."""
    recording = read(folder, panel)
    items = [i for i in recording.items if i.gold in recording.outcomes and i.verdicts]
    for policy in POLICIES:
        rows = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            model = ConsensusModel.prior(recording.outcomes)
            if policy.learned:
                drawn = rng.permutation(len(items))[:DECISIONS]
                decisions = [Decision(items[i].id, str(items[i].gold)) for i in drawn]
                model = fit({i.id: i.verdicts for i in items}, decisions, outcomes=recording.outcomes)
            settles = policy.settles(model, [i.verdicts for i in items])
            seats = sorted({(v.judge, v.seat) for i in items for v in i.verdicts})
            turn = {seat: int(n) for seat, n in zip(seats, rng.permutation(len(seats)), strict=True)}
            for item in items:
                votes = sorted(item.verdicts, key=lambda v: (turn[v.judge, v.seat], v.order, v.sample))
                found = ask(model, votes, settles)
                rows.append((found.asked, found.turns, found.full, found.same))
        yield policy, np.array(rows, dtype=float).reshape(seeds, len(items), 4)


def main() -> None:
    """Measure the panels and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", help="part of a panel's name")
    parser.add_argument("--seeds", type=int, default=10)
    args = parser.parse_args()
    print("| panel (items; votes) | policy | calls saved | turns an item | same route and answer |")
    print("|---|---|---|---|---|")
    for panel in PANELS:
        if args.only not in panel.name:
            continue
        for policy, found in measure(args.data, panel, args.seeds):
            asked, turns, full, same = found.transpose(2, 0, 1)
            saved = (full - asked).mean(axis=0), full.mean(axis=0)
            low, high = ratio_interval(*saved)
            size = f"{panel.name} ({found.shape[1]}; {full.mean():.1f})"
            print(
                f"| {size} | {policy.name} | {saved[0].sum() / saved[1].sum():.3f} [{low:.3f}, {high:.3f}] | "
                f"{turns.mean():.1f} | {int(same.sum())} of {same.size} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
