"""How far the panel's confidence sharpens audits: prediction-powered intervals against plain ones on recorded panels.

    SOLON_DATA=../shared/data python -m benchmarks.sharper_audits

The confidence of every accepted record is known, and whether the expert agrees only of the audited ones. As a control
variate it takes from the variance what it explains (Angelopoulos, Duchi and Zrnic 2023, "PPI++", with the tuned lambda;
the saving is about R^2). Versions are learned from 120 decisions (60 where a panel has under 300 items); audits are
drawn from the rest, all of it accepted, or the most confident .9 or .6. Coverage is of the agreement among all of
these. `most` is the R^2 of the best that could be learned: confidences from four fifths of all answers, cross-fitted.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints, collect
from solon.consensus.binomial import clopper_pearson
from solon.consensus.control_variate import sharpen_rate
from solon.consensus.replay_trust import confidence_in
from solon.eval.replay.recorded import load
from solon.eval.replay.replay import usable_items

PANELS = (("prd_vicuna80", None), ("pandalm", None), ("llmbar", None), ("llmbar", "GPTInst"))
RECORDS = 2000
"""Accepted records that audits are drawn from, themselves drawn from the panel with replacement."""
FITS = 10


def explained(agreed: Floats, sure: Floats) -> float:
    """R^2 of the confidence and whether the expert agrees."""
    return float(np.corrcoef(agreed, sure)[0, 1] ** 2) if agreed.std() > 0 and sure.std() > 0 else 0.0


def best_possible(ballots: Ballots, gold: Ints, share: float) -> float:
    """R^2 among the accepted where four fifths of all answers were learned from."""
    fold = np.random.default_rng(0).permutation(len(gold)) % 5
    agreed, sure = np.zeros(len(gold)), np.zeros(len(gold))
    for one in range(5):
        found, best = confidence_in(ballots, np.flatnonzero(fold != one), gold)
        sure[fold == one] = found[fold == one]
        agreed[fold == one] = (best == gold)[fold == one]
    kept = sure >= np.quantile(sure, 1 - share)
    return explained(agreed[kept], sure[kept])


def accepted(ballots: Ballots, gold: Ints, share: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Agreement and confidence of the accepted items that were not learned from."""
    rows = rng.permutation(len(gold))[: 120 if len(gold) >= 300 else 60]
    sure, best = confidence_in(ballots, rows, gold)
    rest = np.setdiff1d(np.arange(len(gold)), rows)
    kept = rest[sure[rest] >= np.quantile(sure[rest], 1 - share)]
    return (best == gold)[kept].astype(np.float64), sure[kept]


def compare(ballots: Ballots, gold: Ints, share: float, n: int, draws: int) -> dict[str, Any]:
    """Coverage and width of both intervals over draws of audits."""
    rng = np.random.default_rng([n, round(10 * share)])
    fits = [accepted(ballots, gold, share, rng) for _ in range(FITS)]
    covered, plain, ratios = [], [], []
    for draw in range(draws):
        agreed, sure = fits[draw % FITS]
        records = rng.integers(len(agreed), size=RECORDS)
        audited = records[:n]
        said = [bool(one) for one in agreed[audited]]
        found = sharpen_rate(said, sure[audited].tolist(), sure[records].tolist())
        below, above = clopper_pearson(int(agreed[audited].sum()), n)
        truth = float(agreed.mean())
        covered.append(found.low <= truth <= found.high)
        plain.append(below <= truth <= above)
        ratios.append((found.high - found.low) / (above - below))
    return {
        "agreement": np.mean([agreed.mean() for agreed, _ in fits]),
        "explained": np.mean([explained(agreed, sure) for agreed, sure in fits]),
        "covered": np.mean(covered),
        "plain": np.mean(plain),
        "saved": 1 - np.mean(np.square(ratios)),
        "widest": np.max(ratios),
    }


def main() -> None:
    """Print a table of panels."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    folder = Path(os.environ.get("SOLON_DATA", "../shared/data"))
    print(
        "| panel | accepted | agreement | audits | R^2 | most | covers | plain covers | audits saved | "
        "widest against plain |\n|" + "---|" * 10
    )
    for name, subset in PANELS:
        recording = load(folder / f"{name}.jsonl", subset=subset)
        items = usable_items(folder / f"{name}.jsonl", recording)
        ballots = collect([item.verdicts for item in items], recording.outcomes)
        gold = np.array([recording.outcomes.index(str(item.gold)) for item in items], dtype=np.int64)
        for share in (1.0, 0.9, 0.6):
            most = best_possible(ballots, gold, share)
            for n in (60, 240) if len(gold) >= 300 else (60,):
                found = compare(ballots, gold, share, n, draws)
                shown = [
                    f"{subset or name} ({len(gold)})",
                    f"{share:.0%}",
                    f"{found['agreement']:.2f}",
                    str(n),
                ]
                figures = (
                    found["explained"],
                    most,
                    found["covered"],
                    found["plain"],
                    found["saved"],
                    found["widest"],
                )
                print(f"| {' | '.join([*shown, *(f'{one:.3f}' for one in figures)])} |", flush=True)


if __name__ == "__main__":
    main()
