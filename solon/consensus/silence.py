"""What it says that a rule is silent, as an estimator. Imports numpy only.

A rule speaks only where it matches, so where it is silent its label is less likely, and the less so the more of its
label it covers. How often a voter names an outcome where that is right, and where it is not, follows from how often
it names it, how often it is right there, and how common the outcome is: the label model of weak supervision (Ratner et
al. 2016, section 3, accuracy and propensity to label), with independent rules. Without a decision every voter is right
on `PRIOR_ACCURACY` and outcomes are as common as the votes say; decisions move both.

What the votes agree on moves no accuracy: two rules seldom speak of the same text, and where they do they often share
a word. Expectation and maximisation over rules lost to the plain majority where labels are unequally common.
"""

from __future__ import annotations

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.candidates import FLEXIBILITY_COST, SILENCE, Candidate
from solon.consensus.logit import fit_logit
from solon.consensus.model import PRIOR_ACCURACY

CHECKED = 4.0
"""Texts that what is believed of a voter beforehand counts for, beside the decided ones on which it spoke."""
COUNTED = 20.0
"""Decisions that the votes count for in how common an outcome is."""
COVERED = 0.9
"""Most of an outcome's texts that a voter is taken to name: silence never rules an outcome out."""
FOLDS = 5
"""Parts of the decisions, each predicted without it."""


def silence_candidate(ballots: Ballots, rows: Ints, target: Floats, correlation: float) -> Candidate:
    """Return the estimator in which votes and silences count, each with a scale that decisions move.

    Args:
        ballots: of a panel in which some voters are silent at times.
        rows: the decided items.
        target: (len(rows), K) probability of each outcome; rows sum to 1.
        correlation: prior correlation of voters' errors.
    """
    n, (n_voters, k) = len(rows), ballots.shares.shape[1:]
    shares, silent = ballots.shares[rows], ballots.silent[rows]
    x = np.zeros((n, k, 2))
    for fold in range(FOLDS):
        held = np.arange(n) % FOLDS == fold
        if held.any():
            weight, added = _weigh(ballots, rows[~held], target[~held])
            x[held, :, 0] = np.einsum("nvk,v->nk", shares[held], weight)
            x[held, :, 1] = silent[held] @ added
    spoke = float((ballots.active.sum(axis=1) > 0.0).sum())
    present = float(ballots.active.sum()) / max(spoke, 1.0)
    scale = 1.0 / (1.0 + correlation * max(0.0, present - 1.0))
    fit = fit_logit(x, target, np.full(2, scale), np.full(2, 4.0))
    weight, added = _weigh(ballots, rows, target)
    flat = np.zeros(2 * n_voters + len(ballots.channels) + k)
    flat[:n_voters] = weight * fit.weights[0]
    score = fit.score - (FLEXIBILITY_COST if n else 0.0)
    return Candidate("silence", flat, fit.left_out, score, silence=added * fit.weights[1], family=SILENCE)


def _weigh(ballots: Ballots, rows: Ints, target: Floats) -> tuple[Floats, Floats]:
    """The weight of each voter (V,), and what its silence adds to each outcome (V, K), by these decisions."""
    k = ballots.shares.shape[2]
    votes = ballots.votes / np.maximum(ballots.votes.sum(axis=1, keepdims=True), 1e-9)
    common = (votes.sum(axis=0) + 1.0) / (votes.sum() + k)
    common = (target.sum(axis=0) + COUNTED * common) / (len(rows) + COUNTED)
    named = ballots.shares.sum(axis=0)
    names = named / np.maximum(named.sum(axis=1, keepdims=True), 1e-9)
    seeing = max(0.0, (PRIOR_ACCURACY - 1.0 / k) / (1.0 - 1.0 / k))
    before = seeing + (1.0 - seeing) * names @ common
    hits = np.einsum("nvk,nk->v", ballots.shares[rows], target)
    right = (hits + CHECKED * before) / (ballots.active[rows].sum(axis=0) + CHECKED)
    asked = ballots.active.sum(axis=0) + ballots.silent.sum(axis=0)
    often = named / np.maximum(asked, 1.0)[:, None]
    wrongly = (1.0 - right)[:, None] * often / (1.0 - common)
    elsewhere = wrongly.sum(axis=1, keepdims=True)
    speaks = np.minimum(right[:, None] * often / common, COVERED) + elsewhere - wrongly
    silence = np.log1p(-np.minimum(speaks, COVERED)) - np.log1p(-np.minimum(elsewhere, COVERED))
    silence[ballots.silent.sum(axis=0) == 0.0] = 0.0
    return np.log(right / (1.0 - right)) + names @ np.log((1.0 - common) / common), silence
