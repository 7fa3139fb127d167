"""How often a promise about a released set is false, by simulation of sets whose truth is known.

    python benchmarks/release_promise.py

The sample of a set is drawn, answered and looked at as `solon release create --promise` does: two planned looks,
records that were found wrong left out, and after a refusal a second attempt at the same records under a tenth of the
error. Two shares of false promises are told. Of the set as it was frozen, with one wrong record more than the promise
allows, the least favourable truth for a test: its bound is under the truth. Of the set as it is released, without the
records that were found wrong: fewer of it agree than was promised; here the least favourable truth has a few wrong
records more, since some are found, and the worst of several is told. Beside them stands what a certificate from an
infinite population asks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from solon.consensus.binomial import least_passing
from solon.consensus.finite import ATTEMPT, FIRST, Plan, most_allowed, most_wrong, plan_sample

SETS = 2000
CONFIDENCE = 0.9
BEYOND = (1, 2, 3, 4, 6, 8)
"""So many wrong records more than the promise allows."""

_plan = lru_cache(maxsize=None)(plan_sample)
_bound = lru_cache(maxsize=None)(most_wrong)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of simulated sets.

    Attributes:
        plan: what was asked of them.
        false_of_frozen: share of the sets with one wrong record too many whose bound allowed the promise, after up to
            two attempts.
        false_of_released: share of the sets that were released with a false promise; the worst of several truths.
        granted_at_99: share of the sets with 99 % agreement that were promised of in the first attempt.
        asked_at_99: answers that these took on average.
        infinite: answers with as many slips that an infinite population takes for the first look.
    """

    plan: Plan
    false_of_frozen: float
    false_of_released: float
    granted_at_99: float
    asked_at_99: float
    infinite: int


@dataclass(frozen=True, slots=True)
class _End:
    """What came of one set: whether it was promised of, how many answers that took, and whether the promise was true of
    the set as it was frozen and as it was released."""

    granted: bool
    asked: int
    true_of_frozen: bool = True
    true_of_released: bool = True


def simulate(
    records: int,
    decided: int,
    promise: float,
    *,
    sets: int = SETS,
    seed: int = 1,
    beyond: Sequence[int] = BEYOND,
) -> Simulated:
    """Return what comes of so many sets in which experts decided so many records, and the rest is tested."""
    draw = np.random.default_rng(seed)
    plan = _plan(records, decided, promise=promise, confidence=CONFIDENCE)
    worst = {
        more: [_release(draw, records, decided, plan.allowed + more, promise, 2) for _ in range(sets)]
        for more in beyond
        if plan.allowed + more <= plan.rest
    }
    good = [_release(draw, records, decided, round(0.01 * plan.rest), promise, 1) for _ in range(sets)]
    slips, error = plan.looks[0].slips, (1 - CONFIDENCE) * ATTEMPT * FIRST
    return Simulated(
        plan,
        sum(not end.true_of_frozen for end in worst[beyond[0]]) / sets,
        max(sum(not end.true_of_released for end in ends) / sets for ends in worst.values()),
        sum(end.granted for end in good) / sets,
        sum(end.asked for end in good) / sets,
        next(n for n in range(1, 10_000) if (least_passing(n, promise, error) or n + 1) <= n - slips),
    )


def _release(
    draw: np.random.Generator, records: int, decided: int, wrong: int, promise: float, attempts: int
) -> _End:
    """What comes of one set. What was answered is drawn no more: it is right, or left out."""
    asked = 0
    for attempt in range(1, attempts + 1):
        plan = _plan(records, decided, promise=promise, confidence=CONFIDENCE, attempt=attempt)
        allowed, bound, slips, taken = plan.allowed, plan.rest, 0, 0
        if not plan.looks:
            return _End(True, asked, wrong <= allowed, wrong <= allowed)
        for look in plan.looks:
            left = wrong - slips
            slips += int(draw.hypergeometric(left, plan.rest - taken - left, look.asked - taken))
            taken = look.asked
            bound = min(bound, _bound(plan.rest, look.asked, slips, look.error))
            after = most_allowed(records - slips, promise)
            if bound - slips <= after:
                return _End(True, asked + taken, wrong <= max(bound, allowed), wrong - slips <= after)
        asked += taken
        records, wrong, decided = records - slips, wrong - slips, decided + taken - slips
    return _End(False, asked)


def main() -> None:
    """Print a line for each size, promise and share that experts decided."""
    print(
        "records decided promise       asked (slips)  false, frozen  false, released  granted at .99  asked at .99  "
        "infinite"
    )
    for records in (60, 480, 3214):
        for promise in (0.9, 0.95):
            for share in (0.0, 0.25):
                decided = int(records * share)
                found = simulate(records, decided, promise)
                looks = ", ".join(f"{look.asked} ({look.slips})" for look in found.plan.looks)
                noise = math.sqrt(found.false_of_frozen * (1 - found.false_of_frozen) / SETS)
                print(
                    f"{records:7} {decided:7} {promise:7} {looks:>19} {found.false_of_frozen:8.4f}±{noise:.4f} "
                    f"{found.false_of_released:16.4f} {found.granted_at_99:15.3f} {found.asked_at_99:13.1f} "
                    f"{found.infinite:9}"
                )


if __name__ == "__main__":
    main()
