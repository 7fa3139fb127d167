"""Crowd aggregation without labels: majority, Dawid-Skene and the one-coin model. Imports numpy only.

What comes out is a score, not a calibrated probability: judges that share an error make it certain and wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Floats, Ints


@dataclass(frozen=True, slots=True)
class Crowd:
    """Labels that workers gave to items, one entry for each label given; all indices count from 0.

    Attributes:
        item: (m,) index of the item that was labelled.
        worker: (m,) index of the worker who labelled it.
        label: (m,) index of the label that was given.
        items: number of items.
        workers: number of workers.
        labels: number of different labels.
    """

    item: Ints
    worker: Ints
    label: Ints
    items: int
    workers: int
    labels: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What a crowd believes of each item, and how good each worker seems.

    Attributes:
        posterior: (items, labels) rows sum to 1.
        accuracy: (workers,) expected share of right labels.
        rounds: rounds of EM that were used.
    """

    posterior: Floats
    accuracy: Floats
    rounds: int


def majority(crowd: Crowd, weights: Floats | None = None) -> Floats:
    """Return the shares of the vote, (items, labels); items without any label get equal shares.

    Args:
        weights: (workers,) where some workers count more than others.
    """
    w = np.ones(len(crowd.item)) if weights is None else weights[crowd.worker]
    flat = np.bincount(crowd.item * crowd.labels + crowd.label, w, crowd.items * crowd.labels)
    votes = flat.reshape(crowd.items, crowd.labels)
    total = votes.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, votes / np.where(total > 0.0, total, 1.0), 1.0 / crowd.labels)


def dawid_skene(
    crowd: Crowd, rounds: int = 100, tolerance: float = 1e-4, smoothing: float = 0.1,
    known: Ints | None = None,
) -> Aggregate:  # fmt: skip
    """Return the EM estimate of a confusion matrix per worker (Dawid and Skene 1979), started from the
    majority vote.

    Args:
        smoothing: pseudo-count in every cell.
        known: (items,) the label where one is known, -1 elsewhere; known items stay fixed, which makes the
            fit semi-supervised.
    """
    k, n_workers = crowd.labels, crowd.workers
    posterior = majority(crowd)
    _clamp(posterior, known)
    pair = crowd.worker * k + crowd.label
    cells = np.arange(k)
    flat_item = (crowd.item[:, None] * k + cells).ravel()
    flat_cell = (pair[:, None] * k + cells).ravel()
    last, used = -np.inf, 0
    confusion = np.zeros((n_workers, k, k), dtype=np.float64)
    while used < rounds:
        used += 1
        weight = posterior[crowd.item]
        counts = np.bincount(flat_cell, weight.ravel(), n_workers * k * k)
        confusion = np.asarray(counts.reshape(n_workers, k, k) + smoothing, dtype=np.float64)
        confusion = confusion / confusion.sum(axis=1, keepdims=True)
        prior = posterior.mean(axis=0) + 1e-12
        log_cell = np.log(confusion).reshape(n_workers * k, k)
        logits = np.bincount(flat_item, log_cell[pair].ravel(), crowd.items * k).reshape(crowd.items, k)
        logits += np.log(prior)
        top = logits.max(axis=1, keepdims=True)
        likelihood = np.exp(logits - top)
        total = likelihood.sum(axis=1, keepdims=True)
        posterior = likelihood / total
        _clamp(posterior, known)
        value = float((top + np.log(total)).mean())
        if value - last < tolerance:
            break
        last = value
    right = np.einsum("wkk,k->w", confusion, posterior.mean(axis=0))
    return Aggregate(posterior, np.asarray(right), used)


def one_coin(crowd: Crowd, rounds: int = 50, tolerance: float = 1e-5) -> Aggregate:
    """Return the EM estimate with one accuracy per worker (the homogeneous case of Dawid and Skene 1979).

    Accuracies are shrunk to .7 with 2 pseudo-counts. It is steadier than full matrices where workers or
    labels are few.
    """
    k = crowd.labels
    posterior = majority(crowd)
    count = np.bincount(crowd.worker, minlength=crowd.workers).astype(np.float64)
    accuracy = np.full(crowd.workers, 0.7)
    used = 0
    while used < rounds:
        used += 1
        hits = np.bincount(crowd.worker, posterior[crowd.item, crowd.label], crowd.workers)
        accuracy = (hits + 1.4) / (count + 2.0)
        weight = np.log(accuracy * (k - 1) / (1.0 - accuracy))
        flat = np.bincount(crowd.item * k + crowd.label, weight[crowd.worker], crowd.items * k)
        logits = flat.reshape(crowd.items, k)
        logits -= logits.max(axis=1, keepdims=True)
        moved = np.exp(logits)
        moved /= moved.sum(axis=1, keepdims=True)
        change = float(np.abs(moved - posterior).max())
        posterior = moved
        if change < tolerance:
            break
    return Aggregate(posterior, accuracy, used)


def _clamp(posterior: Floats, known: Ints | None) -> None:
    if known is not None:
        rows = np.flatnonzero(known >= 0)
        posterior[rows] = 0.0
        posterior[rows, known[rows]] = 1.0
