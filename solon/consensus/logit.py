"""Conditional logit with a Gaussian prior, fitted by Newton's method, with leave-one-out scores. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Floats


@dataclass(frozen=True, slots=True)
class LogitFit:
    """A fitted conditional logit.

    Attributes:
        weights: (F,) at the maximum.
        left_out: (n, K) logits of each item from a fit without it.
        score: sum over items of the log likelihood under ``left_out``.
        covariance: (F, F) of the weights, by Laplace's approximation.
    """

    weights: Floats
    left_out: Floats
    score: float
    covariance: Floats


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithm of the softmax of (n, K) logits, row by row."""
    top = logits.max(axis=1, keepdims=True)
    return np.asarray(logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True)))


def fit_logit(x: Floats, target: Floats, mean: Floats, precision: Floats, rounds: int = 25) -> LogitFit:
    """Return the weights that maximise ``sum(target * log softmax(x @ w)) - sum(precision * (w - mean)**2) /
    2``.

    The objective is concave, so the maximum is unique while every precision is above 0. Leave-one-out logits
    are taken by one Newton step from the maximum (Pregibon 1981), exact to second order and without
    refitting.

    Args:
        x: (n, K, F) features of each outcome of each item.
        target: (n, K) rows sum to 1; soft targets are allowed.
        mean, precision: (F,) of the Gaussian prior on the weights.
        rounds: most Newton steps.
    """
    n, k, f = x.shape
    w = mean.copy()
    inverse = np.diag(1.0 / precision)
    p = np.exp(log_softmax(x @ w)) if n else np.zeros((0, k))
    flat = np.ascontiguousarray(x.reshape(n * k, f))
    value = _objective(x, target, w, mean, precision)
    for _ in range(rounds if n and f else 0):
        mass = target.sum(axis=1, keepdims=True)
        gradient = flat.T @ (target - mass * p).reshape(n * k) - precision * (w - mean)
        centred = x - (p[:, :, None] * x).sum(axis=1, keepdims=True)
        weighted = (centred * (mass * p)[:, :, None]).reshape(n * k, f)
        inverse = np.linalg.inv(weighted.T @ centred.reshape(n * k, f) + np.diag(precision))
        step = inverse @ gradient
        for _ in range(30):
            moved = _objective(x, target, w + step, mean, precision)
            if moved >= value - 1e-12:
                break
            step = step / 2.0
        w, value = w + step, moved
        p = np.exp(log_softmax(x @ w))
        if float(np.abs(step).max()) < 1e-7:
            break
    left_out = _leave_one_out(x, target, w, p, inverse)
    score = float((target * log_softmax(left_out)).sum()) if n else 0.0
    return LogitFit(w, left_out, score, np.asarray(inverse))


def _objective(x: Floats, target: Floats, w: Floats, mean: Floats, precision: Floats) -> float:
    fit = float((target * log_softmax(x @ w)).sum()) if len(x) else 0.0
    return fit - 0.5 * float((precision * (w - mean) ** 2).sum())


def _leave_one_out(x: Floats, target: Floats, w: Floats, p: Floats, inverse: Floats) -> Floats:
    logits = x @ w
    n, k, f = x.shape
    if not n or not f:
        return np.asarray(logits)
    pull = ((target - p)[:, :, None] * x).sum(axis=1)
    moved = np.einsum("nkf,nf->nk", x, pull @ inverse)
    centred = x - (p[:, :, None] * x).sum(axis=1, keepdims=True)
    lever = np.einsum("nkf,nkf->nk", centred @ inverse, centred)
    share = (p * lever).sum(axis=1) / (k - 1)
    return np.asarray(logits - moved / np.maximum(1.0 - share, 0.05)[:, None])
