"""MACE, a model of workers who either know the answer or spam (Hovy et al. 2013), fitted by variational EM.
numpy only.
"""

from __future__ import annotations

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.dawid_skene import Aggregate, Crowd, majority


def mace(
    crowd: Crowd, rounds: int = 50, tolerance: float = 1e-4, alpha: float = 0.5, beta: float = 0.5,
    smoothing: float | None = None,
) -> Aggregate:  # fmt: skip
    """Return the EM estimate of P(label | truth) = theta [label = truth] + (1 - theta) xi[label], per worker.

    The fit starts from the majority vote, so the result is deterministic and needs no restarts. A worker's
    accuracy is theta + (1 - theta) xi[truth], averaged over the posterior. Source: MACE (Hovy et al. 2013).

    Args:
        alpha: prior count of each label that a spamming worker gives.
        beta: prior counts of knowing and of spamming.
        smoothing: pseudo-count in the M step (default .01 / labels).
    """
    k, n_workers = crowd.labels, crowd.workers
    eps = 0.01 / k if smoothing is None else smoothing
    posterior = majority(crowd)
    pair = crowd.worker * k + crowd.label
    flat = crowd.item * k + crowd.label
    count = np.bincount(pair, minlength=n_workers * k).reshape(n_workers, k).astype(np.float64)
    theta = np.full(n_workers, 0.5)
    xi = np.full((n_workers, k), 1.0 / k)
    used = 0
    while used < rounds:
        used += 1
        spam = (1.0 - theta)[crowd.worker] * xi.ravel()[pair]
        know = theta[crowd.worker]
        knew = posterior.ravel()[flat] * know / (know + spam)
        knowing = np.bincount(pair, knew, n_workers * k).reshape(n_workers, k)
        spamming = np.maximum(count - knowing, 0.0)
        theta = _mean_field(np.stack([knowing.sum(axis=1), spamming.sum(axis=1)], axis=1) + eps + beta)[:, 0]
        xi = _mean_field(spamming + eps + alpha)
        spam = (1.0 - theta)[crowd.worker] * xi.ravel()[pair]
        gain = np.log1p(theta[crowd.worker] / spam)
        logits = np.bincount(flat, gain, crowd.items * k).reshape(crowd.items, k)
        logits -= logits.max(axis=1, keepdims=True)
        moved = np.exp(logits)
        moved /= moved.sum(axis=1, keepdims=True)
        change = float(np.abs(moved - posterior).max())
        posterior = moved
        if change < tolerance:
            break
    xi_norm = xi / xi.sum(axis=1, keepdims=True)
    accuracy = theta + (1.0 - theta) * (xi_norm @ posterior.mean(axis=0))
    return Aggregate(posterior, np.minimum(accuracy, 1.0), used)


def _mean_field(counts: Floats) -> Floats:
    """exp(E[log p]) under a Dirichlet with these counts, row by row."""
    return np.asarray(np.exp(_digamma(counts) - _digamma(counts.sum(axis=1, keepdims=True))))


def _digamma(x: Floats) -> Floats:
    """Digamma for x > 0: recurrence up to 6, then the asymptotic series (error under 1e-8)."""
    shift = np.zeros_like(x)
    y = x.copy()
    for _ in range(6):
        small = y < 6.0
        shift -= np.where(small, 1.0 / y, 0.0)
        y = np.where(small, y + 1.0, y)
    inverse = 1.0 / (y * y)
    series = inverse * (1.0 / 12.0 - inverse * (1.0 / 120.0 - inverse * (1.0 / 252.0 - inverse / 240.0)))
    return np.asarray(shift + np.log(y) - 0.5 / y - series)
