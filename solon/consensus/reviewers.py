"""How reliable each reviewer is, and how much a reviewer's answer adds to the panel's as one more vote.

Imports numpy, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from solon.consensus.ballots import Floats, Ints
from solon.consensus.binomial import clopper_pearson
from solon.consensus.ceiling import best_agreement
from solon.consensus.logit import fit_logit
from solon.consensus.model import Calibration
from solon.consensus.trust import PRIOR_RIGHT, PRIOR_STRENGTH, PROVEN_AFTER, PROVEN_AT
from solon.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Reviewer:
    """How reliable a reviewer was measured to be, against golden answers and other people only, never against
    the panel.

    A proven reviewer's decision is final; any other's is one more vote.

    Attributes:
        name: of the reviewer.
        reliability: probability of a right answer, shrunk towards what is believed of anyone.
        n: blind answers that it rests on.
        interval: 95% interval of the reliability.
    """

    name: str
    reliability: float
    n: int
    interval: tuple[float, float]

    @property
    def proven(self) -> bool:
        """Whether enough comparisons showed enough reliability for the decisions to be final."""
        return self.n >= PROVEN_AFTER and self.reliability >= PROVEN_AT


def rate_reviewer(name: str, right: float, n: int, outcomes: int = 2) -> Reviewer:
    """Return the reliability from ``right`` of ``n`` golden answers, shrunk towards .75 by four
    pseudo-answers.

    Raises:
        ConfigError: ``right`` does not lie between 0 and ``n``.
    """
    if n < 0 or not 0.0 <= right <= n:
        raise ConfigError(f"{right!r} right of {n!r} answers", next_step="right lies between 0 and n")
    mean = (right + PRIOR_RIGHT * PRIOR_STRENGTH) / (n + PRIOR_STRENGTH)
    return Reviewer(name, max(mean, 1.0 / outcomes), n, clopper_pearson(round(right), n))


def rate_from_overlap(name: str, agreed: float, n: int, outcomes: int = 2) -> Reviewer:
    """Return the reliability from agreement with equally good others on ``n`` items that were answered blind
    by both.

    Agreement is shrunk first, then turned into reliability as in ``ceiling.best_agreement``.
    """
    prior = PRIOR_RIGHT**2 + (1.0 - PRIOR_RIGHT) ** 2 / (outcomes - 1)
    rate = (agreed + prior * PRIOR_STRENGTH) / (n + PRIOR_STRENGTH)
    low, high = clopper_pearson(round(agreed), n)
    bounds = (best_agreement(low, outcomes), best_agreement(high, outcomes))
    return Reviewer(name, best_agreement(rate, outcomes), n, bounds)


def rate_all(
    answers: Mapping[str, Mapping[str, str]], golden: Mapping[str, str] | None = None, outcomes: int = 2
) -> dict[str, Reviewer]:
    """Return the reliability of everyone from ``answers[item][reviewer]``.

    A reviewer is measured on golden items where these are at least as many as the comparisons with others,
    else on those comparisons.
    """
    gold = golden or {}
    right: dict[str, list[float]] = {}
    same: dict[str, list[float]] = {}
    for item, outcome_of in answers.items():
        for who, outcome in outcome_of.items():
            same.setdefault(who, [])
            if item in gold:
                right.setdefault(who, []).append(float(outcome == gold[item]))
        if item not in gold:
            for a, b in combinations(outcome_of, 2):
                hit = float(outcome_of[a] == outcome_of[b])
                same[a].append(hit)
                same[b].append(hit)
    out: dict[str, Reviewer] = {}
    for who, hits in same.items():
        if len(right.get(who, [])) >= len(hits):
            out[who] = rate_reviewer(who, sum(right.get(who, [])), len(right.get(who, [])), outcomes)
        else:
            out[who] = rate_from_overlap(who, sum(hits), len(hits), outcomes)
    return out


def rate_people(
    answers: Mapping[str, Mapping[str, str]],
    final: Collection[str],
    golden: Mapping[str, str] | None = None,
    outcomes: int = 2,
) -> dict[str, Reviewer]:
    """Return the reliability of everyone from ``answers[item][reviewer]``, each item's in the order in which
    they were given.

    Those whose decision is ``final`` are compared with each other, so that a crowd cannot make an expert look
    bad. The others are compared with the first final answer to an item where there is one, else with each
    other. ``golden`` answers take precedence over people.
    """
    among = {
        item: {who: outcome for who, outcome in outcome_of.items() if who in final}
        for item, outcome_of in answers.items()
    }
    first = {item: next(iter(outcome_of.values())) for item, outcome_of in among.items() if outcome_of}
    rated = rate_all(answers, first | dict(golden or {}), outcomes)
    return rated | rate_all(among, golden, outcomes)


def pool(rated: Sequence[Mapping[str, Reviewer]]) -> dict[str, Reviewer]:
    """Return everyone's reliability over several ratings, each of questions with another number of outcomes: the means
    by the answers that they rest on."""
    pooled: dict[str, Reviewer] = {}
    for name in dict.fromkeys(name for part in rated for name in part):
        parts = [part[name] for part in rated if name in part]
        known = [one for one in parts if one.n]
        if len(known) < 2:
            pooled[name] = (known or parts)[0]
            continue
        n = sum(one.n for one in known)
        mean, low, high = (
            sum(one.n * value for one, value in zip(known, values, strict=True)) / n
            for values in zip(*((one.reliability, *one.interval) for one in known), strict=True)
        )
        pooled[name] = Reviewer(name, mean, n, (low, high))
    return pooled


def vote_weight(reliability: float, outcomes: int = 2) -> float:
    """Return the log odds that one vote of this reliability adds to the outcome it names.

    It is 0 at chance or under, and where there is but one outcome.
    """
    if outcomes < 2:
        return 0.0
    p = min(max(reliability, 1.0 / outcomes), 0.999)
    return math.log(p * (outcomes - 1) / (1.0 - p))


def learn_vote_weight(panel: Floats, answers: Ints, truth: Ints, rated: Reviewer) -> float:
    """Return the log odds that a reviewer's answer adds to the panel's, learned where both and the truth are
    known.

    People and judges fail on the same hard items, so the weight that follows from the overall reliability is
    too high just where a review would be asked. The fit is a conditional logit around the weight of one who
    is right as often as two such reviewers agree (standard deviation one half). An answer counts for what is
    shown, one standard error under the estimate, and at least 0.

    Args:
        panel: (n, K) log posteriors, from fits without the item.
        answers, truth: (n,) outcomes, -1 for none.
        rated: the reviewer's overall reliability.
    """
    known = (answers >= 0) & (truth >= 0)
    k = panel.shape[1]
    x = np.stack([panel[known], np.eye(k)[answers[known]]], axis=2)
    r = rated.reliability
    mean = np.array([1.0, vote_weight(r * r + (1.0 - r) ** 2 / (k - 1), k)])
    fit = fit_logit(x, np.eye(k)[truth[known]], mean, np.array([16.0, 4.0]))
    shown = float(fit.weights[1] - np.sqrt(fit.covariance[1, 1]))
    return max(0.0, shown / max(float(fit.weights[0]), 0.25))


def merge(
    posterior: Mapping[str, float],
    votes: Sequence[tuple[str, float]],
    *,
    calibration: Calibration | None = None,
    confidence: float | None = None,
) -> dict[str, float]:
    """Return the posterior after votes of ``(outcome, reliability)``, taken as independent given the truth.

    ``tie`` and unknown outcomes move nothing. With ``confidence``, or a ``calibration`` that gives it, the
    panel's own odds are first made honest, because an overconfident panel would outvote any reviewer.
    """
    logs = {o: math.log(max(p, 1e-12)) for o, p in posterior.items()}
    best = max(logs, key=lambda o: logs[o])
    if confidence is None and calibration is not None and calibration.kind != "none":
        confidence = calibration.apply(posterior[best], {})
    if confidence is not None and len(logs) > 1:
        honest = min(max(confidence, 1e-6), 1.0 - 1e-6)
        rest = sum(p for o, p in posterior.items() if o != best) or 1.0
        logs = {
            o: math.log(honest if o == best else max((1.0 - honest) * p / rest, 1e-12))
            for o, p in posterior.items()
        }
    for outcome, reliability in votes:
        if outcome in logs:
            logs[outcome] += vote_weight(reliability, len(logs))
    top = max(logs.values())
    weights = {o: math.exp(v - top) for o, v in logs.items()}
    total = sum(weights.values())
    return {o: w / total for o, w in weights.items()}
