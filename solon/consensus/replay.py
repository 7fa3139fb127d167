"""What a panel would have done on recorded items: how accurate it is, what it learns, whom it asks.

Arrays in, figures out; imports numpy only. ``gold`` (n,) is the index of the right outcome. A tied vote
scores the share that a fair coin would get. Intervals are 95% bootstrap percentiles over items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.logit import log_softmax
from solon.consensus.model import PRIOR_CORRELATION
from solon.consensus.resample import draw_items, interval, mean_interval, ratio_interval
from solon.consensus.weights import Weights, learn_weights

BUDGETS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
SIZES = (0, 10, 20, 50, 100)


def one_hot(gold: Ints, k: int) -> Floats:
    """Return the right outcomes as certain targets, (n, K)."""
    return np.asarray(np.eye(k)[gold])


def score_right(strength: Floats, gold: Ints) -> Floats:
    """Return for each item (n,) 1 where the strongest outcome of (n, K) is right, a share where several are
    level, else 0.
    """
    level = strength >= strength.max(axis=1, keepdims=True) - 1e-9
    return np.where(level[np.arange(len(gold)), gold], 1.0 / level.sum(axis=1), 0.0)


def gap(strength: Floats) -> Floats:
    """Return the strength of the best outcome minus that of the second, per row of (n, K)."""
    ranked = np.sort(strength, axis=1)
    return np.asarray(ranked[:, -1] - ranked[:, -2])


def measure_majority(ballots: Ballots, gold: Ints, seed: int = 0) -> dict[str, Any]:
    """Return the accuracy of the plain count of verdicts, with its interval and n."""
    right = score_right(ballots.votes, gold)
    return {"accuracy": float(right.mean()), "ci": list(mean_interval(right, seed=seed)), "n": len(gold)}


def measure_unanimous(ballots: Ballots, gold: Ints) -> dict[str, Any]:
    """Return figures of the items whose verdicts all name one outcome.

    They are the share of such items, their accuracy, and the share of all errors that lies among them.
    """
    cast = ballots.votes.sum(axis=1)
    same = (cast > 0.0) & (ballots.votes.max(axis=1) >= cast - 1e-9)
    right = score_right(ballots.votes, gold)
    errors = float((1.0 - right).sum())
    return {
        "share": float(same.mean()),
        "n": int(same.sum()),
        "accuracy": float(right[same].mean()) if same.any() else None,
        "ci": list(mean_interval(right[same])) if same.any() else None,
        "errors_share": float((1.0 - right[same]).sum()) / errors if errors > 0.0 else None,
    }


@dataclass(frozen=True, slots=True)
class Curve:
    """A learning curve.

    Attributes:
        figures: figures by number of labels, as text.
        splits: by number of labels, for each random split the rows that taught, the rows that tested, and the
            logits (n, K) that the learned panel gives all items.
    """

    figures: dict[str, dict[str, Any]]
    splits: dict[int, list[tuple[Ints, Ints, Floats]]]


def measure_learning(
    ballots: Ballots, gold: Ints, *, sizes: Sequence[int] = SIZES, seeds: int = 100,
    correlation: float = PRIOR_CORRELATION, seed: int = 0, rivals: bool = True,
) -> Curve:  # fmt: skip
    """Return the accuracy of the consensus learned from N random labels, on the other items, averaged over
    splits.

    Seed s draws the first N of ``default_rng(seed + s).permutation(n)``. Sizes that leave less than a fifth
    of the items for testing are left out. The interval resamples items, each with its mean over the splits
    that tested it.

    Args:
        sizes: the numbers of labels.
        seeds: how many splits.
        rivals: measure majority and a shrunk naive Bayes on the same splits too, with paired differences.
    """
    n, k = len(gold), len(ballots.outcomes)
    target = one_hot(gold, k)
    plain = score_right(ballots.votes, gold)
    figures: dict[str, dict[str, Any]] = {}
    splits: dict[int, list[tuple[Ints, Ints, Floats]]] = {}
    for size in sizes:
        if size > 0.8 * n:
            continue
        total, naive, tests = np.zeros(n), np.zeros(n), np.zeros(n)
        splits[size] = []
        for s in range(seeds if size else 1):
            turn = np.random.default_rng(seed + s).permutation(n)
            train, test = turn[:size], turn[size:]
            logits = learn_weights(ballots, train, target[train], correlation=correlation).logits(ballots)
            splits[size].append((train, test, logits))
            total[test] += score_right(logits[test], gold[test])
            if rivals:
                naive[test] += score_right(naive_bayes(ballots, train, gold)[test], gold[test])
            tests[test] += 1.0
        figures[str(size)] = _curve_point(total, naive, tests, plain, seed, rivals)
        figures[str(size)]["seeds"] = seeds if size else 1
    return Curve(figures, splits)


def _curve_point(
    total: Floats, naive: Floats, tests: Floats, plain: Floats, seed: int, rivals: bool
) -> dict[str, Any]:
    seen = tests > 0
    weight = tests[seen]
    point: dict[str, Any] = {
        "accuracy": float(total.sum() / tests.sum()),
        "ci": list(ratio_interval(total[seen], weight, seed=seed)),
        "n": int(seen.sum()),
    }
    if rivals:
        for name, other in (("majority", plain[seen] * weight), ("naive_bayes", naive[seen])):
            point[name] = float(other.sum() / weight.sum())
            point[f"over_{name}"] = point["accuracy"] - point[name]
            point[f"over_{name}_ci"] = list(ratio_interval(total[seen] - other, weight, seed=seed))
    return point


def naive_bayes(ballots: Ballots, rows: Ints, gold: Ints) -> Floats:
    """Return the strengths (n, K) of the rival that is compared with: channels taken as independent voters.

    Their accuracies are shrunk towards .7 with 2 pseudo-counts.
    """
    k = len(ballots.outcomes)
    chosen = ballots.channel == ballots.channel.max(axis=2, keepdims=True)
    vote = np.where(chosen & (ballots.channel.max(axis=2, keepdims=True) > 0.0), 1.0, 0.0)
    vote *= vote.sum(axis=2, keepdims=True) == 1.0
    counts = vote[rows].sum(axis=(0, 2))
    hits = vote[rows][np.arange(len(rows)), :, gold[rows]].sum(axis=0)
    p = (hits + 1.4) / (counts + 2.0)
    return np.asarray(np.einsum("nck,c->nk", vote, np.log(p * (k - 1) / (1.0 - p))))


def captured_errors(score: Floats, right: Floats) -> Floats:
    """Return the panel errors among the m items of lowest score, per item, for m from 0 to n; tied items
    share their mean.
    """
    n = len(score)
    order = np.argsort(score, kind="stable")
    ranked, wrong = score[order], (1.0 - right)[order]
    new = np.empty(n, dtype=bool)
    new[:1], new[1:] = True, ranked[1:] > ranked[:-1] + 1e-12
    group = np.cumsum(new) - 1
    mean = (np.bincount(group, wrong) / np.bincount(group))[group]
    return np.concatenate([[0.0], np.cumsum(mean) / n])


def measure_routing(
    score: Floats, right: Floats, budgets: Sequence[float] = BUDGETS, seed: int = 0, draws: int = 500
) -> dict[str, Any]:
    """Return the final accuracy when an oracle answers the least confident share, against the same share at
    random.

    ``gain_ci`` is the interval of the difference, ranking each bootstrap sample anew; ``area`` the mean
    difference over all shares.
    """
    n = len(score)
    asked = np.array([round(share * n) for share in budgets], dtype=np.int64)
    grid = np.array([round(share * n) for share in np.linspace(0.0, 1.0, 21)], dtype=np.int64)
    drawn = [_routed(score[rows], right[rows], asked, grid) for rows in draw_items(n, draws, seed)]
    after, gain, area = (np.array(part) for part in zip(*drawn, strict=True))
    accuracy, over, whole = _routed(score, right, asked, grid)
    out: dict[str, Any] = {}
    for i, share in enumerate(budgets):
        out[f"{share:g}"] = {
            "accuracy": float(accuracy[i]),
            "ci": list(interval(after[:, i])),
            "random": float(accuracy[i] - over[i]),
            "gain": float(over[i]),
            "gain_ci": list(interval(gain[:, i])),
            "n": n,
            "asked": int(asked[i]),
        }
    out["area"] = {"gain": whole, "gain_ci": list(interval(area))}
    return out


def _routed(score: Floats, right: Floats, asked: Ints, grid: Ints) -> tuple[Floats, Floats, float]:
    """Accuracy and its difference to random at each number asked, and the mean difference over ``grid``."""
    captured, base, n = captured_errors(score, right), float(right.mean()), len(score)
    chance = 1.0 - base
    area = float((captured[grid] - grid / n * chance).mean())
    return base + captured[asked], captured[asked] - asked / n * chance, area


def measure_routing_learned(
    curve: Curve, gold: Ints, budgets: Sequence[float] = BUDGETS, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Return the figures of routing after N labels, as a mean over splits: the share is of the unlabelled
    items, ranked by the learned margin.

    The interval resamples items by their mean value over the splits that tested them, as in
    ``measure_learning``.
    """
    n = len(gold)
    out: dict[str, dict[str, Any]] = {}
    for size, splits in curve.splits.items():
        per: dict[str, Any] = {}
        for share in budgets:
            final, random_, tests = np.zeros(n), np.zeros(n), np.zeros(n)
            for _, test, logits in splits:
                right = score_right(logits[test], gold[test])
                score = gap(np.exp(log_softmax(logits[test])))
                asked = _asked(score, round(share * len(test)))
                final[test] += right + asked * (1.0 - right)
                random_[test] += right + round(share * len(test)) / len(test) * (1.0 - right)
                tests[test] += 1.0
            seen = tests > 0
            a, r, t = final[seen], random_[seen], tests[seen]
            per[f"{share:g}"] = {
                "accuracy": float(final.sum() / tests.sum()),
                "ci": list(ratio_interval(a, t, seed=seed)),
                "random": float(random_.sum() / tests.sum()),
                "gain_ci": list(ratio_interval(a - r, t, seed=seed)),
                "n": int(seen.sum()),
            }
        out[str(size)] = per
    return out


def _asked(score: Floats, count: int) -> Floats:
    """(n,) probability of being asked when ``count`` lowest scores are, equal scores sharing evenly."""
    asked = np.zeros(len(score))
    if count <= 0:
        return asked
    edge = np.partition(score, count - 1)[count - 1]
    under, level = score < edge - 1e-12, np.abs(score - edge) <= 1e-12
    asked[under] = 1.0
    asked[level] = (count - under.sum()) / level.sum()
    return asked


def learn(ballots: Ballots, rows: Ints, gold: Ints, correlation: float = PRIOR_CORRELATION) -> Weights:
    """Return the weights learned from the right answers on some rows."""
    return learn_weights(ballots, rows, one_hot(gold[rows], len(ballots.outcomes)), correlation=correlation)
