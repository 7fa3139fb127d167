"""How likely a certificate is before anybody has answered, and how often one is false: exactly, and by simulation.

Imports numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.binomial import clopper_pearson
from solon.consensus.certify import certify
from solon.consensus.looks import POWER, plan_look
from solon.errors import ConfigError

LIKELY = 0.95
"""Agreement of experts with a good panel, where nothing is known of it yet."""
PROMISES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Values of alpha among which the strictest is looked for."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely the first look at a pilot leads to a certificate.

    Attributes:
        pilot: decisions.
        alpha: highest share of disagreement that it promises.
        perfect: probability where experts agree with the panel every time.
        likely: where they agree on ``LIKELY`` of the items, whatever the panel's confidence.
    """

    pilot: int
    alpha: float
    perfect: float
    likely: float

    def __str__(self) -> str:
        return (
            f"a pilot of {self.pilot} leads to a certificate of {1 - self.alpha:.0%} agreement with probability "
            f"{self.perfect:.2f} where experts always agree with the panel, {self.likely:.2f} where they agree on "
            f"{LIKELY:.0%}"
        )

    @property
    def is_weak(self) -> bool:
        """Whether too little can be expected of it."""
        return self.perfect < 0.95 or self.likely < 0.5


def chance_of(pilot: int, alpha: float, delta: float) -> Chance:
    """Return how likely the first look at a pilot leads to a certificate."""
    test = plan_look(pilot, 0, delta).test(alpha)
    return Chance(pilot, alpha, test.chance(1.0), test.chance(LIKELY))


def strictest(most: int, delta: float) -> Chance | None:
    """Return the strictest promise that so many answers make likelier than not, with the smallest pilot that makes it
    probable (.8), or the best one there is; None where they are too few for any promise.
    """
    for alpha in PROMISES:
        sizes = {min(most, round(part / alpha)) for part in range(4, 41)} - {0}
        found = [chance_of(size, alpha, delta) for size in sorted(sizes)]
        best = max(found, key=lambda chance: chance.likely, default=None)
        if best is not None and best.likely >= 0.5:
            return next((chance for chance in found if chance.likely >= POWER), best)
    return None


def simulate(
    pilot: int, alpha: float, delta: float, *, agreement: float, auroc: float = 0.7, projects: int = 500, seed: int = 0
) -> dict[str, Any]:  # fmt: skip
    """Return how a pilot fares over many simulated projects: how often it is certified, what share of the items is
    accepted then, and how often the certificate is false.

    Args:
        agreement: of experts with the panel, over all items.
        auroc: probability that an item on which they agree is ranked before one on which they do not; .5 is a
            confidence that says nothing.
        projects: how many.

    Raises:
        ConfigError: a probability outside its range.
    """
    for name, value, low in (("agreement", agreement, 0.0), ("auroc", auroc, 0.5)):
        if not low <= value <= 1.0 or (name == "auroc" and value == 1.0):
            raise ConfigError(
                f"{name} must lie between {low:g} and 1, got {value:g}", next_step=f"set {name} to .9"
            )
    rng = np.random.default_rng([seed, pilot])
    shift = np.sqrt(2.0) * _normal_quantile(auroc)
    population = rng.random(20_000) < agreement
    score = rng.normal(size=len(population)) + shift * population
    delta_of_look = plan_look(pilot, 0, delta).delta
    coverage = np.zeros(projects)
    granted = false = 0
    for number in range(projects):
        rows = rng.integers(len(population), size=pilot)
        found = certify(score[rows], population[rows].astype(np.float64), alpha=alpha, delta=delta_of_look)
        if found.threshold is None:
            continue
        inside = score >= found.threshold
        coverage[number] = inside.mean()
        granted += 1
        false += bool(population[inside].mean() < 1.0 - alpha)
    return {
        "pilot": pilot,
        "alpha": alpha,
        "agreement": agreement,
        "auroc": auroc,
        "projects": projects,
        "granted": granted / projects,
        "granted_interval": list(clopper_pearson(granted, projects)),
        "coverage": float(coverage.mean()),
        "false": false / projects,
        "false_interval": list(clopper_pearson(false, projects)),
    }


def _normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def points(most: int, alpha: float, delta: float, agreement: float) -> tuple[Floats, Floats]:
    """Return sizes of a pilot and the chance of a certificate at each, for a drawing."""
    sizes = np.unique(np.linspace(10, most, 80).astype(np.int64))
    return sizes.astype(np.float64), np.array(
        [plan_look(int(n), 0, delta).test(alpha).chance(agreement) for n in sizes]
    )
