"""How often an author's answers win, and how often they would at equal length. Imports numpy and statistics only."""

from __future__ import annotations

from array import array

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Floats
from solon.consensus.logit import fit_logit
from solon.consensus.resample import bootstrap
from solon.eval.result import Figure, nothing, rate

DRAWS = 200
FEWEST = 10
PRECISION = np.array([0.1, 0.1])


class Duels:
    """Pairs of answers by different authors that were compared: many are held, at 24 bytes each."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._sides, self._lengths, self._won = array("I"), array("I"), array("d")

    def add(self, first: str, second: str, lengths: tuple[int, int], won: float) -> None:
        """Add a pair.

        Args:
            first: author of the first answer.
            second: author of the second answer.
            lengths: characters of the first and of the second.
            won: share of the verdicts for the first, in [0, 1].
        """
        self._sides.extend(self._names.setdefault(name, len(self._names)) for name in (first, second))
        self._lengths.extend(lengths)
        self._won.append(won)

    def authors(self) -> list[str]:
        """Everyone who wrote one of the answers, by name."""
        return sorted(self._names)

    def of(self, author: str) -> tuple[Floats, Floats]:
        """Of an author's pairs: the share for the author's answer, and how much longer that is than the other."""
        side = np.asarray(self._sides).reshape(-1, 2) == self._names[author]
        own, first = side.any(axis=1), side[side.any(axis=1), 0]
        won, sizes = np.asarray(self._won)[own], np.log1p(np.asarray(self._lengths).reshape(-1, 2)[own])
        longer = np.tanh(sizes[:, 0] - sizes[:, 1])
        return np.where(first, won, 1.0 - won), np.where(first, longer, -longer)


class WinRate(BaseModel):
    """How often an author's answers win.

    Attributes:
        name: of the author.
        raw: how often the author's answers were preferred to those of others.
        controlled: the same at equal length, by a logistic model of author and length (after Dubois et al.
            2024, "Length-Controlled AlpacaEval").
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    raw: Figure
    controlled: Figure


def measure_wins(duels: Duels, seed: int = 0) -> tuple[WinRate, ...]:
    """Return the win rate of every author against all others; none where all answers have one author."""
    rates = []
    for name in duels.authors():
        won, longer = duels.of(name)
        rates.append(
            WinRate(name=name, raw=rate(float(won.sum()), len(won)), controlled=_control(won, longer, seed))
        )
    return tuple(rates)


def _control(won: Floats, longer: Floats, seed: int) -> Figure:
    n = len(won)
    if n < FEWEST:
        return nothing(f"fewer than {FEWEST} pairs with another author", n)
    value = _at_equal_length(won, longer)
    low, high = bootstrap(n, lambda rows: _at_equal_length(won[rows], longer[rows]), draws=DRAWS, seed=seed)
    return Figure(value=value, low=min(low, value), high=max(high, value), n=n)


def _at_equal_length(won: Floats, longer: Floats) -> float:
    side = np.stack([np.ones_like(longer), longer], axis=1)
    x = np.stack([side, np.zeros_like(side)], axis=1)
    fit = fit_logit(x, np.stack([won, 1.0 - won], axis=1), np.zeros(2), PRECISION)
    return float(1.0 / (1.0 + np.exp(-fit.weights[0])))
