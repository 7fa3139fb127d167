"""What an amendment would have changed: agreement with experts before and after, with paired intervals. Pure.

Exact McNemar test on the flips (McNemar 1947; binomial form) and a percentile bootstrap over precedents. The verdict
rests on precedents that the author of the draft could not see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb, pi
from typing import Any, Literal

PARTS = ("seen", "held_out", "fresh")
Part = Literal["seen", "held_out", "fresh"]
Verdict = Literal["green", "red", "grey"]
LEVEL = 0.05
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Trial:
    """One precedent that was judged under both laws, with outcomes in the panel's words.

    Attributes:
        precedent_id: the precedent.
        part: `seen` by the author of the draft, `held_out` from it, or `fresh`: decided after the draft was
            frozen.
        decided: what experts decided.
        before: what the panel says under the old law.
        after: what the panel says under the new law.
        again: what it says when asked once more under the old law; None where it was not.
    """

    precedent_id: str
    part: str
    decided: str
    before: str
    after: str
    again: str | None = None


@dataclass(frozen=True, slots=True)
class Paired:
    """A paired comparison of two agreements with the experts.

    Attributes:
        n: precedents that were compared.
        before: agreement under the first of the two; None where n is 0.
        after: agreement under the second; None where n is 0.
        gained: precedents that agree only under the second.
        lost: precedents that agree only under the first.
        p_value: exact, two-sided, that flips go either way alike (McNemar).
        interval: 95%, of the difference of the two agreements.
    """

    n: int
    before: float | None
    after: float | None
    gained: int
    lost: int
    p_value: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """The agreement after minus the agreement before; 0 where there is nothing."""
        return (self.gained - self.lost) / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Impact:
    """What an amendment would have changed on precedents, and what follows from that.

    Attributes:
        parts: figures by part (seen, held_out, fresh).
        unseen: figures of the precedents that the author of the draft could not see; the verdict rests on
            them.
        noise: two judgings under the same law compared; None where nothing was judged twice.
        verdict: green, red or grey, see `judge`.
        why: the verdict in words.
        look: how often the draft was measured on more unseen precedents than before, the first time included.
        tried: how often other drafts from the same version of the law had been measured on any of these precedents
            before.
    """

    parts: dict[str, Paired]
    unseen: Paired
    noise: Paired | None
    verdict: Verdict
    why: str
    look: int = 1
    tried: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)


def measure(
    trials: Sequence[Trial],
    *,
    seed: int = 0,
    before: Mapping[str, Any] | None = None,
    tried: int = 0,
    judged_by: Callable[[Paired, Paired | None, int], tuple[Verdict, str]] | None = None,
) -> Impact:
    """Return the impact over all trials.

    `unseen` joins the held-out half and what was decided after the draft was frozen. `noise` compares two
    judgings under the old law: what a draft without any effect would have seemed to do.

    Args:
        seed: of the bootstrap.
        before: what the last measurement of the same draft said, as plain values; None for the first.
        tried: how often other drafts from the same version were measured on any of these precedents before.
        judged_by: gives the verdict and its reason, from the unseen, the noise and the how-manieth measurement on these
            precedents this is; default: `judge`.
    """
    unseen = [trial for trial in trials if trial.part != "seen"]
    again = [trial for trial in trials if trial.again is not None]
    noise = None
    if again:
        noise = _compare([(t.decided, t.before, str(t.again)) for t in again], seed)
    compared = _compare([(t.decided, t.before, t.after) for t in unseen], seed)
    look, tried = _count(compared.n, before, tried)
    verdict, why = (judged_by or judge)(compared, noise, look + tried)
    parts = {
        part: _compare([(t.decided, t.before, t.after) for t in trials if t.part == part], seed)
        for part in PARTS
    }
    return Impact(parts, compared, noise, verdict, why, look, tried)


def _count(n: int, before: Mapping[str, Any] | None, tried: int) -> tuple[int, int]:
    """The look, and how many measurements of other drafts stand before it; measuring the same precedents again is no
    further look, and is judged as it was.
    """
    if before is None:
        return 1, tried
    look = int(before.get("look", 1))
    return (look, int(before.get("tried", 0))) if n == before["unseen"]["n"] else (look + 1, tried)


def level_of(measurement: int) -> float:
    """Return the level of the first, second, ... measurement on the same precedents: LEVEL, then 12 / (pi i)^2 of it.

    A draft without effect is green with probability level / 2 at most, since half of the test is for a fall. The sum of
    these over all measurements is under LEVEL: of all drafts without effect, however many there are and however often
    each is measured, any is ever green with probability LEVEL at most (Bonferroni over a convergent series).
    """
    return LEVEL * min(1.0, 12.0 / (pi * measurement) ** 2)


def judge(unseen: Paired, noise: Paired | None, measurement: int = 1) -> tuple[Verdict, str]:
    """Return the verdict on a draft, and the reason in words.

    Green: unseen agreement rose for certain, and by more than judging twice moves it. Red: it fell. Grey: we
    cannot tell, which needs the same override as red. Who measures again until it is green will see it green
    by chance, and so will who tries one draft after another. So each measurement has a lower level than those before
    it, see `level_of`. Red needs no such care.

    Args:
        measurement: the how-manieth on any of these precedents this is, of all drafts from the same version.
    """
    if not unseen.n:
        return "grey", "cannot tell: there is no precedent that the author of the draft could not see"
    floor = max(0.0, *(abs(edge) for edge in noise.interval)) if noise and noise.n else 0.0
    change = f"{unseen.before:.0%} to {unseen.after:.0%} on {unseen.n} unseen precedents"
    if unseen.difference < 0 and (unseen.p_value <= LEVEL or unseen.interval[1] < 0):
        return "red", f"agreement falls: {change}"
    level = level_of(measurement)
    if unseen.difference > 0 and unseen.p_value <= level and unseen.interval[0] > 0:
        if unseen.difference > floor:
            return "green", f"agreement rises: {change}"
        return "grey", f"cannot tell: {change}, but judging twice alone moves it by up to {floor:.0%}"
    counted = (
        f", and measurement {measurement} on these decisions takes {level:.2g}" if measurement > 1 else ""
    )
    return "grey", f"cannot tell: {change}, p = {unseen.p_value:.2g}{counted}"


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided exact p value of "flips go either way alike"; 1 without a flip."""
    n = gained + lost
    tail = sum(comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, float(2 * tail / 2**n))


def _compare(rows: Sequence[tuple[str, str, str]], seed: int) -> Paired:
    before = [decided == old for decided, old, _ in rows]
    after = [decided == new for decided, _, new in rows]
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    lost = sum(old and not new for old, new in zip(before, after, strict=True))
    n = len(rows)
    moves = [int(new) - int(old) for old, new in zip(before, after, strict=True)]
    return Paired(
        n,
        sum(before) / n if n else None,
        sum(after) / n if n else None,
        gained,
        lost,
        mcnemar(gained, lost),
        _bootstrap(moves, seed),
    )


def _bootstrap(moves: Sequence[int], seed: int) -> tuple[float, float]:
    """95% percentile interval of the mean; (-1, 1) where there is nothing."""
    if not moves:
        return -1.0, 1.0
    import numpy as np

    values = np.array(moves, dtype=float)
    rows = np.random.default_rng(seed).integers(0, len(values), size=(DRAWS, len(values)))
    low, high = np.percentile(values[rows].mean(axis=1), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)
