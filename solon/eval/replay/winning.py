"""How often an author's answers win, and how often they would at equal length. Imports numpy and statistics only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Floats
from solon.consensus.logit import fit_logit
from solon.consensus.resample import bootstrap
from solon.eval.result import Figure, nothing, rate

DRAWS = 200
FEWEST = 10
PRECISION = np.array([0.1, 0.1])


@dataclass(frozen=True, slots=True)
class Duel:
    """Two answers by different authors that were compared.

    Attributes:
        first: author of the first answer.
        second: author of the second answer.
        lengths: characters of the first and of the second.
        won: share of the verdicts for the first, in [0, 1].
    """

    first: str
    second: str
    lengths: tuple[int, int]
    won: float


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


def measure_wins(duels: Sequence[Duel], seed: int = 0) -> tuple[WinRate, ...]:
    """Return the win rate of every author against all others; none where all answers have one author."""
    rates = []
    for name in sorted({author for duel in duels for author in (duel.first, duel.second)}):
        own = [duel for duel in duels if name in (duel.first, duel.second)]
        won = np.array([duel.won if duel.first == name else 1.0 - duel.won for duel in own])
        longer = np.array([_longer(duel, name) for duel in own])
        rates.append(
            WinRate(name=name, raw=rate(float(won.sum()), len(own)), controlled=_control(won, longer, seed))
        )
    return tuple(rates)


def _longer(duel: Duel, name: str) -> float:
    mine, other = duel.lengths if duel.first == name else duel.lengths[::-1]
    return float(np.tanh(np.log1p(mine) - np.log1p(other)))


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
