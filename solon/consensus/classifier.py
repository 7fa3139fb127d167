"""A classifier of texts that is trained on decisions and votes beside a panel. Imports numpy only, no I/O.

Multinomial logistic regression with a Gaussian prior on vectors of length 1, fitted by the fixed bound on its
curvature (Boehning 1992, Annals of the Institute of Statistical Mathematics 44), so that every step goes up and one
matrix is factored once.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.logit import log_softmax

FEWEST = 2
"""Outcomes that must have been decided, each at least once, before anything can be told apart."""
FOLDS = 5
PRECISIONS = (0.005, 0.03, 0.3)
"""Of the prior on every weight; the one that predicts left-out decisions best is taken."""
ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained classifier.

    Attributes:
        features: what its vectors are made of, `words` or `meaning`.
        outcomes: what it tells apart.
        weights: (D + 1, K) of each number of a vector, and of the constant 1 behind them.
        n: decisions that it was trained on.
    """

    features: str
    outcomes: tuple[str, ...]
    weights: Floats
    n: int

    def shares(self, vectors: Floats) -> Floats:
        """Return the probability of each outcome, (n, K), for vectors (n, D)."""
        return np.asarray(np.exp(log_softmax(_with_constant(vectors) @ self.weights)))

    def to_json(self) -> dict[str, Any]:
        """Return the classifier as plain values, for `from_json`; its weights in half precision."""
        packed = base64.b64encode(self.weights.astype("<f2").tobytes()).decode("ascii")
        return {"features": self.features, "outcomes": list(self.outcomes), "n": self.n, "weights": packed}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Classifier:
        """Return the classifier that `to_json` made the values of."""
        outcomes = tuple(str(outcome) for outcome in data["outcomes"])
        packed = np.frombuffer(base64.b64decode(data["weights"]), dtype="<f2").astype(np.float64)
        return cls(str(data["features"]), outcomes, packed.reshape(-1, len(outcomes)), int(data["n"]))


def train(
    vectors: Floats, target: Floats, groups: Sequence[str], *, features: str, outcomes: Sequence[str]
) -> tuple[Classifier, Floats] | None:
    """Return a classifier, and the shares (n, K) that it gives each decided text where the texts of the same group were
    left out; None where fewer than two outcomes were decided, or all texts are of one group.

    Args:
        vectors: (n, D) of the decided texts, each of length 1.
        target: (n, K) probability of each outcome; rows sum to 1.
        groups: of each text; texts of one group are never on both sides.
        features: what the vectors are made of.
        outcomes: the K outcomes.
    """
    decided = (target > 1.0 / target.shape[1]).any(axis=0).sum() if len(target) else 0
    names = sorted(set(groups))
    if decided < FEWEST or len(names) < FEWEST:
        return None
    order = {name: place for place, name in enumerate(names)}
    fold = np.array([order[group] for group in groups]) % min(FOLDS, len(names))
    x = _with_constant(vectors)
    tried = [_leave_out(x, target, fold, precision) for precision in PRECISIONS]
    likelihood = [float((target * log_softmax(logits)).sum()) for logits in tried]
    best = int(np.argmax(likelihood))
    weights = _fit(x, target, PRECISIONS[best])
    trained = Classifier.from_json(  # as it will be read again
        Classifier(features, tuple(outcomes), weights, len(target)).to_json()
    )
    return trained, np.asarray(np.exp(log_softmax(tried[best])))


def _with_constant(vectors: Floats) -> Floats:
    return np.hstack([vectors, np.ones((len(vectors), 1))])


def _leave_out(x: Floats, target: Floats, fold: Any, precision: float) -> Floats:
    """(n, K) logits of each text by a fit without its fold."""
    logits = np.zeros(target.shape)
    for number in range(int(fold.max()) + 1):
        out = fold == number
        logits[out] = x[out] @ _fit(x[~out], target[~out], precision)
    return logits


def _fit(x: Floats, target: Floats, precision: float) -> Floats:
    """(D + 1, K) weights. Where there are fewer texts than numbers in a vector, the weights lie in the span of the
    texts, and are looked for there."""
    n, width = x.shape
    k = target.shape[1]
    if n < width:  # the same fit, by an orthonormal basis of the texts
        basis, _ = np.linalg.qr(x.T)
        return np.asarray(basis @ _climb(x @ basis, target, precision))
    return _climb(x, target, precision) if n else np.zeros((width, k))


def _climb(x: Floats, target: Floats, precision: float) -> Floats:
    bound = 0.5 * (x.T @ x) + precision * np.eye(x.shape[1])
    inverse = np.linalg.inv(bound)
    weights = np.zeros((x.shape[1], target.shape[1]))
    for _ in range(ROUNDS):
        gradient = x.T @ (target - np.exp(log_softmax(x @ weights))) - precision * weights
        step = inverse @ gradient
        weights = weights + step
        if float(np.abs(step).max()) < 1e-3:
            break
    return weights
