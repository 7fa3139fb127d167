"""Which outcome a voter names for which: class prior and confusions as estimators. Imports numpy only.

A share of an outcome that a voter named adds, to the logit of each outcome, the log of the chance that such a voter
names it where that outcome is right (naive Bayes). For accept and reject these are two error rates, so that a lenient
judge's `accept` says little and its `reject` much. The matrix of the whole panel is shrunk to right on .7 and else
blind, a voter's own to the panel's, as its labels grow. With undecided items the counts are those of Dawid and Skene
(1979) with the decided ones clamped. Left-out logits are exact in the counts of the decided items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.candidates import CONFUSIONS, FLEXIBILITY_COST, Candidate
from solon.consensus.logit import fit_logit, log_softmax
from solon.consensus.model import PRIOR_ACCURACY

TABLES = ((None, 0.5), (16.0, 0.75), (4.0, 1.0))
"""Pseudo-counts of the panel's matrix in a voter's own (None: the panel's for all), flexibility."""
CLAMPED = ((None, 0.5), (4.0, 1.0))
"""The same with undecided items."""
FOLDS = 5
"""Parts of the decisions, each predicted by a fit in which it is undecided."""
PANEL = 2.0
"""Pseudo-counts of a cell of the panel's own matrix, on average over a row."""
MOST_CELLS = 10_000
"""With more cells in all voters' matrices there is one for all: nobody has labels enough to fill them."""
MOST_AT_ONCE = 2_000_000
"""Cells of left-out matrices that are in memory at once."""
SPARSE = 0.05
"""With fewer of the cells filled, as of a crowd where few answer each item, only the filled ones are added up."""
ENOUGH = 1e-3
"""Mean change of a probability under which no further round is made."""
ROUNDS = 20
"""Most rounds of expectation and maximisation."""


def confusion_candidates(
    ballots: Ballots, rows: Ints, target: Floats, correlation: float
) -> Iterator[Candidate]:
    """Yield the estimators that know of a class prior and of confusions; none without decisions.

    Args:
        rows: the decided items.
        target: (len(rows), K) probability of each outcome.
        correlation: prior correlation of voters' errors.
    """
    if not len(rows) or not ballots.voters:
        return
    tables = _Tables(ballots, rows, target, correlation)
    yield tables.commonest()
    k = len(ballots.outcomes)
    small = (len(ballots.voters) + 1) * k * k <= MOST_CELLS
    for strength, cost in TABLES if small else TABLES[:1]:
        yield tables.candidate("confusions", strength, cost, small)
    for strength, cost in CLAMPED if small and len(ballots) > len(rows) >= FOLDS else ():
        yield tables.candidate("dawid-skene", strength, cost, small, clamped=True)


class _Tables:
    """Counts of what voters said of decided items, and the logits that follow from such counts."""

    def __init__(self, ballots: Ballots, rows: Ints, target: Floats, correlation: float) -> None:
        self.shares, self.rows, self.target = ballots.shares, rows, target
        self.n_voters, self.k = ballots.shares.shape[1:]
        self.n_channels = len(ballots.channels)
        self.said = self.shares.sum(axis=1)
        self.flat = self.shares.reshape(len(self.shares), -1)
        there = np.nonzero(self.flat)
        sparse = len(there[0]) < SPARSE * self.flat.size
        self.cells = (*there, self.flat[there]) if sparse else None
        spoke = int((ballots.active.sum(axis=1) > 0.0).sum())
        present = float(ballots.active.sum()) / max(spoke, 1)
        self.scale = 1.0 / (1.0 + correlation * max(0.0, present - 1.0))
        self.prior = PANEL * self.k * _prior(self.said)
        own = self.shares[rows].reshape(len(rows), -1)
        self.gold = (target.T @ own).reshape(self.k, self.n_voters, self.k).transpose(1, 0, 2)
        self.item, self.voter = np.nonzero(ballots.active[rows])
        self.cast = self.shares[rows][self.item, self.voter]

    def candidate(
        self, name: str, strength: float | None, cost: float, by_voter: bool, clamped: bool = False
    ) -> Candidate:
        """The estimator of such tables; prior and votes each get one learned scale (the votes' around what
        correlated voters are worth, both with standard deviation one half)."""
        if clamped:
            counts = self._clamped(np.arange(len(self.rows)), strength)[0]
            left_out = self._votes_held_out(strength)
        else:
            counts, left_out = self.gold, self._votes_left_out(strength)
        x = np.stack([np.log(self._base_left_out()), left_out], axis=2)
        fit = fit_logit(x, self.target, np.array([1.0, self.scale]), np.full(2, 4.0))
        flat = np.zeros(2 * self.n_voters + self.n_channels + self.k)
        flat[-self.k :] = fit.weights[0] * np.log(self._base(self.target))
        log_table = np.log(self._table(counts, strength)) * fit.weights[1]
        pooled = np.log(self._table(counts, None)) * fit.weights[1]
        if by_voter:
            whole = np.broadcast_to(log_table, (self.n_voters, self.k, self.k))
            log_table = np.concatenate([whole, pooled])
        table = log_table.transpose(0, 2, 1)
        table = table - table.mean(axis=2, keepdims=True)
        kind = "panel" if strength is None else f"{strength:g}"
        score = fit.score - FLEXIBILITY_COST * cost
        return Candidate(f"{name}-{kind}", flat, fit.left_out, score, confusion=table, family=CONFUSIONS)

    def _clamped(self, known: Ints, strength: float | None) -> tuple[Floats, Floats]:
        """Counts (V, K, K) with undecided items too, by expectation and maximisation, and what the votes add to every
        item's logits; the decisions ``known`` stay. The class prior of all items guides it and is not handed on: that
        of the decisions is not led astray by where the voters err."""
        rows, target = self.rows[known], self.target[known]
        believed = np.zeros((len(self.shares), self.k))
        believed[rows] = target
        silent = self.said.sum(axis=1) == 0.0
        for _ in range(ROUNDS):
            base = self._base(believed)
            counts = self._count(believed)
            whole = np.broadcast_to(np.log(self._table(counts, strength)), (self.n_voters, self.k, self.k))
            votes = self._add_up(whole.transpose(0, 2, 1).reshape(-1, self.k))
            moved = np.exp(log_softmax(votes * self.scale + np.log(base)))
            moved[silent] = 0.0
            moved[rows] = target
            change = float(np.abs(moved - believed).mean())
            believed = moved
            if change < ENOUGH:
                break
        return counts, votes

    def _count(self, believed: Floats) -> Floats:
        """(V, K, K) how much each voter named each outcome (last axis) of what is believed to be which."""
        if self.cells is None:
            counts = believed.T @ self.flat
        else:
            item, cell, share = self.cells
            size = self.flat.shape[1]
            counts = np.stack([np.bincount(cell, share * column[item], size) for column in believed.T])
        return np.asarray(counts.reshape(self.k, self.n_voters, self.k).transpose(1, 0, 2))

    def _add_up(self, weight: Floats) -> Floats:
        """(n, K) what all votes on each item add. `weight`: (V * K, K), of each vote for each outcome."""
        if self.cells is None:
            return np.asarray(self.flat @ weight)
        item, cell, share = self.cells
        n = len(self.flat)
        return np.stack([np.bincount(item, share * column[cell], n) for column in weight.T], axis=1)

    def _votes_held_out(self, strength: float | None) -> Floats:
        """(n, K) what the votes on each decided item add, by fits in which its fold is undecided."""
        n = len(self.rows)
        out = np.zeros((n, self.k))
        for fold in range(FOLDS):
            held = np.arange(n) % FOLDS == fold
            out[held] = self._clamped(np.flatnonzero(~held), strength)[1][self.rows[held]]
        return out

    def commonest(self) -> Candidate:
        """The prior alone: no verdict says anything."""
        flat = np.zeros(2 * self.n_voters + self.n_channels + self.k)
        flat[-self.k :] = np.log(self._base(self.target))
        left_out = np.log(self._base_left_out())
        score = float((self.target * log_softmax(left_out)).sum())
        return Candidate("commonest", flat, left_out, score - FLEXIBILITY_COST, family=CONFUSIONS)

    def _base(self, believed: Floats) -> Floats:
        counts = believed.sum(axis=0) + 1.0
        return np.asarray(counts / counts.sum())

    def _base_left_out(self) -> Floats:
        rest = self.target.sum(axis=0) - self.target + 1.0
        return np.asarray(rest / (len(self.target) - 1.0 + self.k))

    def _table(self, counts: Floats, strength: float | None) -> Floats:
        """Chance of each label (last axis) by the right outcome: (V, K, K), or (1, K, K) of the whole panel."""
        panel = counts.sum(axis=0, keepdims=True)
        panel = (panel + self.prior) / (panel + self.prior).sum(axis=2, keepdims=True)
        if strength is None:
            return np.asarray(panel)
        return np.asarray((counts + strength * panel) / (counts.sum(axis=2, keepdims=True) + strength))

    def _votes_left_out(self, strength: float | None) -> Floats:
        """(n, K) what the votes on each decided item add, by the tables of the others."""
        counts = self.gold
        n, k = self.target.shape
        out = np.zeros((n, k))
        panel, said = counts.sum(axis=0), self.said[self.rows]
        per_item = k * k * (1 if strength is None else max(1, len(self.item) // max(n, 1)))
        step = max(1, MOST_AT_ONCE // per_item)
        for start in range(0, n, step):
            part = slice(start, start + step)
            without = panel - self.target[part, :, None] * said[part, None, :]
            table = (without + self.prior) / (without + self.prior).sum(axis=2, keepdims=True)
            if strength is None:
                out[part] = np.einsum("njl,nl->nj", np.log(table), said[part])
                continue
            entries = slice(*np.searchsorted(self.item, [start, start + step]))
            item, cast = self.item[entries], self.cast[entries]
            own = counts[self.voter[entries]] - self.target[item][:, :, None] * cast[:, None, :]
            own = (own + strength * table[item - start]) / (own.sum(axis=2, keepdims=True) + strength)
            np.add.at(out, item, np.einsum("ejl,el->ej", np.log(own), cast))
        return out


def _prior(said: Floats) -> Floats:
    """Chance of each label by the right outcome, before any decision: right on `PRIOR_ACCURACY`, and blind else, as
    often each label as the panel says it."""
    k = said.shape[1]
    often = (said.sum(axis=0) + 1.0) / (said.sum() + k)
    seeing = (PRIOR_ACCURACY - 1.0 / k) / (1.0 - 1.0 / k) if 1.0 / k < PRIOR_ACCURACY else 0.0
    return np.asarray(seeing * np.eye(k) + (1.0 - seeing) * often[None, :])
