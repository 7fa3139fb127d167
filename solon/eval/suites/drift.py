"""Does the panel still agree with the experts? Agreement by week and by principle, with an alarm when it falls.

A week is set against all weeks before it by Fisher's exact test, one-sided. Week i spends 6/(pi^2 i^2) of the level
of its course, so that looking every week gives a false alarm, ever, in at most that share of courses in which nothing
changed. Drawn and routed items are different things and are never pooled for an alarm: routed ones are those that the
panel was unsure of, and what is routed changes with the policy. Where experts were asked the same thing again, their
agreement with themselves says whether it is they who moved.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.consensus.finite import at_most
from solon.eval.replay.opinions import Said, read_said
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, rate
from solon.eval.suites.agreement import RANDOM_RULES
from solon.store.reviewing.repeats import Repeat, repeated_answers

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.store.database.engine import Connection

LEVEL = 0.05 / 4
"""Chance of a false alarm, ever, of the drawn, of the routed, of the experts' own course and, shared out, of all
principles; 5% over them together."""
LEAST = 5
"""A week with fewer answers is told, and waits for the next one to be tested with it."""


class Week(BaseModel):
    """One ISO week of answers.

    Attributes:
        name: as `2026-W07`.
        agreement: of the week.
        before: agreement of the earlier answers that the week is set against.
        p: p value that agreement did not fall against all before; None where there is too little to test.
        spent: level that the test of this week spends; None with `p`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    agreement: Figure
    before: Figure
    p: float | None
    spent: float | None


class Course(BaseModel):
    """Agreement over weeks.

    Attributes:
        overall: over all of them.
        weeks: the oldest first.
        state: `alarm`, `steady` or `cannot tell`.
        why: the state in words.
        detects: the agreement of a further week of the same size at which the alarm would go off; None where
            no such week could tell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    overall: Figure
    weeks: tuple[Week, ...]
    state: str
    why: str
    detects: float | None


class Drift(SuiteResult):
    """Whether the panel still agrees with the experts.

    Attributes:
        alarm: True where any course has an alarm.
        alarms: which course, and why.
        drawn: items that were drawn, without looking at the panel or among accepted ones.
        routed: items that were sent to people for what was found of them, most because the panel was unsure; without
            redrafts that came back to whoever asked for them.
        by_principle: decisions that cite a principle, drawn or routed ones, whichever are more.
        experts: agreement of experts with what they had said of the same candidates before, where they were
            asked again blind.
        by_expert: the same for each, by actor.
    """

    alarm: bool
    alarms: tuple[str, ...]
    drawn: Course
    routed: Course
    by_principle: dict[str, Course]
    experts: Course
    by_expert: dict[str, Figure]

    def headline(self) -> dict[str, Figure]:
        """Agreement over the whole time, drawn and routed items apart, and experts with themselves."""
        return {
            "panel and expert agree, on drawn items": self.drawn.overall,
            "panel and expert agree, on routed items": self.routed.overall,
            "experts agree with their own earlier answers": self.experts.overall,
        }

    def next_step(self) -> str:
        """Look at an alarm; without one, ask more."""
        if self.alarm:
            return "find out what changed, panel, law, seeds or people: `solon learn --status`"
        return ASK_EXPERTS if not self.n else "go on asking: a fall shows only in weeks with answers"


def evaluate(material: Material) -> Drift:
    """Return the course of agreement, from counted, blind answers beside the panel's opinion as it was before
    them.
    """
    found = Found()
    with material.store.connect() as connection:
        for said in read_said(connection, material.run_ids, settled=material.settled):
            found.add(said)
        return found.tell(connection, material)


Weeks = dict[str, Counter[bool]]
"""Week -> how many answers of it agree, and how many do not."""


class Found:
    """What was found of the answers read so far: counts by week."""

    def __init__(self) -> None:
        self.drawn, self.routed = Weeks(), Weeks()
        self.principles: dict[str, tuple[Weeks, Weeks]] = {}

    def add(self, said: Said) -> None:
        """Read what people answered about some of the items."""
        for opinion in said.opinions:
            answer, drawn = opinion.answer, opinion.answer.rule in RANDOM_RULES
            if answer.rule == "asked_back":  # a redraft that its author must see, whatever the panel says
                continue
            _note(self.drawn if drawn else self.routed, answer.at, opinion.agrees)
            for principle in answer.principles:
                both = self.principles.setdefault(principle, (Weeks(), Weeks()))
                _note(both[not drawn], answer.at, opinion.agrees)

    def tell(self, connection: Connection, material: Material) -> Drift:
        """Return the course of what was read."""
        repeats = repeated_answers(connection, material.run_ids)
        again = Weeks()
        for repeat in repeats:
            _note(again, repeat.at, repeat.same)
        drawn, routed, experts = (_course(weeks) for weeks in (self.drawn, self.routed, again))
        level = LEVEL / max(len(self.principles), 1)
        principles = {
            name: _course(max(both, key=_count), level) for name, both in sorted(self.principles.items())
        }
        named = {"on drawn items": drawn, "on routed items": routed, "of experts with themselves": experts}
        named |= {f"by principle {name}": course for name, course in principles.items()}
        alarms = tuple(f"{name}: {course.why}" for name, course in named.items() if course.state == "alarm")
        n = _count(self.drawn) + _count(self.routed)
        return Drift(
            suite="drift",
            n=n,
            alarm=bool(alarms),
            alarms=alarms,
            drawn=drawn,
            routed=routed,
            by_principle=principles,
            experts=experts,
            by_expert=_by_expert(repeats),
            notes=tuple(_notes(n, repeats)),
        )


def _note(weeks: Weeks, at: float, agrees: bool) -> None:
    weeks.setdefault(time.strftime("%G-W%V", time.gmtime(at)), Counter())[agrees] += 1


def _count(weeks: Weeks) -> int:
    return sum(counted.total() for counted in weeks.values())


def _course(counted: Weeks, level: float = LEVEL) -> Course:
    weeks: list[Week] = []
    seen = agreed = looks = pending = pending_agreed = 0
    size = 0
    for name, part in sorted(counted.items()):
        hits, n = part[True], part.total()
        pending, pending_agreed = pending + n, pending_agreed + hits
        p = spent = None
        before = _rate(agreed, seen)
        if seen >= LEAST and pending >= LEAST:
            looks += 1
            spent = level * 6 / (math.pi**2 * looks**2)
            p = fell(agreed, seen, pending_agreed, pending)
        weeks.append(Week(name=name, agreement=_rate(hits, n), before=before, p=p, spent=spent))
        if p is not None or seen < LEAST:
            size = pending
            seen, agreed = seen + pending, agreed + pending_agreed
            pending = pending_agreed = 0
    fallen = [
        week for week in weeks if week.p is not None and week.spent is not None and week.p <= week.spent
    ]
    spent_next = level * 6 / (math.pi**2 * (looks + 1) ** 2)
    detects = _detectable(agreed, seen, max(size, LEAST), spent_next)
    overall = _rate(agreed + pending_agreed, seen + pending)
    if fallen:
        week = fallen[0]
        why = f"agreement fell in {week.name}: {_spell(week.agreement)} after {_spell(week.before)}"
        return Course(overall=overall, weeks=tuple(weeks), state="alarm", why=why, detects=detects)
    if not looks:
        why = f"there is no week with {LEAST} answers after {LEAST} others"
        return Course(overall=overall, weeks=tuple(weeks), state="cannot tell", why=why, detects=detects)
    if detects is None:
        state, why = "cannot tell", "no fall was seen, but no fall could show in weeks of this size"
    else:
        state, why = (
            "steady",
            f"no fall was seen; a week like the last would show an agreement of {detects:.0%}",
        )
    return Course(overall=overall, weeks=tuple(weeks), state=state, why=why, detects=detects)


def fell(agreed_before: int, n_before: int, agreed: int, n: int) -> float:
    """Return the p value that agreement did not fall: Fisher's exact test, one-sided (the hypergeometric
    tail).
    """
    return at_most(n_before + n, agreed_before + agreed, n, agreed)


def _detectable(agreed: int, seen: int, n: int, spent: float) -> float | None:
    """The highest agreement of `n` further answers that would raise the alarm."""
    fewer = range(n + 1) if seen else range(0)
    found = bisect_right(fewer, spent, key=lambda k: fell(agreed, seen, k, n))
    return (found - 1) / n if found else None


def _by_expert(repeats: Sequence[Repeat]) -> dict[str, Figure]:
    by: dict[str, list[bool]] = {}
    for repeat in repeats:
        by.setdefault(repeat.actor, []).append(repeat.same)
    return {actor: _rate(sum(same), len(same)) for actor, same in sorted(by.items())}


def _rate(hits: int, n: int) -> Figure:
    return rate(hits, n, "no such answer")


def _spell(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.0%} of {figure.n}"


def _notes(n: int, repeats: Sequence[Repeat]) -> Iterable[str]:
    if not n:
        yield "no expert answered with their own token yet what a panel had judged"
    if not repeats:
        yield "nobody was asked the same thing again: whether experts themselves moved cannot be told"
    else:
        yield f"experts were asked again {median(repeat.days for repeat in repeats):.0f} days later (median)"
