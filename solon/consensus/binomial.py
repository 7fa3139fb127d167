"""Exact binomial tails and intervals. Imports the standard library only."""

from __future__ import annotations

import math
from statistics import NormalDist


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Numerical
    Recipes, 6.4).
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    h = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for step in (even, odd):
            d = 1.0 + step * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + step / c
            c = c if abs(c) > tiny else tiny
            h *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    return h


def tail_at_least(k: int, n: int, p: float) -> float:
    """Return the probability that a binomial count is at least ``k``: P(Bin(n, p) >= k)."""
    return 1.0 if k <= 0 else 0.0 if k > n else beta_cdf(p, k, n - k + 1.0)


def tail_at_most(k: int, n: int, p: float) -> float:
    """Return the probability that a binomial count is at most ``k``: P(Bin(n, p) <= k)."""
    return 1.0 if k >= n else 0.0 if k < 0 else beta_cdf(1.0 - p, n - k, k + 1.0)


def mass(k: int, n: int, p: float) -> float:
    """Return the probability that a binomial count is ``k``: P(Bin(n, p) = k)."""
    if not 0 <= k <= n:
        return 0.0
    if p in (0.0, 1.0):
        return float(k == round(p) * n)
    ways = math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def beta_quantile(q: float, a: float, b: float) -> float:
    """Return the inverse of ``beta_cdf`` in ``x``, by bisection to 1e-12."""
    low, high = 0.0, 1.0
    for _ in range(60):
        mid = (low + high) / 2.0
        if beta_cdf(mid, a, b) < q:
            low = mid
        else:
            high = mid
        if high - low < 1e-12:
            break
    return (low + high) / 2.0


def lower_bound(k: int, n: int, delta: float) -> float:
    """Return the exact one-sided lower bound of a rate with ``k`` successes in ``n``, at level 1 - delta."""
    return 0.0 if k <= 0 or n <= 0 else beta_quantile(delta, k, n - k + 1.0)


def upper_bound(k: int, n: int, delta: float) -> float:
    """Return the exact one-sided upper bound of a rate with ``k`` successes in ``n``, at level 1 - delta."""
    return 1.0 if n <= 0 or k >= n else beta_quantile(1.0 - delta, k + 1.0, float(n - k))


def clopper_pearson(k: int, n: int, delta: float = 0.05) -> tuple[float, float]:
    """Return the exact two-sided interval of a rate at level 1 - delta (Clopper and Pearson 1934); (0, 1) for
    n = 0.
    """
    return lower_bound(k, n, delta / 2.0), upper_bound(k, n, delta / 2.0)


def rate_difference(
    k: int, n: int, other: int, of: int, delta: float = 0.05
) -> tuple[float, float, float] | None:
    """Return the rate ``k`` of ``n`` less the rate ``other`` of ``of``, and its interval at level 1 - delta by the
    hybrid score method (Newcombe 1998, Statistics in Medicine 17, method 10); None where either n is 0.
    """
    if not n or not of:
        return None
    z = NormalDist().inv_cdf(1.0 - delta / 2.0)
    p, q = k / n, other / of
    (low, high), (below, above) = _wilson(p, n, z), _wilson(q, of, z)
    return (
        p - q,
        p - q - math.sqrt((p - low) ** 2 + (above - q) ** 2),
        p - q + math.sqrt((high - p) ** 2 + (q - below) ** 2),
    )


def _wilson(p: float, n: int, z: float) -> tuple[float, float]:
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1.0 - p) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def least_passing(n: int, rate: float, delta: float) -> int | None:
    """Return the smallest ``k`` of ``n`` for which ``P(Bin(n, rate) >= k) <= delta``; None where even n of n
    is too few.
    """
    if n <= 0 or rate**n > delta:
        return None
    low, high = 0, n
    while low < high:
        mid = (low + high) // 2
        if tail_at_least(mid, n, rate) <= delta:
            high = mid
        else:
            low = mid + 1
    return low
