"""Scores that no decision of the item's own fold helped to fit, on a scale that all folds share. Imports numpy only.

Every decision certifies: of each fold the score comes from a fit on the other folds (cross-fitting; Schick 1986,
Chernozhukov et al. 2018), and the version that is put in force is fitted on all. Scores of different fits are compared
by where they stand among the same undecided and decided items, the pool, so that "the surest 60 %" means the same in
each. What is tested so is the average of the folds' fits, not the version itself: within delta wherever it was
simulated (`benchmarks/certificates.py`), not exact in theory.
"""

from __future__ import annotations

import numpy as np

from solon.consensus.ballots import Floats

FOLDS = 5
_DIGITS = 9


def place_in(pool: Floats, confidence: Floats, luck: Floats) -> Floats:
    """Return for each confidence (n,) the share of the pool that it is at least as sure as.

    Args:
        pool: (m,) confidences of the same fit.
        luck: (n,) in [0, 1], which places it among those of the pool that are exactly as sure; fixed for each item
            before anything was decided.
    """
    ranked, sure = np.sort(_rounded(pool)), _rounded(confidence)
    above = len(ranked) - np.searchsorted(ranked, sure, side="right")
    level = np.searchsorted(ranked, sure, side="right") - np.searchsorted(ranked, sure, side="left")
    return np.asarray(1.0 - (above + luck * level) / max(len(ranked), 1))


def cuts_in(pool: Floats) -> Floats:
    """Return the places (k,) at which a threshold on the confidences of the pool can cut it, lowest first."""
    ranked = np.sort(_rounded(pool))
    return np.searchsorted(ranked, np.unique(ranked), side="left") / max(len(ranked), 1)


def threshold_at(pool: Floats, cut: float) -> float:
    """Return the confidence from which a cut at this place, one of ``cuts_in``, accepts."""
    ranked = np.sort(_rounded(pool))
    return float(ranked[min(round(cut * len(ranked)), len(ranked) - 1)] - 10.0**-_DIGITS)


def _rounded(confidence: Floats) -> Floats:
    """Equal up to the order in which floats were added."""
    return np.round(confidence, _DIGITS)
