"""How many of a finite set of records may be wrong, by a random sample of them that experts answered.

The set is frozen and small, and a record is drawn once at most, so that the number of disagreements in the sample is
hypergeometric; no model of where the records come from is assumed, only that the sample was drawn at random. Imports
the standard library only.

Sources: exact bounds by inversion, Buonaccorsi 1987 (The American Statistician 41) and Wang 2015 (JASA 110); samples
with an acceptance number and one extension, Dodge and Romig 1929 (Bell System Technical Journal 8), double sampling of
a lot of given size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from solon.errors import ConfigError

FIRST, FURTHER = 0.7, 0.3
"""How the first look at a sample and its one extension share the probability of a false promise."""
ATTEMPT = 0.9
"""The share of it that the first set may spend; each later attempt at its records has a tenth of the one before."""
SLIPS = 2
"""Disagreements that the first look leaves room for, unless somebody says otherwise."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Look:
    """One planned look at the sample.

    Attributes:
        asked: so many records have been drawn and answered by then.
        slips: the promise holds with so many disagreements among them, and with no more.
        error: the probability of a false promise that this look may spend.
    """

    asked: int
    slips: int
    error: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked before a promise about a set of records may be made.

    Attributes:
        records: how many records the set has.
        decided: those that experts decided, or confirmed: they are right by definition.
        rest: those that are tested.
        promise: the share of the records that agrees with the experts, in (0, 1).
        confidence: of the promise, in (0, 1).
        allowed: so many records of the set may be wrong.
        smallest: the smallest sample that would do if nothing in it is wrong; 0 where nothing needs to be asked.
        looks: the planned looks, the first one first; none where nothing needs to be asked.
    """

    records: int
    decided: int
    rest: int
    promise: float
    confidence: float
    allowed: int
    smallest: int
    looks: tuple[Look, ...]

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values; the errors of its looks with as many digits as they have."""
        looks = [{**asdict(look), "error": float(f"{look.error:.12g}")} for look in self.looks]
        return {**asdict(self), "looks": looks}

    def chances(self, agreement: float) -> tuple[float, ...]:
        """The probability that the promise is granted by each look, if this share of the rest agrees."""
        wrong = round((1.0 - agreement) * self.rest)
        return chances(self.rest, wrong, self.looks)


def most_allowed(records: int, promise: float) -> int:
    """Return how many of so many records may be wrong for the promised share to be right."""
    return math.floor(records * (1.0 - promise) + ROUNDING)


def at_most(rest: int, wrong: int, asked: int, slips: int) -> float:
    """Return the probability that a sample without replacement holds at most so many wrong records.

    Args:
        rest: records that are drawn from.
        wrong: those of them that are wrong.
        asked: size of the sample.
        slips: wrong records in the sample.
    """
    least, most = max(0, asked - (rest - wrong)), min(asked, wrong)
    if slips >= most:
        return 1.0
    whole = _log_choose(rest, asked)
    terms = (
        _log_choose(wrong, k) + _log_choose(rest - wrong, asked - k) - whole for k in range(least, slips + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def most_wrong(rest: int, asked: int, slips: int, error: float) -> int:
    """Return the exact upper bound of the wrong records among the rest, by inverting the hypergeometric test.

    It is the largest number under which so few slips are not less probable than ``error``; the true number is larger
    with probability ``error`` at most (Buonaccorsi 1987). It is never under what the sample holds itself.
    """
    low, high = slips, rest - (asked - slips)
    while low < high:
        middle = (low + high + 1) // 2
        if at_most(rest, middle, asked, slips) > error:
            low = middle
        else:
            high = middle - 1
    return low


def least_asked(rest: int, allowed: int, slips: int, error: float) -> int | None:
    """Return the smallest sample with so many slips that shows at most ``allowed`` wrong records among the rest.

    None where no sample does, since as many slips are themselves more than is allowed.
    """
    if slips > allowed:
        return None
    low, high = slips, rest
    while low < high:
        middle = (low + high) // 2
        if most_wrong(rest, middle, slips, error) <= allowed:
            high = middle
        else:
            low = middle + 1
    return low


def plan_sample(
    records: int,
    decided: int,
    *,
    promise: float,
    confidence: float,
    slips: int = SLIPS,
    attempt: int = 1,
) -> Plan:
    """Return how many of the records to ask about, in two looks whose error together is under 1 - confidence.

    The first look leaves room for ``slips`` disagreements. Where there are more, the sample is extended once, to the
    size that leaves room for twice as many and two. Both sizes follow from the figures given and from no answer, so
    that nobody can choose the moment; the errors of both looks add up (Bonferroni), so that their exact bounds hold
    together, also for a smaller promise than was planned for.

    Args:
        records: of the whole set.
        decided: those that are right by definition.
        attempt: which attempt at these records it is, from 1; a later one has less error to spend.

    Raises:
        ConfigError: a share outside (0, 1), or no number of slips.
    """
    for name, value in (("promise", promise), ("confidence", confidence)):
        if not 0.0 < value < 1.0:
            raise ConfigError(
                f"--{name} must lie between 0 and 1, got {value:g}", next_step=f"give --{name} .95, say"
            )
    if slips < 0:
        raise ConfigError(f"--slips {slips} is no number of slips", next_step="give 0, 1, 2 or more")
    rest, allowed = records - decided, most_allowed(records, promise)
    if rest <= allowed:
        return Plan(records, decided, rest, promise, confidence, allowed, 0, ())
    error = (1.0 - confidence) * ATTEMPT * (1.0 - ATTEMPT) ** (attempt - 1)
    looks: list[Look] = []
    for room, share in ((slips, FIRST), (2 * slips + 2, FURTHER)):
        room = min(room, allowed)
        asked = least_asked(rest, allowed, room, error * share) or rest
        if not looks or asked > looks[-1].asked:
            looks.append(Look(asked, allowed if asked == rest else room, error * share))
    smallest = least_asked(rest, allowed, 0, error * FIRST) or rest
    return Plan(records, decided, rest, promise, confidence, allowed, smallest, tuple(looks))


def chances(rest: int, wrong: int, looks: Sequence[Look]) -> tuple[float, ...]:
    """Return the probability that the promise has been granted by each look, if so many of the rest are wrong."""
    ways = {0: 1.0}  # slips so far -> probability of coming here without a promise
    granted, before, told = 0.0, 0, []
    most = max((look.slips for look in looks), default=0)
    for look in looks:
        ways = _draw(ways, rest - before, wrong, look.asked - before, most)
        granted += math.fsum(p for k, p in ways.items() if k <= look.slips)
        ways = {k: p for k, p in ways.items() if k > look.slips}
        before = look.asked
        told.append(granted)
    return tuple(told)


def _draw(ways: dict[int, float], rest: int, wrong: int, asked: int, most: int) -> dict[int, float]:
    """The probabilities of so many slips, up to ``most``, after ``asked`` more draws."""
    after: dict[int, float] = {}
    for known, probability in ways.items():
        left = wrong - known
        whole = _log_choose(rest, asked)
        for k in range(max(0, asked - (rest - left)), min(asked, left, most - known) + 1):
            term = _log_choose(left, k) + _log_choose(rest - left, asked - k) - whole
            after[known + k] = after.get(known + k, 0.0) + probability * math.exp(term)
    return after


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
