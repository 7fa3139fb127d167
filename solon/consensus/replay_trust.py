"""How far a recorded panel's confidence could have been trusted: calibration, certificates, reviewers, cascades.

Imports numpy only. Arrays in, figures out; conventions as in ``replay``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.binomial import clopper_pearson
from solon.consensus.calibrate import (
    LEAD,
    fit_confidence,
    fit_platt,
    measure_aurc,
    measure_auroc,
    measure_brier,
    measure_ece,
    risk_coverage,
)
from solon.consensus.certify import certify
from solon.consensus.crossfit import FOLDS, cuts_in, place_in, threshold_at
from solon.consensus.logit import log_softmax
from solon.consensus.looks import plan_look
from solon.consensus.model import PRIOR_CORRELATION, Calibration
from solon.consensus.replay import gap, learn, score_right
from solon.consensus.resample import bootstrap, draw_items, interval, mean_interval, ratio_interval
from solon.consensus.reviewers import learn_vote_weight, rate_from_overlap
from solon.consensus.weights import Weights

FINAL = 50.0
"""Vote weight of a decision that is final."""


def top_of(logits: Floats) -> Floats:
    """Return the probability of the best outcome, (n,)."""
    return np.asarray(np.exp(log_softmax(logits)).max(axis=1), dtype=np.float64)


def _calibration(weights: Weights, rows: Ints, gold: Ints) -> Calibration:
    return fit_platt(top_of(weights.left_out), score_right(weights.left_out, gold[rows]))


def apply_all(calibration: Calibration, top: Floats, lead: Floats | None = None) -> Floats:
    """Return the calibrated confidence of many items, without signals but the plain votes' lead where it is given."""
    leads = np.zeros(len(top)) if lead is None else lead
    return np.array(
        [calibration.apply(t, {LEAD: by}) for t, by in zip(top.tolist(), leads.tolist(), strict=True)]
    )


def lead_of(votes: Floats, logits: Floats) -> Floats:
    """Return the part of the plain votes (n, K) for the best outcome of the logits, less that of the best other."""
    rows, best = np.arange(len(votes)), logits.argmax(axis=1)
    others = votes.copy()
    others[rows, best] = -np.inf
    cast = votes.sum(axis=1)
    return np.asarray((votes[rows, best] - others.max(axis=1)) / np.where(cast > 0.0, cast, 1.0))


def measure_calibration(
    ballots: Ballots, gold: Ints, *, folds: int = 5, seed: int = 0, correlation: float = PRIOR_CORRELATION
) -> dict[str, Any]:
    """Return ECE, Brier score, AUROC and AURC of confidences whose weights and map never saw the item
    (cross-fitted).
    """
    n = len(gold)
    fold = np.random.default_rng(seed).permutation(n) % folds
    confidence, right = np.zeros(n), np.zeros(n)
    for f in range(folds):
        held = np.flatnonzero(fold == f)
        rows = np.flatnonzero(fold != f)
        weights = learn(ballots, rows, gold, correlation)
        logits = weights.logits(ballots)
        calibration = fit_confidence(
            top_of(weights.left_out),
            lead_of(ballots.votes[rows], weights.left_out),
            top_of(logits[rows]),
            score_right(weights.left_out, gold[rows]),
        )
        confidence[held] = apply_all(
            calibration, top_of(logits[held]), lead_of(ballots.votes[held], logits[held])
        )
        right[held] = score_right(logits[held], gold[held])
    coverage, risk = risk_coverage(confidence, right)
    at = np.linspace(0, n - 1, min(n, 21)).astype(np.int64)
    plain = score_right(ballots.votes, gold)
    return {
        "n": n,
        "accuracy": float(right.mean()),
        "ece": measure_ece(confidence, right),
        "ece_ci": list(bootstrap(n, lambda r: measure_ece(confidence[r], right[r]), 300, seed)),
        "brier": measure_brier(confidence, right),
        "auroc": measure_auroc(confidence, right),
        "auroc_ci": list(bootstrap(n, lambda r: measure_auroc(confidence[r], right[r]) or 0.5, 300, seed)),
        "aurc": measure_aurc(confidence, right),
        "auroc_margin": measure_auroc(gap(ballots.votes), plain),
        "aurc_margin": measure_aurc(gap(ballots.votes), plain),
        "risk_coverage": [[float(coverage[i]), float(risk[i])] for i in at],
    }


def measure_certification(
    ballots: Ballots, gold: Ints, *, alpha: float, delta: float, pilot: int, draws: int = 100, seed: int = 0,
    correlation: float = PRIOR_CORRELATION, score: str = "learned",
) -> dict[str, Any]:  # fmt: skip
    """Return how often a run's first look at a pilot certifies, and whether what it accepts keeps the promise.

    As in a run every decision of the pilot teaches and certifies, by fits that left its fold out (``crossfit``), and
    the look spends its part of delta. The pilot is drawn with replacement, so that the items are a population.

    Args:
        alpha, delta: as for ``certify``; delta of all looks together.
        pilot: decisions.
        draws: how many pilots.
        score: ``learned`` ranks by the learned confidence, anything else by the margin of the plain vote.

    Returns:
        ``coverage``: accepted share of all items, where refused pilots count 0. ``agreement``: of accepted
            items, over granted pilots. ``false``: share of all pilots whose certificate was granted and is false:
            the accepted items agree less than it promises.
    """
    n = len(gold)
    coverage, agreement, false = [], [], 0
    learned = score == "learned"
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        rows = rng.integers(n, size=pilot)
        sure, right, place, agreed = _crossfit(ballots, rows, gold, rng, correlation, learned)
        look = plan_look(pilot, 0, delta)
        certificate = certify(place, agreed, alpha=alpha, delta=look.delta, cuts=cuts_in(sure))
        if certificate.threshold is None:
            coverage.append(0.0)
            continue
        inside = sure >= threshold_at(sure, certificate.threshold)
        coverage.append(float(inside.mean()))
        agreement.append(float((right[inside] > 0.999).mean()))
        false += agreement[-1] < 1.0 - alpha - 1e-12
    return {
        "alpha": alpha,
        "delta": delta,
        "pilot": pilot,
        "score": score,
        "coverage": float(np.mean(coverage)),
        "agreement": float(np.mean(agreement)) if agreement else None,
        "granted": len(agreement) / draws,
        "false": false / draws,
        "false_ci": list(clopper_pearson(false, draws)),
        "draws": draws,
        "n": n,
    }


def crossfit_pilot(
    ballots: Ballots, rows: Ints, gold: Ints, seed: int, correlation: float
) -> tuple[Floats, Floats, Floats]:
    """Return the confidence in every item after the decisions of a pilot, and for each of these its place by fits that
    left its fold out, and whether their answer agreed with it."""
    rng = np.random.default_rng(seed)
    sure, _, place, agreed = _crossfit(ballots, rows, gold, rng, correlation, learned=True)
    return sure, place, agreed


def _crossfit(
    ballots: Ballots, rows: Ints, gold: Ints, rng: np.random.Generator, correlation: float, learned: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Confidence in and correctness of all items by the fit on all rows; place and agreement of the rows by fits that
    left their fold out."""
    fold, luck = rng.integers(FOLDS, size=len(gold)), rng.random(len(gold))
    place, agreed = np.zeros(len(rows)), np.zeros(len(rows))
    for f in range(FOLDS):
        mine = fold[rows] == f
        sure, right = _confidence(ballots, rows[~mine], gold, correlation, learned)
        place[mine] = place_in(sure, sure[rows[mine]], luck[rows[mine]])
        agreed[mine] = right[rows[mine]] > 0.999
    return *_confidence(ballots, rows, gold, correlation, learned), place, agreed


def _confidence(
    ballots: Ballots, rows: Ints, gold: Ints, correlation: float, learned: bool
) -> tuple[Floats, Floats]:
    """Confidence in every item by a fit on some, and whether its answer is right; or the margin of the plain vote."""
    if not learned:
        return gap(ballots.votes), score_right(ballots.votes, gold)
    sure, logits = _fitted(ballots, rows, gold, correlation)
    return sure, score_right(logits, gold)


def confidence_in(
    ballots: Ballots, rows: Ints, gold: Ints, correlation: float = PRIOR_CORRELATION
) -> tuple[Floats, Ints]:
    """Return the confidence in every item by a fit on some rows, and the index of its answer."""
    sure, logits = _fitted(ballots, rows, gold, correlation)
    return sure, logits.argmax(axis=1)


def _fitted(ballots: Ballots, rows: Ints, gold: Ints, correlation: float) -> tuple[Floats, Floats]:
    """Calibrated confidence and logits of every item."""
    weights = learn(ballots, rows, gold, correlation)
    logits = weights.logits(ballots)
    top = top_of(logits)
    calibration = fit_confidence(
        top_of(weights.left_out),
        lead_of(ballots.votes[rows], weights.left_out),
        top[rows],
        score_right(weights.left_out, gold[rows]),
    )
    return apply_all(calibration, top, lead_of(ballots.votes, logits)), logits


def measure_calibration_after(
    ballots: Ballots, gold: Ints, *, labels: int, draws: int = 50, seed: int = 0,
    correlation: float = PRIOR_CORRELATION,
) -> dict[str, Any]:  # fmt: skip
    """Return ECE, Brier score and AUROC on the other items after so few decisions, averaged over draws."""
    figures = []
    for draw in range(draws):
        turn = np.random.default_rng([seed, draw]).permutation(len(gold))
        sure, right = _confidence(ballots, turn[:labels], gold, correlation, learned=True)
        rest = turn[labels:]
        sure, right = sure[rest], right[rest]
        figures.append(
            (measure_ece(sure, right), measure_brier(sure, right), measure_auroc(sure, right) or 0.5)
        )
    mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
    names = ("ece", "brier", "auroc")
    return {
        "labels": labels,
        "draws": draws,
        **{name: float(value) for name, value in zip(names, mean, strict=True)},
        **{f"{name}_sd": float(value) for name, value in zip(names, spread, strict=True)},
    }


def measure_reviewer(
    ballots: Ballots, answers: Ints, others: Ints, truth: Ints, *, labels: int, budgets: Sequence[float],
    seed: int = 0, final: bool = False, correlation: float = PRIOR_CORRELATION,
) -> dict[str, Any]:  # fmt: skip
    """Return the final accuracy with one fallible reviewer, whose answers join the panel's posterior as
    votes.

    A pilot of ``labels`` random items teaches weights and calibration (by ``truth``), rates the reviewer (by
    ``others``) and learns how much the answers add to the panel (by both).

    Args:
        answers: (seeds, n) the reviewer's answer.
        others: (seeds, n) a second person's answer to the same item, -1 where there is none.
        truth: (seeds, n) what counts as right; -1 leaves an item out.
        budgets: shares of the items that the reviewer is asked about.
        final: the reviewer is an oracle, whose answer decides.

    Returns:
        By budget the ``accuracy``, and as ``taken_as_truth`` the accuracy if each answer simply replaced the
            panel's.
    """
    n, k = len(ballots), len(ballots.outcomes)
    keys = [f"{b:g}" for b in budgets]
    alone, tests = np.zeros(n), np.zeros(n)
    merged = {b: np.zeros(n) for b in keys}
    taken = {b: np.zeros(n) for b in keys}
    reliabilities = []
    for s in range(len(truth)):
        known = np.flatnonzero(truth[s] >= 0)
        turn = np.random.default_rng(seed + s).permutation(known)
        pilot, test = turn[:labels], turn[labels:]
        weights = learn(ballots, pilot, np.maximum(truth[s], 0), correlation)
        calibration = _calibration(weights, pilot, np.maximum(truth[s], 0))
        honest = _honest(weights.logits(ballots)[test], calibration)
        both = pilot[(answers[s][pilot] >= 0) & (others[s][pilot] >= 0)]
        same = float((answers[s][both] == others[s][both]).sum())
        rated = rate_from_overlap("r", same, len(both), k)
        before = np.log(_honest(weights.left_out, calibration))
        weight = FINAL if final else learn_vote_weight(before, answers[s][pilot], truth[s][pilot], rated)
        reliabilities.append(1.0 if final else rated.reliability)
        right = score_right(honest, truth[s][test])
        alone[test] += right
        tests[test] += 1.0
        order = np.argsort(honest.max(axis=1), kind="stable")
        answered = answers[s][test]
        for budget, key in zip(budgets, keys, strict=True):
            asked = np.zeros(len(test), dtype=bool)
            asked[order[: round(budget * len(test))]] = True
            asked &= answered >= 0
            after = np.log(honest)
            after[asked, answered[asked]] += weight
            merged[key][test] += score_right(after, truth[s][test])
            taken[key][test] += np.where(asked, answered == truth[s][test], right)
    seen = tests > 0
    base, weight_of = alone[seen], tests[seen]
    out: dict[str, Any] = {
        "panel_alone": float(alone.sum() / tests.sum()),
        "panel_alone_ci": list(ratio_interval(base, weight_of, seed=seed)),
        "reliability": float(np.mean(reliabilities)),
        "labels": labels,
        "seeds": len(truth),
        "n": int(seen.sum()),
    }
    for key in keys:
        mean = merged[key][seen]
        out[key] = {
            "accuracy": float(merged[key].sum() / tests.sum()),
            "ci": list(ratio_interval(mean, weight_of, seed=seed)),
            "gain_ci": list(ratio_interval(mean - base, weight_of, seed=seed)),
            "taken_as_truth": float(taken[key].sum() / tests.sum()),
        }
    return out


def _honest(logits: Floats, calibration: Calibration) -> Floats:
    """(n, K) posteriors whose best outcome carries the calibrated confidence."""
    p = np.exp(log_softmax(logits))
    if calibration.kind == "none":
        return np.clip(p, 1e-9, 1.0)
    best = p.argmax(axis=1)
    rows = np.arange(len(p))
    top = p[rows, best]
    sure = np.clip(apply_all(calibration, top), 1.0 / p.shape[1] + 1e-6, 1.0 - 1e-6)
    out = p * ((1.0 - sure) / np.maximum(1.0 - top, 1e-12))[:, None]
    out[rows, best] = sure
    return np.asarray(np.clip(out, 1e-9, 1.0), dtype=np.float64)


def measure_score_judge(scores: Floats, gold: Ints, seed: int = 0) -> tuple[dict[str, Any], Floats, Floats]:
    """Return figures, margins of the means (n,) and correctness (n,) of one judge that gives scores.

    The verdict is the response of the highest mean score; the margin is best minus second mean.

    Args:
        scores: (n, K, samples) with NaN where one is missing.
    """
    mean = np.asarray(np.nanmean(scores, axis=2), dtype=np.float64)
    right, margin = score_right(mean, gold), gap(mean)
    figures = {
        "accuracy": float(right.mean()),
        "ci": list(mean_interval(right, seed=seed)),
        "auroc_margin": measure_auroc(margin, right),
        "auroc_margin_ci": list(
            bootstrap(len(gold), lambda r: measure_auroc(margin[r], right[r]) or 0.5, 300, seed)
        ),
        "n": len(gold),
        "samples": float((~np.isnan(scores[:, 0])).sum(axis=1).mean()),
    }
    return figures, margin, right


def measure_cascade(
    margin: Floats, cheap: Floats, strong: Floats, shares: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Return the accuracy of a cheap judge that hands its least sure items to a strong one, for several
    shares of these.

    The cost is the share of strong calls. ``minus_strong`` is the accuracy of the cascade minus that of
    always calling the strong judge, with a paired interval.

    Args:
        margin: (n,) of the cheap judge.
        cheap, strong: (n,) whether each judge is right.
    """
    n = len(margin)
    sample = draw_items(n, 500, seed)
    out: dict[str, Any] = {
        "n": n, "cheap": float(cheap.mean()), "strong": float(strong.mean()),
        "strong_ci": list(mean_interval(strong, seed=seed)),
    }  # fmt: skip

    def value(rows: Ints, share: float) -> float:
        m, c, s = margin[rows], cheap[rows], strong[rows]
        edge = np.sort(m)[round(share * n) - 1] if share > 0 else -1.0
        under, level = m < edge - 1e-12, np.abs(m - edge) <= 1e-12
        part = np.where(under, 1.0, 0.0)
        part[level] = (round(share * n) - under.sum()) / max(level.sum(), 1)
        return float((part * s + (1.0 - part) * c).mean())

    for share in shares:
        drawn = np.array([value(rows, share) - strong[rows].mean() for rows in sample])
        accuracy = value(np.arange(n), share)
        out[f"{share:g}"] = {
            "accuracy": accuracy, "minus_strong": accuracy - float(strong.mean()),
            "minus_strong_ci": list(interval(drawn)), "cost": share,
        }  # fmt: skip
    return out
