"""What every suite returns: figures with n and a 95% interval, and notes in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, field_serializer

from solon.consensus.ballots import Floats
from solon.consensus.binomial import clopper_pearson
from solon.consensus.resample import bootstrap, mean_interval

LEAST = 5
"""Under so many answers, items or records a figure is not told in words: its interval would seem to mean something."""
NO_RECORDS = "there are no records in force; `solon status` says where the runs stand"
"""What to do where a suite reads records and there are none."""
ASK_EXPERTS = (
    "let experts answer, each with a token of their own: `solon expert add NAME`, then `solon review serve`"
)
"""The next step where nothing can be measured because no expert's answer counts."""


class Figure(BaseModel):
    """A figure with its 95% interval.

    Attributes:
        value: the figure; None where nothing can be said.
        low: lower end of the interval.
        high: upper end of the interval.
        n: over how many things it was taken.
        why: why there is no value or no proper interval; empty where there are both. As JSON it says, too, that `n` is
            too small for the value to be told in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float | None
    low: float
    high: float
    n: int
    why: str = ""

    @field_serializer("why")
    def _tell_why(self, why: str) -> str:
        return why or ("" if self.value is None else self.why_unknown)

    @property
    def known(self) -> bool:
        """Whether there is a value, and it rests on enough to be told."""
        return self.value is not None and self.n >= LEAST

    @property
    def why_unknown(self) -> str:
        """Why it is not told, in words with its n; empty where it is."""
        if self.value is None:
            return f"{self.why or 'nothing to measure'}, n = {self.n}"
        return "" if self.known else f"too few, n = {self.n}, {LEAST} are the least"


class SuiteResult(BaseModel):
    """Root of the results of all suites. One of a package may say by `headline` and `next_step` what comes first.

    Attributes:
        suite: name of the suite.
        n: records, decisions or items that it looked at.
        notes: what a reader of the figures should know, in plain words.
        meanings: of a field, or a key within one, what is printed beside its name; of `n` what was counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    meanings: ClassVar[Mapping[str, str]] = {}

    suite: str
    n: int
    notes: tuple[str, ...] = ()

    def headline(self) -> dict[str, Figure]:
        """The figures that matter most, by what they are in words: three of them, or the first three that there are."""
        figures = ((name.replace("_", " "), value) for name, value in self)
        return dict([(name, value) for name, value in figures if isinstance(value, Figure)][:3])

    def next_step(self) -> str:
        """What to do now, in words with the command; empty where there is nothing."""
        return "" if self.n else ASK_EXPERTS


def spell_name(name: str, words: Mapping[str, str]) -> str:
    """Return the name of a field as it is printed, with the words that explain it where there are some."""
    told = name.replace("_", " ")
    return f"{told} ({words[name]})" if name in words else told


def rate(hits: float, n: int, why: str = "nothing to measure") -> Figure:
    """Return a share with its exact interval (Clopper and Pearson 1934); half hits (ties) widen it to both
    sides.

    Args:
        why: said where `n` is 0.
    """
    if n == 0:
        return Figure(value=None, low=0.0, high=1.0, n=0, why=why)
    low, high = clopper_pearson(math.floor(hits), n)[0], clopper_pearson(math.ceil(hits), n)[1]
    return Figure(value=hits / n, low=low, high=high, n=n)


def mean(values: Sequence[float] | Floats, seed: int = 0, why: str = "nothing to measure") -> Figure:
    """Return a mean with its bootstrap interval over items; a single value says nothing of the spread.

    Args:
        why: said where there are no values.
    """
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return Figure(value=None, low=0.0, high=0.0, n=0, why=why)
    low, high = mean_interval(array, seed=seed)
    return Figure(value=float(array.mean()), low=low, high=high, n=len(array))


def calibration_interval(
    measure: Callable[[Floats, Floats], float], said: Floats, right: Floats, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% bootstrap interval, over items, of an error of confidences.

    Args:
        measure: the error of confidences against whether they were right.
        said: the confidences.
        right: 1, 0, or one half.
    """
    return bootstrap(len(said), lambda rows: measure(said[rows], right[rows]), seed=seed)


def nothing(why: str, n: int = 0, low: float = 0.0, high: float = 1.0) -> Figure:
    """Return a figure that cannot be given, with the widest interval that it could have."""
    return Figure(value=None, low=low, high=high, n=n, why=why)


def spell_share(figure: Figure) -> str:
    """Return a share in percent, or that it is unknown."""
    return f"{figure.value:.1%}" if figure.known else "unknown"


def spell_interval(figure: Figure, percent: bool = True) -> str:
    """Return the interval and n in words, or why there is no figure."""
    if not figure.known:
        return figure.why_unknown
    low, high = (f"{v:.1%}" if percent else f"{v:.2f}" for v in (figure.low, figure.high))
    return f"{low} to {high}; n = {figure.n}"
