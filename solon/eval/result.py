"""What every suite returns: figures with n and a 95% interval, and notes in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Floats
from solon.consensus.binomial import clopper_pearson
from solon.consensus.resample import bootstrap, mean_interval


class Figure(BaseModel):
    """A figure over `n` things with its 95% interval; `value` is None where nothing can be said, and `why` says why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float | None
    low: float
    high: float
    n: int
    why: str = ""


class SuiteResult(BaseModel):
    """Root of all results. `n`: records, decisions or items that the suite looked at; `notes`: what to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str
    n: int
    notes: tuple[str, ...] = ()


def rate(hits: float, n: int, why: str = "nothing to measure") -> Figure:
    """A share with its exact interval (Clopper and Pearson 1934); half hits (ties) widen it to both sides."""
    if n == 0:
        return Figure(value=None, low=0.0, high=1.0, n=0, why=why)
    low, high = clopper_pearson(math.floor(hits), n)[0], clopper_pearson(math.ceil(hits), n)[1]
    return Figure(value=hits / n, low=low, high=high, n=n)


def mean(values: Sequence[float] | Floats, seed: int = 0, why: str = "nothing to measure") -> Figure:
    """A mean with its bootstrap interval over items; fewer than two say nothing about their spread."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return Figure(value=None, low=0.0, high=0.0, n=0, why=why)
    low, high = mean_interval(array, seed=seed)
    return Figure(value=float(array.mean()), low=low, high=high, n=len(array))


def calibration_interval(
    measure: Callable[[Floats, Floats], float], said: Floats, right: Floats, seed: int = 0
) -> tuple[float, float]:
    """95% bootstrap interval, over items, of an error of the confidences `said` against `right` (1, 0, one half)."""
    return bootstrap(len(said), lambda rows: measure(said[rows], right[rows]), seed=seed)


def nothing(why: str, n: int = 0, low: float = 0.0, high: float = 1.0) -> Figure:
    """A figure that cannot be given, with the widest interval that it could have."""
    return Figure(value=None, low=low, high=high, n=n, why=why)
