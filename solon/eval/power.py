"""How likely a pilot leads to a certificate: simulated, exact, and on a recorded panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from solon.consensus.ballots import collect
from solon.consensus.looks import plan_look
from solon.consensus.power import points, simulate
from solon.consensus.replay_trust import measure_certification


def measure_power(
    alpha: float,
    pilot: int,
    delta: float,
    agreements: Sequence[float],
    *,
    auroc: float,
    panel: str | Path | None,
    projects: int,
    seed: int,
    plots: str | Path | None,
) -> dict[str, Any]:
    """Return how a pilot fares at each rate of agreement, and on a recorded panel where one is given.

    Args:
        alpha, pilot, delta, auroc, projects, seed: as of `consensus.power.simulate`.
        agreements: rates.
        panel: file of recorded verdicts with human answers.
        plots: a folder to draw into; None: no plots.

    Raises:
        ConfigError: a rate outside its range.
        UsageError: the file is no recording, or matplotlib is missing.
    """
    test = plan_look(pilot, 0, delta).test(alpha)
    simulated = [
        {
            **simulate(pilot, alpha, delta, agreement=rate, auroc=auroc, projects=projects, seed=seed),
            "exact": test.chance(rate),
        }
        for rate in agreements
    ]
    found: dict[str, Any] = {"alpha": alpha, "delta": delta, "pilot": pilot, "simulated": simulated}
    found["panel"] = [] if panel is None else [_replay(panel, alpha, pilot, delta, projects, seed)]
    found["plots"] = [] if plots is None else [_draw(alpha, pilot, delta, agreements, Path(plots))]
    return found


def _replay(
    path: str | Path, alpha: float, pilot: int, delta: float, projects: int, seed: int
) -> dict[str, Any]:
    from solon.eval.replay.recorded import load
    from solon.eval.replay.replay import usable_items

    recording = load(path, seed=seed)
    items = usable_items(path, recording)
    gold = np.array([recording.outcomes.index(str(item.gold)) for item in items], dtype=np.int64)
    ballots = collect([item.verdicts for item in items], recording.outcomes)
    return measure_certification(
        ballots, gold, alpha=alpha, delta=delta, pilot=pilot, draws=min(projects, 100), seed=seed
    )


def _draw(alpha: float, pilot: int, delta: float, agreements: Sequence[float], folder: Path) -> str:
    from solon.eval.plots import open_axes, save

    figure, axes = open_axes()
    for rate in agreements:
        sizes, chances = points(max(2 * pilot, 40), alpha, delta, rate)
        axes.plot(sizes, chances, label=f"experts agree on {rate:.0%}")
    axes.axvline(pilot, color="grey", linestyle="--")
    axes.set(
        xlabel="decisions of the pilot",
        ylabel="chance of a certificate",
        title=f"promise {1 - alpha:.0%}",
        ylim=(0, 1.02),
    )
    axes.legend()
    return save(figure, folder, f"power-{pilot}")
