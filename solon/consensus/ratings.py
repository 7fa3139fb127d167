"""From what judges score a single text to the log odds that experts accept it: estimators. Imports numpy only.

A judge's mean by the rubric is told apart from its own mean over all judged items, in its own standard deviations, so
that a lenient judge's 4 and a strict one's 3 can say the same. On that scale all judges share a map, from which each
deviates as its decisions grow: a line, a non-decreasing curve (steps that would fall are left out, as in isotonic
regression), or a line per criterion. All are logistic regressions with a Gaussian prior (see `logit`), and what they
are worth beside the plain cut follows from how well they predict left-out decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from solon.consensus.ballots import Ballots, Bools, Floats, Ints
from solon.consensus.candidates import FLEXIBILITY_COST, SCORES, Candidate, average
from solon.consensus.logit import LogitFit, fit_logit

LEVELS = np.array([-3.0, -1.5, -0.75, 0.0, 0.75, 1.5, 3.0])
"""Where a judge's map is known, in its standard deviations from its mean; straight between them, flat outside."""
SHRUNK = 5.0
"""Verdicts' worth by which a judge's mean and deviation are drawn to the panel's."""
BASE_SPREAD = 2.0
"""Prior standard deviation of the log odds of acceptance at a judge's mean."""
SLOPE = (1.0, 0.75)
"""Prior mean and standard deviation of the log odds that one standard deviation adds, of a judge that stands alone."""
OWN_SPREAD = 0.4
"""Prior standard deviation by which a judge's slope deviates from the panel's, in units of the slope."""
STEP_SPREAD = 0.7
"""Prior standard deviation by which the slope of a step of the curve deviates from the panel's."""
CRITERION_SPREAD = 0.5
"""Prior standard deviation of a criterion's part beyond the rubric's, in units of the slope."""


def rating_candidates(
    ballots: Ballots, rows: Ints, target: Floats, correlation: float, rubric: Mapping[str, float]
) -> Iterator[Candidate]:
    """Yield the estimators that know scores; none without decisions, without scores, or where all scores of every
    judge are the same.

    Args:
        rows: the decided items.
        target: (len(rows), 2) probability of each outcome.
        correlation: prior correlation of judges' errors.
        rubric: weight by criterion; empty: all alike.
    """
    if not len(rows) or not ballots.criteria:
        return
    scores = _Scores(ballots, rows, target, correlation, rubric)
    if not scores.varies.any():
        return
    yield scores.line()
    if len(ballots.voters) > 1:
        yield scores.own_lines()
    yield scores.curve()
    if len(ballots.criteria) > 1:
        yield scores.by_criterion()


@dataclass(frozen=True, slots=True)
class Maps:
    """What mean scores add to the log odds of the first outcome.

    Attributes:
        rubric: (R,) weight of each criterion in the mean.
        levels: (V + 1, L) means at which the maps are known, the last for voters of whom nothing is known.
        values: (V + 1, L) what is added there.
        criteria: (R,) what a point over the mean adds, by criterion.
    """

    rubric: Floats
    levels: Floats
    values: Floats
    criteria: Floats

    def log_odds(self, ballots: Ballots) -> Floats:
        """Return what all voters' scores add together, (n,)."""
        mean = rubric_means(ballots.rated, self.rubric)
        out = np.nan_to_num(ballots.rated - mean[:, :, None]).sum(axis=1) @ self.criteria
        for v in range(mean.shape[1]):
            added = np.interp(mean[:, v], self.levels[v], self.values[v])
            out += np.where(np.isnan(mean[:, v]), 0.0, added)
        return np.asarray(out)


def average_maps(
    ballots: Ballots, share: Floats, candidates: Sequence[Candidate], rubric: Mapping[str, float]
) -> Maps | None:
    """Return the average of the candidates' maps by share; None where none has any."""
    values = average(share, [c.ratings for c in candidates])
    if values is None:
        return None
    weights = rubric_weights(ballots.criteria, rubric)
    centre, spread, _ = _scales(rubric_means(ballots.rated, weights))
    criteria = average(share, [c.criteria for c in candidates])
    levels = centre[:, None] + spread[:, None] * LEVELS
    return Maps(weights, levels, values, np.zeros(len(weights)) if criteria is None else criteria)


def rubric_means(rated: Floats, weights: Floats) -> Floats:
    """Return the mean over the last axis by weight, of the criteria that have a score; NaN where none has."""
    there = ~np.isnan(rated)
    total = (there * weights).sum(axis=-1)
    value = np.where(there, rated, 0.0) @ weights
    return np.asarray(np.where(total > 0.0, value / np.where(total > 0.0, total, 1.0), np.nan))


def rubric_weights(criteria: tuple[str, ...], rubric: Mapping[str, float]) -> Floats:
    """Return the weight of each criterion: the rubric's, or 1 each where it knows none of them."""
    weights = np.array([rubric.get(name, 0.0) for name in criteria])
    return weights if weights.sum() > 0.0 else np.ones(len(criteria))


class _Scores:
    """Means of all judges on their own scales, and what regressions on them say."""

    def __init__(
        self, ballots: Ballots, rows: Ints, target: Floats, correlation: float, rubric: Mapping[str, float]
    ) -> None:
        self.rows, self.target = rows, target
        self.n_voters, self.n_channels = len(ballots.voters), len(ballots.channels)
        mean = rubric_means(ballots.rated, rubric_weights(ballots.criteria, rubric))
        self.centre, self.spread, self.varies = _scales(mean)
        z = (mean - self.centre[:-1]) / self.spread[:-1]
        self.z = np.clip(np.where(self.varies & ~np.isnan(z), z, 0.0), LEVELS[0], LEVELS[-1])[rows]
        self.apart = np.nan_to_num(ballots.rated - mean[:, :, None])[rows]
        self.damp = 1.0 / (1.0 + correlation * max(0, int(self.varies.sum()) - 1))

    def line(self) -> Candidate:
        """A line of the standard score that all judges share."""
        fit, w = self._fit(self.z.sum(axis=1)[:, None], *np.array(SLOPE)[:, None])
        return self._candidate("scores-line", fit, self._maps(w[0] * LEVELS), 0.5)

    def own_lines(self) -> Candidate:
        """A line of the standard score, from which every judge deviates; one whose line would fall is left out."""
        z, n = self.z.copy(), self.n_voters
        means, spreads = np.zeros(n + 1), np.full(n + 1, OWN_SPREAD)
        means[0], spreads[0] = SLOPE
        while True:
            fit, w = self._fit(np.column_stack([z.sum(axis=1), z]), means, spreads, rising=1)
            falling = (w[0] + w[1:] < 0.0) & z.any(axis=0)
            if not falling.any():
                break
            z[:, falling] = 0.0
        own = (w[0] + w[1:]) * z.any(axis=0)
        return self._candidate("scores-own", fit, self._maps(w[0] * LEVELS, own[:, None] * LEVELS), 1.0)

    def curve(self) -> Candidate:
        """A non-decreasing curve of the standard score that all judges share."""
        wide = np.diff(LEVELS)
        climbed = np.clip((self.z[:, :, None] - LEVELS[:-1]) / wide, 0.0, 1.0)
        from_middle = climbed - np.clip(-LEVELS[:-1] / wide, 0.0, 1.0)
        fit, w = self._fit(from_middle.sum(axis=1), SLOPE[0] * wide, STEP_SPREAD * wide)
        rise = np.concatenate([[0.0], np.cumsum(w)])
        return self._candidate("scores-curve", fit, self._maps(rise - np.interp(0.0, LEVELS, rise)), 1.0)

    def by_criterion(self) -> Candidate:
        """A line of the standard score and, by criterion, of what its score lies over the judge's mean."""
        apart = self.apart.sum(axis=1) / self.spread[-1]
        spreads = np.full(apart.shape[1] + 1, CRITERION_SPREAD)
        means = np.zeros(len(spreads))
        means[0], spreads[0] = SLOPE
        features = np.column_stack([self.z.sum(axis=1), apart])
        fit, w = self._fit(features, means, spreads, rising=1)
        made = self._candidate("scores-criteria", fit, self._maps(w[0] * LEVELS), 1.0)
        return replace(made, criteria=w[1:] / self.spread[-1])

    def _fit(
        self, features: Floats, means: Floats, spreads: Floats, rising: int | None = None
    ) -> tuple[LogitFit, Floats]:
        """The regression on an intercept and the features, and what each feature adds to the log odds.

        The first ``rising`` features (None: all) are left out where they would count against acceptance.
        """
        n, f = features.shape
        x = np.zeros((n, 2, f + 1))
        x[:, 0, 0], x[:, 0, 1:] = 1.0, features * self.damp
        mean, precision = np.append(0.0, means), np.append(BASE_SPREAD, spreads) ** -2.0
        checked = np.arange(f + 1) <= (f if rising is None else rising)
        checked[0] = False
        keep = np.ones(f + 1, dtype=bool)
        while True:
            fit = fit_logit(x[:, :, keep], self.target, mean[keep], precision[keep])
            w = np.zeros(f + 1)
            w[keep] = fit.weights
            falling = checked & (w < 0.0)
            if not falling.any():
                return replace(fit, weights=w), w[1:] * self.damp
            keep &= ~falling

    def _maps(self, common: Floats, own: Floats | None = None) -> Floats:
        """(V + 1, L) the map of each voter, the last for voters of whom nothing is known."""
        maps = np.broadcast_to(common, (self.n_voters, len(LEVELS))) if own is None else own
        return np.concatenate([np.where(self.varies[:, None], maps, 0.0), common[None, :]])

    def _candidate(self, name: str, fit: LogitFit, ratings: Floats, cost: float) -> Candidate:
        flat = np.zeros(2 * self.n_voters + self.n_channels + 2)
        flat[-2:] = fit.weights[0] / 2.0, -fit.weights[0] / 2.0
        score = fit.score - FLEXIBILITY_COST * cost
        return Candidate(name, flat, fit.left_out, score, ratings=ratings, family=SCORES)


def _scales(mean: Floats) -> tuple[Floats, Floats, Bools]:
    """Mean and deviation of each voter's scores (V + 1), the last of the whole panel, and which voters vary (V)."""
    there = ~np.isnan(mean)
    n = there.sum(axis=0)
    filled = np.where(there, mean, 0.0)
    all_scores = mean[there]
    middle, wide = float(all_scores.mean()), max(float(all_scores.std()), 1e-6)
    centre = (filled.sum(axis=0) + SHRUNK * middle) / (n + SHRUNK)
    square = (np.where(there, mean - centre, 0.0) ** 2).sum(axis=0)
    spread = np.sqrt((square + SHRUNK * wide**2) / (n + SHRUNK))
    own = np.where(there, mean, -np.inf).max(axis=0) - np.where(there, mean, np.inf).min(axis=0)
    return np.append(centre, middle), np.append(spread, wide), own > 1e-9
