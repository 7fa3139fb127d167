"""Calibration: maps from a score to the probability that an expert agrees, and measures of how good these
are.

Imports numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from solon.consensus.ballots import Floats, Ints
from solon.consensus.logit import fit_logit
from solon.consensus.model import Calibration

MINIMUM = 10
"""Fewer decisions than this calibrate nothing."""
LEAD = "lead"
"""Name of the signal of ``fit_confidence``, see ``panel.judge_item``."""
AHEAD = 1.0
"""Standard errors by which the plain lead must rank better before the posterior is dropped."""
Map = Callable[[Floats], Floats]


def _logit(p: Floats) -> Floats:
    q = np.clip(p, 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(q / (1.0 - q)))


def fit_platt(
    top: Floats, correct: Floats, signals: Floats | None = None, names: Sequence[str] = ()
) -> Calibration:
    """Return a calibration by Platt (1999) scaling of the log odds of ``top``, with signals as further
    evidence.

    The fit is shrunk, so that a handful of decisions changes little: the intercept to 0 and the slope to 1
    (standard deviation one half), the weights of standardised signals to 0 (one quarter). With fewer than
    ``MINIMUM`` items it is the calibration that changes nothing.

    Args:
        top: (n,) posterior probability of the best outcome.
        correct: (n,) in [0, 1], how far the best outcome was right.
        signals: (n, S) values of the signals.
        names: (S,) names of the signals.
    """
    n = len(top)
    if n < MINIMUM:
        return Calibration(n=n)
    extra = np.zeros((n, 0)) if signals is None else signals
    centre, spread = extra.mean(axis=0), extra.std(axis=0)
    safe = np.where(spread > 1e-9, spread, 1.0)
    unit = np.where(spread > 1e-9, (extra - centre) / safe, 0.0)
    feature = np.column_stack([np.ones(n), _logit(top), unit])
    x = np.zeros((n, 2, feature.shape[1]))
    x[:, 0] = feature
    mean = np.zeros(feature.shape[1])
    mean[1] = 1.0
    precision = np.full(feature.shape[1], 16.0)
    precision[:2] = 4.0
    w = fit_logit(x, np.column_stack([correct, 1.0 - correct]), mean, precision).weights
    raw = w[2:] / safe
    return Calibration(
        kind="platt",
        intercept=float(w[0] - raw @ centre),
        slope=float(max(w[1], 0.05)),
        signals={name: float(value) for name, value in zip(names, raw, strict=True)},
        n=n,
    )


def fit_confidence(
    top: Floats,
    lead: Floats,
    alike: Floats,
    correct: Floats,
    signals: Floats | None = None,
    names: Sequence[str] = (),
) -> Calibration:
    """Return a calibration by Platt scaling of the posterior, or of the plain lead where that ranks clearly better.

    A posterior can be sure for reasons that do not hold on these items. The posterior of each item was fitted without
    it, so that of two with the same verdicts the wrong one always looks surer: those are taken together before they
    are ranked. The lead must be ahead by a standard error.

    Args:
        top, correct, signals, names: as for ``fit_platt``.
        lead: (n,) share of the plain votes that went to the best outcome, less that of the next; under 0 where
            another one leads.
        alike: (n,) posterior of the best outcome by the fit on all: the same for items with the same verdicts.
    """
    found = fit_platt(top, correct, signals, names)
    if found.kind == "none":
        return found
    told = np.zeros((len(top), 0)) if signals is None else signals
    _, group = np.unique(np.round(alike, 6), return_inverse=True)
    together = np.bincount(group, _logit(top)) / np.bincount(group)
    ranked = found.slope * together[group] + told @ np.array([found.signals[name] for name in names])
    ahead, error = compare_auroc(lead, ranked, correct)
    return _platt_of_lead(lead, correct) if ahead > AHEAD * error else found


def _platt_of_lead(lead: Floats, correct: Floats) -> Calibration:
    """Shrunk as in ``fit_platt``: from no lead to all votes it is worth about as much as one point of log odds."""
    x = np.zeros((len(lead), 2, 2))
    x[:, 0] = np.column_stack([np.ones(len(lead)), lead])
    right = np.column_stack([correct, 1.0 - correct])
    w = fit_logit(x, right, np.array([0.0, 1.0]), np.array([1.0, 0.25])).weights
    return Calibration("platt", float(w[0]), 0.0, {LEAD: float(max(w[1], 0.05))}, n=len(lead))


def fit_isotonic(score: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """Return the knots and the non-decreasing values of an isotonic fit, between which one interpolates.

    The fit pools adjacent violators (Ayer et al. 1955).
    """
    order = np.argsort(score, kind="stable")
    xs, start = np.unique(score[order], return_index=True)
    weight = np.diff(np.append(start, len(score))).astype(np.float64)
    mean = np.add.reduceat(correct[order].astype(np.float64), start) / weight if len(xs) else np.zeros(0)
    values: list[float] = []
    sizes: list[float] = []
    spans: list[int] = []
    for value, size in zip(mean.tolist(), weight.tolist(), strict=True):
        values.append(value)
        sizes.append(size)
        spans.append(1)
        while len(values) > 1 and values[-2] >= values[-1]:
            total = sizes[-2] + sizes[-1]
            values[-2:] = [(values[-2] * sizes[-2] + values[-1] * sizes[-1]) / total]
            sizes[-2:] = [total]
            spans[-2:] = [spans[-2] + spans[-1]]
    return xs, np.repeat(np.array(values), np.array(spans, dtype=np.int64))


def calibrate_isotonic(top: Floats, correct: Floats) -> Calibration:
    """Return an isotonic calibration of the posterior, or the one that changes nothing with fewer than
    ``MINIMUM`` items.

    Its values are drawn towards the overall rate with the weight of one pseudo-decision.
    """
    n = len(top)
    if n < MINIMUM:
        return Calibration(n=n)
    knots, values = fit_isotonic(top, correct)
    rate = float(correct.mean())
    values = (values * n + rate) / (n + 1.0)
    return Calibration("isotonic", knots=tuple(knots.tolist()), values=tuple(values.tolist()), n=n)


def venn_abers(score: Floats, correct: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the upper probability of each new score by an inductive Venn-Abers predictor (Vovk
    and Petej 2014).

    One of the two is perfectly calibrated whatever the distribution; they differ by O(1/n). It costs two
    isotonic fits per distinct new score.
    """
    low, high = np.zeros(len(new)), np.zeros(len(new))
    done: dict[float, tuple[float, float]] = {}
    for i, s in enumerate(new.tolist()):
        if s not in done:
            pair = []
            for label in (0.0, 1.0):
                knots, values = fit_isotonic(np.append(score, s), np.append(correct, label))
                pair.append(float(values[np.searchsorted(knots, s)]))
            done[s] = (pair[0], pair[1])
        low[i], high[i] = done[s]
    return low, high


def merge_venn_abers(low: Floats, high: Floats) -> Floats:
    """Return one probability from the pair of a Venn-Abers predictor, minimax for log loss: ``high / (1 - low
    + high)``.
    """
    return np.asarray(high / (1.0 - low + high))


def calibrate_venn_abers(top: Floats, correct: Floats) -> Calibration:
    """Return a Venn-Abers calibration, tabulated at the scores that calibrate and at 0 and 1.

    With fewer than ``MINIMUM`` items it is the calibration that changes nothing.
    """
    n = len(top)
    if n < MINIMUM:
        return Calibration(n=n)
    knots = np.unique(np.concatenate([[0.0], top, [1.0]]))
    values = np.maximum.accumulate(merge_venn_abers(*venn_abers(top, correct, knots)))
    return Calibration("venn-abers", knots=tuple(knots.tolist()), values=tuple(values.tolist()), n=n)


def cross_fit(
    fit: Callable[[Floats, Floats], Map], score: Floats, correct: Floats, folds: int = 5, seed: int = 0
) -> Floats:
    """Return the calibrated probability of every item, each from a map that was fitted without the item's
    fold.
    """
    n = len(score)
    fold = np.random.default_rng(seed).permutation(n) % max(2, min(folds, n))
    out = np.zeros(n)
    for f in np.unique(fold):
        held = fold == f
        out[held] = fit(score[~held], correct[~held])(score[held])
    return out


def as_map(calibration: Calibration) -> Map:
    """Return a calibration that uses no signals as a function of arrays."""
    return lambda top: np.array([calibration.apply(float(t), {}) for t in top])


def measure_ece(confidence: Floats, correct: Floats, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal mass (Nixon et al. 2019); 0 where there are no
    items.
    """
    n = len(confidence)
    if n == 0:
        return 0.0
    order = np.argsort(confidence, kind="stable")
    parts: list[Ints] = np.array_split(order, min(bins, n))
    return float(sum(len(p) / n * abs(confidence[p].mean() - correct[p].mean()) for p in parts if len(p)))


def measure_brier(confidence: Floats, correct: Floats) -> float:
    """Return the mean squared error of the probabilities (Brier 1950); 0 where there are no items."""
    return float(np.mean((confidence - correct) ** 2)) if len(confidence) else 0.0


def measure_auroc(score: Floats, correct: Floats) -> float | None:
    """Return the chance that a right item scores above a wrong one, where a tie counts one half.

    ``correct`` may be fractional and then weighs on both sides. None where all items are right or all are
    wrong.
    """
    order = np.argsort(score, kind="stable")
    s, good = score[order], np.asarray(correct, dtype=np.float64)[order]
    bad = 1.0 - good
    _, start = np.unique(s, return_index=True)
    if not len(start) or good.sum() <= 0.0 or bad.sum() <= 0.0:
        return None
    g, b = np.add.reduceat(good, start), np.add.reduceat(bad, start)
    under = np.concatenate([[0.0], np.cumsum(b)[:-1]])
    return float((g * (under + b / 2.0)).sum() / (g.sum() * b.sum()))


def compare_auroc(score: Floats, other: Floats, correct: Floats) -> tuple[float, float]:
    """Return by how much a score ranks better than another one on the same items, as a difference of AUROC, and its
    standard error (DeLong et al. 1988); 0 and infinity where fewer than two items are right or wrong.
    """
    right = np.asarray(correct) >= 0.5
    if min(right.sum(), (~right).sum()) < 2:
        return 0.0, float("inf")
    over, under = (_placements(s[right], s[~right]) for s in (score, other))
    by_right, by_wrong = over[0] - under[0], over[1] - under[1]
    variance = by_right.var(ddof=1) / len(by_right) + by_wrong.var(ddof=1) / len(by_wrong)
    return float(by_right.mean()), float(np.sqrt(variance))


def _placements(good: Floats, bad: Floats) -> tuple[Floats, Floats]:
    """For each right item the share of wrong ones under it, and for each wrong one of right ones over it."""
    over = (good[:, None] > bad[None, :]) + 0.5 * (good[:, None] == bad[None, :])
    return over.mean(axis=1), over.mean(axis=0)


def risk_coverage(score: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """Return coverage and error of the items at or above each score, most confident first; tied items share
    their mean.
    """
    order = np.argsort(-score, kind="stable")
    s, wrong = score[order], 1.0 - np.asarray(correct, dtype=np.float64)[order]
    _, inverse = np.unique(-s, return_inverse=True)
    if len(s):
        wrong = (np.bincount(inverse, wrong) / np.bincount(inverse))[inverse]
    count = np.arange(1, len(s) + 1)
    return count / max(len(s), 1), np.cumsum(wrong) / count


def measure_aurc(score: Floats, correct: Floats) -> float:
    """Return the area under the risk-coverage curve (Geifman and El-Yaniv 2017); lower is better."""
    _, risk = risk_coverage(score, correct)
    return float(risk.mean()) if len(risk) else 0.0
