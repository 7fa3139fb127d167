"""Which given labels are probably wrong, by what a classifier that did not see them believes. Imports numpy only.

Confident learning: Northcutt, Jiang and Chuang 2021, Confident Learning: Estimating Uncertainty in Dataset Labels,
Journal of Artificial Intelligence Research 70, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Floats, Ints
from solon.consensus.resample import interval

DRAWS = 200
"""Of the bootstrap: each counts the whole joint again."""
LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class ConfidentJoint:
    """How labels that were given go with labels that are likely right.

    Attributes:
        thresholds: (K,) mean belief in a label over the texts that it was given to.
        likely: (n,) the label of highest belief among those whose belief reaches its threshold; the given one where
            none does.
        counts: (K, K) texts by given label (rows) and likely label. The paper leaves out texts of which no belief
            reaches its threshold, and scales the others up; here their labels count as right, which measured nearer
            to the truth (`benchmarks.labels_check`).
        wrong: share of the texts that it puts off the diagonal.
        low: lower end of the 95% bootstrap interval of `wrong`, over texts, with the thresholds as they are. It holds
            chance in the draw of texts, and not the errors of the classifier.
        high: upper end.
    """

    thresholds: Floats
    likely: Ints
    counts: Ints
    wrong: float
    low: float
    high: float


def join_confidently(beliefs: Floats, given: Ints, seed: int = 0) -> ConfidentJoint:
    """Return the confident joint of given and likely labels.

    Args:
        beliefs: (n, K) probability of each label; rows sum to 1.
        given: (n,) the label that each text has; each of the K at least once.
        seed: of the bootstrap.
    """
    n, k = beliefs.shape
    thresholds = np.array([beliefs[given == label, label].mean() for label in range(k)])
    # A mean of equal beliefs may differ from them in its last bit.
    reached = beliefs >= thresholds - LEAST
    likely = np.where(reached.any(axis=1), np.where(reached, beliefs, -1.0).argmax(axis=1), given)
    counts = _count(given, likely, k)
    draw = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        rows = draw.integers(0, n, size=n)
        drawn.append(_share_off(_count(given[rows], likely[rows], k)))
    return ConfidentJoint(thresholds, likely, counts, _share_off(counts), *interval(np.array(drawn)))


def _count(given: Ints, likely: Ints, k: int) -> Ints:
    return np.bincount(given * k + likely, minlength=k * k).reshape(k, k)


def _share_off(counts: Ints) -> float:
    return 1.0 - float(np.trace(counts)) / max(float(counts.sum()), 1.0)


def rank_label_errors(beliefs: Floats, given: Ints) -> Floats:
    """Return (n,) log odds of the label that each text has against the best other one: the lower, the likelier it is
    that the label is wrong; under 0 another label is likelier.

    It ranks by the margin between the two that section 3.2.2 of the paper normalises, on the scale of log odds, where
    a classifier that is unsure of everything does not hide what it holds for impossible.
    """
    rows = np.arange(len(given))
    own, others = beliefs[rows, given], beliefs.copy()
    others[rows, given] = 0.0
    return np.asarray(np.log(np.maximum(own, LEAST)) - np.log(np.maximum(others.max(axis=1), LEAST)))


def add_evidence(beliefs: Floats, evidence: Floats) -> Floats:
    """Return (n, K) beliefs in which what a panel says counts as independent of the classifier, given the label.

    Args:
        beliefs: (n, K) of the classifier.
        evidence: (n, K) posterior of the panel over what it believed before any vote; 1 where it says nothing.
    """
    weighed = np.maximum(beliefs, LEAST) * np.maximum(evidence, LEAST)
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))
