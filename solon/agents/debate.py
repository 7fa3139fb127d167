"""One turn of debate: judges who disagree see reasons of both sides, without names, and vote again.

Source of the idea: Du et al. 2023, "Improving Factuality and Reasoning in Language Models through Multiagent Debate".
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from solon.agents import judge as judges
from solon.agents.case import Case
from solon.agents.judge import Verdict
from solon.agents.voters import Put
from solon.consensus.panel import ABSTAIN, TIE
from solon.consensus.tiers import place_of
from solon.questions import PAIR

LONGEST_REASON = 600
"""Characters of a reason that others are shown."""
SHOWN = 2
"""Reasons for the same outcome that others are shown."""


def sides_of(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """seat -> the outcome that it is for, over its orders and samples; without seats that are for none."""
    said: dict[str, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        if one.outcome not in (ABSTAIN, TIE):
            said[one.seat].append(one)
    sides = {}
    for seat, own in said.items():
        shares: dict[str, float] = defaultdict(float)
        for one in own:
            if one.p is not None and one.outcome in PAIR.outcomes:
                for outcome, share in zip(PAIR.outcomes, (one.p, 1.0 - one.p), strict=True):
                    shares[outcome] += share
            else:
                shares[one.outcome] += 1.0
        best = max(shares.values())
        leading = [outcome for outcome, share in shares.items() if share == best]
        if len(leading) == 1:
            sides[seat] = leading[0]
    return sides


def disagree(verdicts: Sequence[Verdict]) -> bool:
    """Whether two seats of the panel are for different outcomes. A seat that turns with the order is for none, or for
    the side of which it is surer."""
    return len(set(sides_of(verdicts).values())) > 1


def speaks(case: Case, verdict: Verdict) -> bool:
    """Whether a verdict is of a seat that a model plays: only such read reasons."""
    seats = case.config.judges
    place = place_of(verdict.seat, len(seats))
    return place is not None and not seats[place].python


async def hear_reasons(
    case: Case, put: Put, verdicts: Sequence[Verdict]
) -> tuple[dict[str, str], list[Verdict]]:
    """What judges gave as reasons, as text for a prompt, by the order in which its reader sees the answers (empty on a
    single text); and the verdicts with their reasons. A judge of a pair that gave a letter alone is asked why.

    Args:
        verdicts: of the seats, on what they were put.
    """
    sides = sides_of(verdicts)
    if len(put.answers) != len(PAIR.outcomes):
        said: dict[str, list[str]] = {outcome: [] for outcome in put.outcomes}
        for one in verdicts:
            if one.rationale and sides.get(one.seat) == one.outcome:
                said[one.outcome].append(one.rationale)
        return {"": tell_reasons(said)}, [*verdicts]
    speakers = {side: _surest(verdicts, sides, side) for side in PAIR.outcomes}
    told, given = {}, [*verdicts]
    for order in judges.ORDERS:
        reasons = await asyncio.gather(
            *(_reason_of(case, put, verdicts, speakers[side], side, order) for side in PAIR.outcomes)
        )
        places = {
            side: f"Answer {side if order == 'AB' else PAIR.outcomes[1 - n]}"
            for n, side in enumerate(PAIR.outcomes)
        }
        said = {places[side]: [why] for side, why in zip(PAIR.outcomes, reasons, strict=True) if why}
        told[order] = tell_reasons(dict(sorted(said.items())))
        for side, why in zip(PAIR.outcomes, reasons, strict=True):
            place = _find_vote(given, speakers[side].seat, order, side)
            if place is not None and not given[place].rationale:
                given[place] = replace(given[place], rationale=why)
    return told, given


def tell_reasons(said: Mapping[str, Sequence[str]]) -> str:
    """Reasons as text for a prompt, a line each: `For Answer A: ...`. Who gave them, and how many were for what, is
    left out.

    Args:
        said: what they are for -> reasons.
    """
    lines = []
    for outcome, reasons in said.items():
        for reason in dict.fromkeys(" ".join(one.split())[:LONGEST_REASON] for one in reasons[:SHOWN]):
            lines.append(f"For {outcome}: {reason}")
    return "\n".join(lines)


def _surest(verdicts: Sequence[Verdict], sides: Mapping[str, str], side: str) -> Verdict:
    own = [one for one in verdicts if sides.get(one.seat) == side and one.outcome == side]
    return max(own, key=lambda one: abs((0.75 if one.p is None else one.p) - 0.5))


def _find_vote(verdicts: Sequence[Verdict], seat: str, order: str, outcome: str) -> int | None:
    """Where the first vote of a seat for an outcome stands; None where it cast none in this order."""
    wanted = (seat, order, outcome)
    return next((n for n, v in enumerate(verdicts) if (v.seat, v.order, v.outcome) == wanted), None)


async def _reason_of(
    case: Case, put: Put, verdicts: Sequence[Verdict], speaker: Verdict, side: str, order: str
) -> str:
    """Why the speaker's seat is for a side, in the letters of an order."""
    same = (speaker.seat, order, side)
    written = next(
        (v.rationale for v in verdicts if v.rationale and (v.seat, v.order, v.outcome) == same), ""
    )
    if written:
        return written
    a, b = put.answers
    seat = place_of(speaker.seat, len(case.config.judges))
    if seat is None:
        return ""
    return await judges.explain(
        case, seat, a=a, b=b, order=order, outcome=side, round=put.round, pair=put.pair
    )
