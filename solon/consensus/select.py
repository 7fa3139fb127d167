"""Which items are worth an expert's time. Imports numpy only.

All scores are higher for items that are worth more. ``posterior`` is (n, K), rows sum to 1.
"""

from __future__ import annotations

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.errors import ConfigError

ACQUISITIONS = ("value", "uncertainty", "margin", "entropy", "committee", "core-set")
"""Ways to choose what to ask: records put right per minute (see ``worth``), how unsure the consensus is, how much its
voters differ, or how unlike an item is to what was asked."""


def score_uncertainty(posterior: Floats) -> Floats:
    """Return 1 minus the probability of the best outcome (Lewis and Gale 1994)."""
    return np.asarray(1.0 - posterior.max(axis=1))


def score_margin(posterior: Floats) -> Floats:
    """Return 1 minus the gap between the best and the second outcome (Scheffer et al. 2001)."""
    ranked = np.sort(posterior, axis=1)
    return np.asarray(1.0 - (ranked[:, -1] - ranked[:, -2]))


def score_entropy(posterior: Floats) -> Floats:
    """Return the entropy of the posterior, 1 where it is uniform."""
    p = np.clip(posterior, 1e-12, 1.0)
    return np.asarray(-(posterior * np.log(p)).sum(axis=1) / np.log(posterior.shape[1]))


def score_vote_entropy(ballots: Ballots) -> Floats:
    """Return the entropy of the voters' mean share (Dagan and Engelson 1995), 1 for an even split."""
    count = ballots.active.sum(axis=1, keepdims=True)
    mean = ballots.shares.sum(axis=1) / np.where(count > 0.0, count, 1.0)
    mean = np.where(count > 0.0, mean, 1.0 / mean.shape[1])
    return score_entropy(mean)


def score_committee_kl(member: Floats) -> Floats:
    """Return the mean divergence of members from their consensus (McCallum and Nigam 1998); ``member`` is (n,
    V, K).
    """
    p = np.clip(member, 1e-12, 1.0)
    mean = np.clip(member.mean(axis=1, keepdims=True), 1e-12, 1.0)
    return np.asarray((member * (np.log(p) - np.log(mean))).sum(axis=2).mean(axis=1))


def score_model_change(features: Floats, posterior: Floats) -> Floats:
    """Return the expected length of the gradient that a decision would add (Settles et al. 2008).

    Args:
        features: (n, K, F) of each outcome of each item.
    """
    k = posterior.shape[1]
    out = np.zeros(len(posterior))
    for label in range(k):
        pull = -posterior.copy()
        pull[:, label] += 1.0
        gradient = np.einsum("nk,nkf->nf", pull, features)
        out += posterior[:, label] * np.sqrt((gradient**2).sum(axis=1))
    return out


def score_value(confidence: Floats, reliability: float, waiting_alike: Floats | None = None) -> Floats:
    """Return the expected records put right by asking one reviewer: ``max(0, reliability - confidence)``.

    For two outcomes and errors independent of the panel's this is exact: merging the answer as a vote, the
    final answer is right with probability max(confidence, reliability). So an item that the panel is surer of
    than the reviewer is reliable is worth nothing.

    Args:
        waiting_alike: (n,) how many pending items share the question, itself included; it multiplies the
            value.
    """
    gain = np.maximum(0.0, reliability - confidence)
    return gain if waiting_alike is None else gain * waiting_alike


def pick_core_set(embeddings: Floats, n: int, covered: Ints | None = None) -> Ints:
    """Return the rows that a greedy k-centre picks (Sener and Savarese 2018), each farthest from all covered
    and picked ones.

    With none covered it starts at the row nearest to the mean. The radius is within a factor 2 of the best.
    Cost n * m * d.

    Args:
        embeddings: (m, d).
        n: how many rows to pick at most.
        covered: rows that are decided already.
    """
    m = len(embeddings)
    if n <= 0 or m == 0:
        return np.zeros(0, dtype=np.int64)
    distance = np.full(m, np.inf)
    picked: list[int] = []
    for row in [] if covered is None else covered.tolist():
        distance = np.minimum(distance, ((embeddings - embeddings[row]) ** 2).sum(axis=1))
    if covered is None or not len(covered):
        centre = embeddings.mean(axis=0)
        picked.append(int(((embeddings - centre) ** 2).sum(axis=1).argmin()))
        distance = ((embeddings - embeddings[picked[0]]) ** 2).sum(axis=1)
    while len(picked) < min(n, m):
        taken = distance.copy()
        taken[picked] = -1.0
        if covered is not None:
            taken[covered] = -1.0
        row = int(taken.argmax())
        if taken[row] < 0.0:
            break
        picked.append(row)
        distance = np.minimum(distance, ((embeddings - embeddings[row]) ** 2).sum(axis=1))
    return np.array(picked, dtype=np.int64)


def score_acquisition(how: str, posterior: Floats, member: Floats | None = None) -> Floats:
    """Return what asking about each item is worth by one of ``ACQUISITIONS``, all but ``value`` and ``core-set``.

    Args:
        posterior: (n, K) of each item.
        member: (n, V, K) shares of each voter, for ``committee``; a voter that is silent has what the panel thinks.

    Raises:
        ConfigError: there is no such acquisition.
    """
    if how == "committee" and member is not None:
        return score_committee_kl(member)
    scores = {"uncertainty": score_uncertainty, "margin": score_margin, "entropy": score_entropy}
    if how not in scores:
        raise ConfigError(
            f"no score of acquisition {how!r}", next_step=f"use one of {', '.join((*scores, 'committee'))}"
        )
    return scores[how](posterior)


def pick_ranked(posterior: Floats, n: int) -> Ints:
    """Return the rows to begin with where no decision is known yet: for each outcome in turn the item that is ranked
    first for it, so that no outcome goes without an example.

    Where a panel says the same of all items, these are the first rows as they come.
    """
    ranked = np.argsort(-posterior, axis=0, kind="stable")
    picked = list(dict.fromkeys(ranked.ravel().tolist()))
    return np.array(picked[: max(n, 0)], dtype=np.int64)


def select(
    value: Floats,
    *,
    items: int | None = None,
    minutes: float | None = None,
    cost: Floats | None = None,
    embeddings: Floats | None = None,
    covered: Floats | None = None,
    diversity: float = 0.0,
) -> Ints:
    """Return the rows to ask about, best first: the highest value per minute under a budget of items or
    minutes.

    Items of no value are never picked; of equal ones the lower row comes first.

    Args:
        value: (n,) of asking about each item.
        cost: (n,) minutes per decision (default 1).
        embeddings: (n, d), needed for diversity.
        covered: (m, d) embeddings of what was asked before.
        diversity: in [0, 1], the share of its value that an item loses at most to the most similar one picked
            or covered (maximal marginal relevance, Carbonell and Goldstein 1998).

    Raises:
        ConfigError: no budget is given, or a cost is not above 0.
    """
    n = len(value)
    if items is None and minutes is None:
        raise ConfigError("selection needs a budget", next_step="give items or minutes")
    price = np.ones(n) if cost is None else cost
    if n and float(price.min()) <= 0.0:
        raise ConfigError(
            f"minutes per decision must be above 0, got {price.min():g}", next_step="use a small number, .1"
        )
    left = np.inf if minutes is None else minutes
    most = n if items is None else min(items, n)
    rate = value / price
    if embeddings is None or diversity <= 0.0:
        order = np.argsort(-rate, kind="stable")
        order = order[value[order] > 0.0]
        chosen: list[int] = []
        for row in order.tolist():
            if len(chosen) >= most:
                break
            if price[row] <= left + 1e-12:
                chosen.append(row)
                left -= float(price[row])
        return np.array(chosen, dtype=np.int64)
    unit = _unit(embeddings)
    nearest = np.zeros(n)
    if covered is not None:
        for row in _unit(covered):
            nearest = np.maximum(nearest, np.clip(unit @ row, 0.0, 1.0))
    return _select_diverse(value, rate, price, most, left, unit, nearest, diversity)


def _unit(vectors: Floats) -> Floats:
    norm = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.where(norm > 0.0, norm, 1.0))


def _select_diverse(
    value: Floats,
    rate: Floats,
    price: Floats,
    most: int,
    left: float,
    unit: Floats,
    nearest: Floats,
    diversity: float,
) -> Ints:
    free = value > 0.0
    chosen: list[int] = []
    while len(chosen) < most:
        able = free & (price <= left + 1e-12)
        if not able.any():
            break
        worth = np.where(able, rate * (1.0 - diversity * nearest), -1.0)
        row = int(worth.argmax())
        chosen.append(row)
        free[row] = False
        left -= float(price[row])
        nearest = np.maximum(nearest, np.clip(unit @ unit[row], 0.0, 1.0))
    return np.array(chosen, dtype=np.int64)
