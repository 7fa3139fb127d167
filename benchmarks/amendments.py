"""How often a draft without effect looks green, where many are measured on the same precedents, and how often a good
one does.

    python -m benchmarks.amendments

The panel agrees with the expert on each precedent as a rule or not (a Beta of mean .7); a share of what it says is
drawn anew at each judging. The law in force is judged once, then each draft. `each alone` gives each the whole level;
`noise run` judges a third of the precedents twice besides; `counted` lowers the level with each draft before, as
`solon.law.impact.level_of` does.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from solon.consensus.binomial import clopper_pearson
from solon.law import impact
from solon.law.impact import Trial, measure

RULES = {
    "each alone": (False, False),
    "each alone, with a noise run": (False, True),
    "counted": (True, False),
}
"""Whether drafts before count, and whether a third is judged twice."""
RIGHT = 0.7


def judge(draw: np.random.Generator, right: Any, noise: float, gain: float = 0.0) -> list[str]:
    """What the panel says at one judging; A is what the expert decided.

    Args:
        right: whether it agrees as a rule.
        noise: share that is drawn anew.
        gain: by how much a draft raises agreement.
    """
    better = right | (draw.random(len(right)) < gain / (1 - RIGHT))
    again = draw.random(len(right)) < noise
    agrees = np.where(again, draw.random(len(right)) < RIGHT, better)
    return ["A" if one else "B" for one in agrees]


def green(before: list[str], after: list[str], again: list[str] | None, tried: int) -> bool:
    """Whether a draft is green on these precedents."""
    rows = [
        Trial(str(i), "held_out", "A", old, new, again[i] if again and i % 3 == 0 else None)
        for i, (old, new) in enumerate(zip(before, after, strict=True))
    ]
    return measure(rows, tried=tried).verdict == "green"


def any_green(rng: np.random.Generator, n: int, drafts: int, noise: float, rule: str) -> bool:
    """Whether any of so many drafts without effect is green."""
    counts, twice = RULES[rule]
    right = rng.random(n) < rng.beta(7.0, 3.0, n)
    before = judge(rng, right, noise)
    return any(
        green(before, judge(rng, right, noise), judge(rng, right, noise) if twice else None, number * counts)
        for number in range(drafts)
    )


def good_green(rng: np.random.Generator, n: int, place: int, noise: float, gain: float, rule: str) -> bool:
    """Whether a good draft is green that is measured as the first, third, ... one."""
    counts, twice = RULES[rule]
    right = rng.random(n) < rng.beta(7.0, 3.0, n)
    again = judge(rng, right, noise) if twice else None
    before, after = judge(rng, right, noise), judge(rng, right, noise, gain)
    return green(before, after, again, (place - 1) * counts)


def main() -> None:
    """Print a table of false greens, and one of the power of a good draft."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--projects", type=int, default=2000)
    projects = parser.parse_args().projects
    impact.DRAWS = 200  # of the bootstrap: its interval only confirms what the exact test finds
    print("| precedents | noise | drafts | rule | any draft without effect is green |\n|---|---|---|---|---|")
    for n, noise, drafts in ((60, 0.3, 10), (150, 0.3, 10), (150, 0.1, 10)):
        for rule in RULES:
            rng = np.random.default_rng([n, drafts, round(100 * noise)])
            hits = sum(any_green(rng, n, drafts, noise, rule) for _ in range(projects))
            low, high = clopper_pearson(hits, projects)
            print(
                f"| {n} | {noise} | {drafts} | {rule} | {hits / projects:.3f} [{low:.3f}, {high:.3f}] |",
                flush=True,
            )
    print(f"\n| precedents | gain | measured as number | {' | '.join(RULES)} |\n|---|---|---|---|---|---|")
    for n, gain in ((150, 0.1), (150, 0.15), (300, 0.1)):
        for place in (1, 3, 10):
            told = []
            for rule in RULES:
                rng = np.random.default_rng([n, place, round(gain * 100)])
                told.append(
                    np.mean([good_green(rng, n, place, 0.1, gain, rule) for _ in range(projects // 4)])
                )
            print(f"| {n} | +{gain:.2f} | {place} | {' | '.join(f'{x:.2f}' for x in told)} |", flush=True)


if __name__ == "__main__":
    main()
