"""Is the experts' time enough for what a plan asks of them? The answer in one sentence, and the ways out."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solon.operations.planning.ranges import Range


@dataclass(frozen=True, slots=True)
class WayOut:
    """One thing that would make the experts' time enough; `paste`: a block for `solon.toml` or the command line."""

    what: str
    paste: str


@dataclass(frozen=True, slots=True)
class Team:
    """The people of a plan: so many experts give so many minutes a day on so many days."""

    experts: int
    minutes: float
    days: int

    @property
    def seconds(self) -> float:
        """What they give together."""
        return self.experts * self.minutes * self.days * 60


def spell_shortfall(wanted: Range, affordable: Range, enough: str) -> str:
    """The answer of a plan in one sentence."""
    asked = (
        f"the policy asks for {wanted.likely:,.0f} reviews, and there is time for {affordable.likely:,.0f}"
    )
    if not affordable.likely:
        return f"nobody has time to answer: the policy asks for {wanted.likely:,.0f} reviews"
    short = wanted.likely / affordable.likely
    if short > 1:
        sure = "short" if enough == "no" else "likely short"
        return f"{sure} by {short:.1f} times: {asked}" if short >= 1.05 else f"likely just short: {asked}"
    return f"{'enough' if enough == 'yes' else 'likely enough'}: {asked}"


def find_ways_out(
    recipe: str,
    items: int,
    team: Team,
    affordable: float,
    wanted: Callable[[int], float],
    *,
    file: str = "seeds.jsonl",
    rows: int | None = None,
    beside: float = 0.0,
) -> tuple[WayOut, ...]:
    """Ask less, give more time, or take fewer seeds; none where the time is likely enough, or where there is none.

    Args:
        affordable: reviews that there is time for.
        wanted: reviews that the policy asks for over so many seeds.
        file: of the seeds.
        rows: that it has; None where that is not known.
        beside: reviews that no policy chooses, and that leave a budget the rest.
    """
    if affordable < 1 or wanted(items) <= affordable:
        return ()
    days = math.ceil(team.days * wanted(items) / affordable)
    fewer = bisect_right(range(1, items + 1), affordable, key=wanted)
    again = f"solon plan {recipe} --items {items} --experts {team.experts} --minutes {team.minutes:g}"
    ways = [WayOut("give it more days, or as many more experts", f"{again} --days {days}")]
    if budget := int(max(0.0, affordable - beside)):
        what = "ask about what is worth most, and no more (solon.toml)"
        ways.insert(0, WayOut(what, f'[routing]\npolicy = "budget"\nbudget = {budget}'))
    if fewer and rows is not None and rows <= fewer:
        what = f"take the {rows} seeds that are in {file}, and no more: for these the time is enough"
        ways.append(WayOut(what, f"solon run {recipe} --seeds {file}"))
    elif fewer:
        ways.append(WayOut("take fewer seeds", f"solon run {recipe} --seeds {file} --limit {fewer}"))
    return tuple(ways)
