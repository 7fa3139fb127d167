"""Reliability of judges from few decisions: several estimators, averaged by how well they predict left-out ones.

Imports numpy only. Estimators: all judges alike; agreement among judges (no decisions needed); shrunk
naive Bayes per voter and per voter and order; a regularised conditional logit, which discounts judges that
err together; where the outcomes are more than two places, class prior and confusions, and maps from scores (modules
`confusions` and `ratings`). Weights of the average are pseudo-Bayesian: exp(leave-one-out log likelihood + log prior)
(Geisser and Eddy 1979; Yao et al. 2018, section 3.4), so the passage from no decision to many is smooth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.binomial import tail_at_most
from solon.consensus.candidates import FLEXIBILITY_COST, WEIGHTS, Candidate, average, share_out
from solon.consensus.confusions import confusion_candidates
from solon.consensus.logit import fit_logit, log_softmax
from solon.consensus.model import PRIOR_ACCURACY, PRIOR_CORRELATION
from solon.consensus.panel import is_directed
from solon.consensus.ratings import Maps, average_maps, rating_candidates
from solon.consensus.silence import silence_candidate

NAIVE_BAYES = ((2.0, 0.0, 1.0), (8.0, 0.0, 0.5), (32.0, 0.0, 0.25), (4.0, 4.0, 1.0), (4.0, 16.0, 0.75))
"""Pseudo-counts for a voter, for its channels around it (0: none), flexibility."""
LOGIT = ((0.3, 0.25), (1.0, 1.0), (2.0, 1.5))
"""Prior standard deviation of a voter's weight, flexibility."""
MOST_FEATURES = 80
"""With more, the logit looks at voters only; with more voters than this it is left out (time, not accuracy)."""
MOST_WORK = 200_000_000
"""Multiplications in a step of the logit; where voters, outcomes and decisions ask for more, it is left out."""
AGREEMENT_PRIOR = -3.0
"""Log prior of agreement-based weights for judges that may share errors (models); 0 for independent people. A twentieth
of the average, before any decision: it decides where the plain verdicts are level, and turns no lead of theirs.
"""
VOTER_PRIOR = -3.0
"""Log prior of counting every voter alike, however many seats, orders and samples it answered by."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds weights that were learned from decisions, see ``ConsensusModel``.

    Attributes:
        voter: (V,) of each voter.
        channel: (C,) deviation of each channel from its voter.
        position: (V,) by which each voter leans to the answer shown first.
        base: (K,) of each outcome.
        left_out: (n, K) logits of each decided item from fits without it.
        mixture: share of each estimator in the average.
        plain: share of the estimators that weigh a voter by one number, and so know what a new one is worth.
        confusion: what shares add to the logits, see `Candidate`; None: nothing.
        ratings: what mean scores add; None: nothing.
        silence: (V, K) what a voter's silence adds to each outcome; None: nothing.
    """

    voter: Floats
    channel: Floats
    position: Floats
    base: Floats
    left_out: Floats
    mixture: Mapping[str, float]
    plain: float = 1.0
    confusion: Floats | None = None
    ratings: Maps | None = None
    silence: Floats | None = None

    def logits(self, ballots: Ballots) -> Floats:
        """Return the logits (n, K) of any items of the same panel."""
        out = np.tensordot(ballots.shares, self.voter, axes=(1, 0)) + self.base
        if self.channel.any():
            out += np.tensordot(ballots.channel, self.channel, axes=(1, 0))
        if self.position.any() and out.shape[1] == 2:
            lean = ballots.lean @ self.position / 2.0
            out += np.column_stack([-lean, lean])
        if self.confusion is not None:
            tables = np.broadcast_to(
                self.confusion[: len(self.voter)], (len(self.voter), *self.confusion.shape[1:])
            )
            out += np.tensordot(ballots.shares, tables, axes=2)
        if self.silence is not None:
            out += ballots.silent @ self.silence
        if self.ratings is not None:
            out[:, 0] += self.ratings.log_odds(ballots)
        return np.asarray(out)


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to count votes: what the features (F,) are multiplied by before anything is fitted."""

    name: str
    unit: Floats
    log_prior: float


def learn_weights(
    ballots: Ballots,
    rows: Ints,
    target: Floats,
    *,
    correlation: float = PRIOR_CORRELATION,
    turn_after: int = 20,
    early_turn: bool = True,
    directed: bool | None = None,
    rubric: Mapping[str, float] | None = None,
) -> Weights:
    """Return the weights learned from decisions on some rows of the ballots.

    A judge that looks worse than chance gets weight 0 until ``turn_after`` decisions and an exact binomial
    test at .05 show it. With ``early_turn`` estimators that turn it around earlier take part in the average
    too, and weigh what their left-out predictions earn. It takes a few milliseconds for ten channels and 100
    decisions.

    Args:
        rows: the decided items.
        target: (len(rows), K) probability of each outcome; rows sum to 1.
        correlation: prior correlation of judges' errors; 0 says that they are independent people.
        directed: whether the outcomes differ in kind, so that voters may lean to one of them, some are commoner,
            and scores speak of the first; None: all but the two places of a pair do.
        rubric: weight by criterion in a judge's mean score; None: all alike.
    """
    n_voters, k = len(ballots.voters), len(ballots.outcomes)
    evidence = _Evidence(ballots, rows, target, turn_after)
    w0 = math.log(PRIOR_ACCURACY * (k - 1) / (1.0 - PRIOR_ACCURACY)) / (
        1.0 + correlation * max(0, n_voters - 1)
    )
    design = _design(ballots.take(rows))
    directed = is_directed(ballots.outcomes) if directed is None else directed
    candidates = [
        found.counted(way.name, way.unit, way.log_prior)
        for way in _ways_to_count(ballots)
        for found in evidence.estimate(
            design * way.unit, _starts(ballots, way.unit, w0, correlation), correlation, early_turn, directed
        )
    ]
    if directed:
        candidates += confusion_candidates(ballots, rows, target, correlation)
        candidates += rating_candidates(ballots, rows, target, correlation, rubric or {}) if k == 2 else ()
    if directed and ballots.silent.any():
        candidates.append(silence_candidate(ballots, rows, target, correlation))
    share, candidates = share_out(candidates)
    flat = np.einsum("m,mf->f", share, np.stack([c.flat for c in candidates]))
    left_out = np.einsum("m,mnk->nk", share, np.stack([c.left_out for c in candidates]))
    cut = np.cumsum([n_voters, len(ballots.channels), n_voters])
    voter, channel, position, base = np.split(flat, cut)
    mixture = {c.name: float(s) for c, s in zip(candidates, share, strict=True)}
    plain = sum(mixture[c.name] for c in candidates if c.family == WEIGHTS)
    return Weights(
        voter, channel, position, base, left_out, mixture, plain,
        average(share, [c.confusion for c in candidates]), average_maps(ballots, share, candidates, rubric or {}),
        average(share, [c.silence for c in candidates]),
    )  # fmt: skip


def _design(ballots: Ballots) -> Floats:
    """(n, K, V + C + V + K): shares, channels, position and base features."""
    n, n_voters, k = ballots.shares.shape
    lean = np.zeros((n, k, n_voters))
    if k == 2:
        lean[:, 0] = -ballots.lean / 2.0
        lean[:, 1] = ballots.lean / 2.0
    base = np.broadcast_to(np.eye(k), (n, k, k))
    parts = [ballots.shares.transpose(0, 2, 1), ballots.channel.transpose(0, 2, 1), lean, base]
    return np.concatenate(parts, axis=2)


def _ways_to_count(ballots: Ballots) -> list[_Way]:
    """The ways to count voters of unequally many votes; one where all have equally many.

    A voter of eight seats has said more than one of a single seat, so its share counts by its votes over the panel's
    mean, as in a plain count of verdicts. How much more is not known beforehand, since its seats err together: that
    every voter counts alike is tried beside it, and left-out decisions choose.
    """
    alike, rest = np.ones(len(ballots.voters)), np.ones(len(ballots.voters) + len(ballots.outcomes))
    much = ballots.asked / ballots.asked.mean() if len(alike) else alike
    by_votes = _Way("", np.concatenate([much, much[ballots.owner], rest]), 0.0)
    if np.allclose(much, 1.0):
        return [by_votes]
    return [by_votes, _Way("-by-voter", np.ones_like(by_votes.unit), VOTER_PRIOR)]


def _starts(ballots: Ballots, unit: Floats, w0: float, correlation: float) -> list[tuple[str, Floats, float]]:
    """Weightings that need no decision, with a name and a log prior each: all voters alike, then by agreement."""
    n_voters = len(ballots.voters)
    alike = np.zeros(2 * n_voters + len(ballots.channels) + len(ballots.outcomes))
    alike[:n_voters] = w0
    if n_voters < 3 or len(ballots) <= n_voters or ballots.silent.any():
        return [("alike", alike, 0.0)]
    prior = 0.0 if correlation == 0.0 else AGREEMENT_PRIOR
    return [("alike", alike, 0.0), ("agreement", _from_agreement(ballots, unit, w0), prior)]


def _scaled(
    name: str, flat: Floats, logits: Floats, target: Floats, mean: float, log_prior: float
) -> Candidate:
    """A fixed weighting with one learned scale (prior: normal around ``mean``, standard deviation one
    half).
    """
    fit = fit_logit(logits[:, :, None], target, np.array([mean]), np.array([4.0]))
    return Candidate(name, flat * fit.weights[0], fit.left_out, fit.score + log_prior)


def _from_agreement(ballots: Ballots, unit: Floats, w0: float, rounds: int = 50) -> Floats:
    """One-coin EM over voters' shares (no decisions); weights rescaled to the mean of ``w0``, none below 0.

    Only the ratios are believed, never the certainty: judges that share errors agree without being right.
    """
    n_voters, k = len(ballots.voters), len(ballots.outcomes)
    weight = np.ones(n_voters)
    active = ballots.active
    count = active.sum(axis=0)
    for _ in range(rounds):
        posterior = np.exp(log_softmax(np.einsum("nvk,v->nk", ballots.shares, weight * unit[:n_voters])))
        hits = (np.einsum("nvk,nk->nv", ballots.shares, posterior) * active).sum(axis=0)
        p = (hits + 2.0 * PRIOR_ACCURACY) / (count + 2.0)
        moved = np.maximum(np.log(p * (k - 1) / (1.0 - p)), 0.0)
        done = float(np.abs(moved - weight).max()) < 1e-4
        weight = moved
        if done:
            break
    flat = np.zeros(n_voters + len(ballots.channels) + n_voters + k)
    mean = float(weight.mean())
    flat[:n_voters] = weight * (w0 / mean) if mean > 0.0 else w0
    return flat


class _Evidence:
    """What the decisions say of each voter and channel."""

    def __init__(self, ballots: Ballots, rows: Ints, target: Floats, turn_after: int) -> None:
        self.target = target
        self.owner = ballots.owner
        self.k = len(ballots.outcomes)
        self.n_voters, self.n_channels = len(ballots.voters), len(ballots.channels)
        self.active = ballots.active[rows]
        self.hits = np.einsum("nvk,nk->nv", ballots.shares[rows], target) * self.active
        self.seen = ballots.seen[rows]
        whole = ballots.channel[rows].sum(axis=2)
        hit = np.einsum("nck,nk->nc", ballots.channel[rows], target)
        self.channel_hits = np.where(whole > 0.0, hit / np.where(whole > 0.0, whole, 1.0), 0.0)
        n, c = self.active.sum(axis=0), self.hits.sum(axis=0)
        self.shown = np.array(
            [
                ni >= turn_after and tail_at_most(math.ceil(ci), int(ni), 1.0 / self.k) <= 0.05
                for ni, ci in zip(n, c, strict=True)
            ],
            dtype=bool,
        )
        several = np.bincount(ballots.owner, minlength=self.n_voters) > 1
        leaning = np.abs(ballots.lean).max(axis=0, initial=0.0) > 1e-9 if len(ballots) else several
        self.use = np.concatenate(
            [np.ones(self.n_voters, bool), several[ballots.owner], leaning & (self.k == 2)]
        )
        self.of = np.concatenate([np.arange(self.n_voters), ballots.owner, np.arange(self.n_voters)])

    def estimate(
        self,
        x: Floats,
        starts: Sequence[tuple[str, Floats, float]],
        correlation: float,
        early_turn: bool,
        directed: bool,
    ) -> list[Candidate]:
        """Every estimator on the features ``x`` of the decided items; the first of ``starts`` is all voters alike. Of
        outcomes that differ in kind, some may be commoner."""
        found = [_scaled(name, flat, x @ flat, self.target, 1.0, prior) for name, flat, prior in starts]
        if not len(x):
            return found
        alike = starts[0][1]
        quick = self.n_voters <= MOST_FEATURES and len(x) * self.k * self.n_voters**2 <= MOST_WORK
        for turned in (False, True) if early_turn else (False,):
            for strength, near, cost in NAIVE_BAYES:
                found.append(self.naive_bayes(x, strength, near, turned, correlation, cost))
            for spread, cost in LOGIT if quick else ():
                found.append(self.logit(x, alike, spread, turned, cost, with_base=False))
        for spread, cost in LOGIT if directed and quick and self.n_voters + self.k <= MOST_FEATURES else ():
            found.append(self.logit(x, alike, spread, early_turn, cost + 0.5, with_base=True))
        return found

    def naive_bayes(
        self, x: Floats, strength: float, near: float, turned: bool, correlation: float, cost: float
    ) -> Candidate:
        """Independent judges, accuracies shrunk to the prior; leave-one-out exact in the counts."""
        n, c = self.active.sum(axis=0), self.hits.sum(axis=0)
        prior = PRIOR_ACCURACY * strength
        p = (c + prior) / (n + strength)
        p_out = (c - self.hits + prior) / (n - self.active + strength)
        flat = np.zeros(x.shape[2])
        v, ch = self.n_voters, self.n_voters + self.n_channels
        voters = np.arange(v)
        if near == 0.0:
            flat[:v] = self._log_odds(p, voters, turned)
            logits = np.einsum("nkv,nv->nk", x[:, :, :v], self._log_odds(p_out, voters, turned))
        else:
            m, h = self.seen.sum(axis=0), (self.channel_hits * self.seen).sum(axis=0)
            q = (h + near * p[self.owner]) / (m + near)
            q_out = (h - self.channel_hits * self.seen + near * p_out[:, self.owner]) / (m - self.seen + near)
            flat[v:ch] = self._log_odds(q, self.owner, turned)
            logits = np.einsum("nkc,nc->nk", x[:, :, v:ch], self._log_odds(q_out, self.owner, turned))
        scale = 1.0 / (1.0 + correlation * max(0, v - 1))
        name = f"naive-bayes-{strength:g}-{near:g}{'-turned' if turned else ''}"
        return _scaled(name, flat, logits, self.target, scale, -FLEXIBILITY_COST * cost)

    def _log_odds(self, p: Floats, owner: Ints, turned: bool) -> Floats:
        weight = np.log(p * (self.k - 1) / (1.0 - p))
        return weight if turned else np.where(self.shown[owner], weight, np.maximum(weight, 0.0))

    def logit(
        self, x: Floats, centre: Floats, spread: float, turned: bool, cost: float, with_base: bool
    ) -> Candidate:
        """Conditional logit; voters below 0 that are not shown to be worse than chance are left out."""
        f, v = x.shape[2], self.n_voters
        precision = np.full(f, 4.0 / spread**2)
        precision[:v] = 1.0 / spread**2
        keep: NDArray[np.bool_] = np.concatenate([self.use, np.full(self.k, with_base)])
        if int(keep.sum()) > MOST_FEATURES:
            keep[v : v + self.n_channels] = False
        owner = np.concatenate([self.of, np.full(self.k, -1)])
        name = f"logit-{spread:g}{'-turned' if turned else ''}{'-base' if with_base else ''}"
        while True:
            fit = fit_logit(x[:, :, keep], self.target, centre[keep], precision[keep])
            flat = np.zeros(f)
            flat[keep] = fit.weights
            below = (flat[:v] < 0.0) & ~self.shown & keep[:v]
            if turned or not below.any():
                return Candidate(name, flat, fit.left_out, fit.score - FLEXIBILITY_COST * cost)
            keep = keep & ~np.isin(owner, np.flatnonzero(below))
