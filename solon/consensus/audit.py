"""Audits of accepted items: exact intervals, and an alarm that may be looked at every day.

Imports the standard library only. Audited items are drawn at random from the accepted ones and decided blind.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from solon.consensus.binomial import beta_cdf, clopper_pearson, upper_bound
from solon.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the audits of accepted items say so far about a promised agreement.

    Attributes:
        n: audits that were answered.
        agreed: those of them in which the expert agreed with the record.
        rate: ``agreed / n``; None while there is no audit.
        interval: exact 95% interval of the rate (Clopper-Pearson); it holds for one look at a fixed ``n``.
        always: interval that holds at all looks together (a confidence sequence at level 1 - delta).
        promise: the agreement that was promised, in (0, 1).
        state: ``green``, ``alarm`` or ``cannot tell``.
        detects: the highest agreement at which the alarm would have gone off by now with probability .8 or
            more; None where there is no such agreement yet.
        why: the state in words.
        certificate: id of the certificate since which they were given; None where it is all audits.
    """

    n: int
    agreed: int
    rate: float | None
    interval: tuple[float, float]
    always: tuple[float, float]
    promise: float
    state: str
    detects: float | None
    why: str
    certificate: str | None = None


def is_drawn(key: str, share: float) -> bool:
    """Tell whether an item is audited. The draw is fixed by its key alone, so it can be made before there are
    verdicts.

    Args:
        key: names the item, and should hold a secret seed, so that nobody can foresee the draw.
        share: probability of being drawn, in [0, 1].

    Raises:
        ConfigError: the share lies outside [0, 1].
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"audit share must lie in [0, 1], got {share!r}", next_step="use .01 to .05")
    return random.Random(key).random() < share


def watch(
    answers: Iterable[bool], promise: float, *, delta: float = 0.05, slack: float = 0.05
) -> AuditReport:
    """Return what audits say of a promised agreement, given their answers in the order in which they were
    decided.

    The state is ``alarm`` if the confidence sequence has at any time shown an agreement under ``promise``;
    where the promise holds this ever happens with probability at most ``delta``. It is ``green`` if there is
    no alarm, ``n`` audits would by now show a fall of ``slack`` with probability .8, and no fewer agreed than
    promised. Otherwise it is ``cannot tell``, and the report says which fall ``n`` audits can show.

    Args:
        answers: for each audit, whether the expert agreed with the record.
        promise: the promised agreement.
        delta: highest probability that the alarm is ever false.
        slack: how far under the promise a fall must be found before silence counts as green.

    Raises:
        ConfigError: the promise does not lie between 0 and 1.
    """
    if not 0.0 < promise < 1.0:
        raise ConfigError(f"a promise must lie between 0 and 1, got {promise!r}", next_step="use .9, say")
    n = agreed = 0
    alarm_at = None
    for n, answer in enumerate(answers, 1):
        agreed += bool(answer)
        if alarm_at is None and log_evidence_below(agreed, n, promise) >= math.log(1.0 / delta):
            alarm_at = n
    lowest_shown = detectable(n, promise, delta)
    interval, always = clopper_pearson(agreed, n), confidence_sequence(agreed, n, delta)
    rate = agreed / n if n else None
    tail = (
        f"{n} audits would show an agreement of {lowest_shown:.2f} or less"
        if lowest_shown is not None
        else f"{n} audits cannot show any fall yet"
    )
    if alarm_at is not None:
        state, why = (
            "alarm",
            f"agreement fell under {promise:g}: shown by audit {alarm_at}; {agreed} of {n} agreed",
        )
    elif agreed < promise * n - 1e-9:
        state = "cannot tell"
        fewer = f"fewer agreed than the promised {100 * promise:.4g}%"
        why = f"{fewer}, though not so few that the alarm calls it proven: {tail}"
    elif lowest_shown is not None and lowest_shown >= promise - slack:
        state, why = "green", f"no sign of a fall; {tail}"
    else:
        state, why = "cannot tell", f"no alarm, but {tail}"
    return AuditReport(n, agreed, rate, interval, always, promise, state, lowest_shown, why)


PSEUDO = 10.0
"""Weight of the mixture around the promise; more finds smaller falls, later."""


def log_evidence_below(k: int, n: int, promise: float) -> float:
    """Return the logarithm of the e-value against "agreement >= promise" after ``k`` agreements in ``n``
    audits.

    It is a mixture over all lower rates: a Beta with its mean at the promise and the weight of ``PSEUDO``
    audits, cut off above the promise. Under the hypothesis its exponential is a non-negative supermartingale
    of mean at most 1, so it ever exceeds 1/delta with probability at most delta (Ville 1939; Howard et al.
    2021).
    """
    if n == 0:
        return 0.0
    a0, b0 = PSEUDO * promise, PSEUDO * (1.0 - promise)
    a, b = a0 + k, b0 + n - k
    mass = beta_cdf(promise, a, b)
    if mass <= 0.0:
        return -math.inf
    return (
        _log_beta(a, b)
        - _log_beta(a0, b0)
        + math.log(mass)
        - math.log(beta_cdf(promise, a0, b0))
        - k * math.log(promise)
        - (n - k) * math.log1p(-promise)
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def confidence_sequence(k: int, n: int, delta: float = 0.05) -> tuple[float, float]:
    """Return an interval for a rate that holds at all n together with probability 1 - delta (Beta(1, 1)
    mixture).

    It is (0, 1) before the first answer.
    """
    if n == 0:
        return 0.0, 1.0
    log_mixture = math.lgamma(k + 1.0) + math.lgamma(n - k + 1.0) - math.lgamma(n + 2.0)
    limit = math.log(1.0 / delta)

    def rejected(p: float) -> bool:
        likely = (k * math.log(p) if k else 0.0) + ((n - k) * math.log1p(-p) if n > k else 0.0)
        return log_mixture - likely >= limit

    middle = min(max(k / n, 1e-12), 1.0 - 1e-12)
    return _edge(rejected, middle, 0.0), _edge(rejected, middle, 1.0)


def _edge(rejected: Callable[[float], bool], inside: float, end: float) -> float:
    outside = end
    if not rejected(min(max(end, 1e-15), 1.0 - 1e-15)):
        return end
    for _ in range(60):
        mid = (inside + outside) / 2.0
        if rejected(mid):
            outside = mid
        else:
            inside = mid
    return outside


def detectable(n: int, promise: float, delta: float = 0.05, power: float = 0.8) -> float | None:
    """Return the highest true agreement at which ``n`` audits, at the last look, raise the alarm with
    probability ``power``.

    None where not even ``n`` disagreements would raise it.
    """
    low_k, high_k = -1, math.floor(promise * n)
    while n and low_k < high_k:
        mid_k = (low_k + high_k + 1) // 2
        if log_evidence_below(mid_k, n, promise) >= math.log(1.0 / delta):
            low_k = mid_k
        else:
            high_k = mid_k - 1
    worst = low_k if low_k >= 0 else None
    if worst is None:
        return None
    low, high = 0.0, promise
    for _ in range(40):
        mid = (low + high) / 2.0
        if beta_cdf(1.0 - mid, n - worst, worst + 1.0) >= power:
            low = mid
        else:
            high = mid
    return low


def rate_with_bound(events: Sequence[bool], delta: float = 0.05) -> tuple[float | None, float]:
    """Return the share of a bad event, such as unsafe accepted records, and its exact upper bound at level 1
    - delta, rounded up to a tenth of a percent: no page can print less than it is.

    The share is None, and the bound 1, where there are no events to look at.
    """
    n, k = len(events), sum(map(bool, events))
    return (k / n if n else None), math.ceil(1000 * upper_bound(k, n, delta)) / 1000
