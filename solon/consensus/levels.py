"""Whether people are as reliable as is wanted, tested exactly. Imports the standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from solon.consensus.binomial import clopper_pearson, least_passing, tail_at_least, tail_at_most
from solon.errors import ConfigError

LEVEL = 0.05
"""How often, at most, anybody of all who are tested is told a verdict that is wrong."""
POWER = 0.8
"""How often a difference of the stated size shall be found."""
MOST = 5000
"""More answers than anybody will give; needs are not searched beyond."""


@dataclass(frozen=True, slots=True)
class LevelTest:
    """How right a person was on questions whose answer is known, against the level that is wanted.

    Attributes:
        n: answers.
        right: right ones.
        interval: exact 95% interval of the rate (Clopper and Pearson 1934).
        p: two-sided exact p-value against the wanted level, times what Holm's procedure asks for all who are tested.
        verdict: meets, misses or unknown.
        more: further answers after which one who is `better` or `worse` would be told apart four times in five; None
            where there is a verdict, or so many are there already: the person is near the wanted level.
        power: how often so many answers tell one who is `better`, and one who is `worse`.
    """

    n: int
    right: int
    interval: tuple[float, float]
    p: float
    verdict: str
    more: int | None
    power: tuple[float, float]


def alternatives(wanted: float) -> tuple[float, float]:
    """Return the levels at which power is stated: half-way from the wanted one to 1, and as far below it.

    Raises:
        ConfigError: the wanted level is not between 0.5 and 1.
    """
    if not 0.5 <= wanted < 1.0:
        raise ConfigError(
            f"wanted {wanted!r} is no level", next_step="a number from 0.5 to below 1, such as 0.8"
        )
    gap = (1.0 - wanted) / 2.0
    return wanted + gap, wanted - gap


def check_levels(counts: Mapping[str, tuple[int, int]], wanted: float) -> dict[str, LevelTest]:
    """Return everybody's test, from ``counts[name] = (right, n)``.

    Several people are several tests: p-values are adjusted by Holm (1979) over those who answered any. Power is that of
    the procedure's first and hardest step, so that it is at least so much. A verdict holds for one look: whoever looks
    after every answer finds something more often.
    """
    alternatives(wanted)
    tested = [name for name, (_, n) in counts.items() if n]
    raw = [_two_sided(*counts[name], wanted) for name in tested]
    adjusted = dict(zip(tested, holm(raw), strict=True))
    level = LEVEL / max(1, len(tested))
    return {name: _test(*counts[name], wanted, adjusted.get(name, 1.0), level) for name in counts}


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number (Holm 1979, Scandinavian Journal of Statistics 6)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for step, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _two_sided(right: int, n: int, wanted: float) -> float:
    return min(1.0, 2.0 * min(tail_at_least(right, n, wanted), tail_at_most(right, n, wanted)))


def _test(right: int, n: int, wanted: float, p: float, level: float) -> LevelTest:
    verdict, more = "unknown", None
    if n and p <= LEVEL:
        verdict = "meets" if right > wanted * n else "misses"
    else:
        needed = _needed(wanted, level)
        more = needed - n if needed > n else None
    return LevelTest(n, right, clopper_pearson(right, n), p, verdict, more, _power(n, wanted, level))


@cache
def _power(n: int, wanted: float, level: float) -> tuple[float, float]:
    better, worse = alternatives(wanted)
    at_least = least_passing(n, wanted, level / 2.0)
    wrong_at_least = least_passing(n, 1.0 - wanted, level / 2.0)
    return (
        0.0 if at_least is None else tail_at_least(at_least, n, better),
        0.0 if wrong_at_least is None else tail_at_least(wrong_at_least, n, 1.0 - worse),
    )


@cache
def _needed(wanted: float, level: float) -> int:
    return next((n for n in range(1, MOST) if min(_power(n, wanted, level)) >= POWER), MOST)
