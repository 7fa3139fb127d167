"""Where an item goes after the panel: accept, resolve or review, and by which rule. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from solon.config.sections import RoutingConfig
from solon.consensus.panel import Consensus

if TYPE_CHECKING:
    from solon.questions import Question
    from solon.recipes.pairings import Pairing

Where = Literal["accept", "resolve", "review"]
Cuts = tuple[float | None, ...] | None
"""Thresholds of the certificate in force by tier, None where a tier accepts nothing; None without a certificate."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an item goes, and why.

    Attributes:
        where: accept, resolve or review.
        rule: the name of what decided.
        reasons: what decided in words and numbers, for the expert and for the record.
    """

    where: Where
    rule: str
    reasons: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What an item brings to its routing besides its verdicts; fixed before it starts.

    Attributes:
        pilot: it was drawn into the random pilot sample.
        threshold: confidence from which the certificate in force accepts; None without one.
    """

    pilot: bool = False
    threshold: float | None = None


NEVER = math.inf
"""Threshold of a tier that the certificate in force lets accept nothing."""


def stand(pilot: bool, cuts: Cuts, tier: int) -> Standing:
    """The standing of an item once `tier` of the panel has spoken. `cuts`: thresholds of the certificate in
    force, see `Cuts`."""
    if cuts is None:
        return Standing(pilot)
    cut = cuts[tier] if tier < len(cuts) else None
    return Standing(pilot, NEVER if cut is None else cut)


def stops_here(consensus: Consensus, routing: RoutingConfig, standing: Standing) -> bool:
    """Whether a cascade may stop at the tier whose consensus this is, with dearer judges left to ask.

    With a certificate it stops from the tier's own cut on. Without one it stops where the policy's plain rule
    calls the panel confident, and what comes of it is provisional. Where a person decides whatever the panel
    says every judge is asked: of the pilot above all, whose decisions shall say how good each tier is on all
    items.
    """
    if consensus.signals.get("n_votes", 0) == 0 or routing.policy == "always":
        return False
    if routing.draws_pilot and standing.pilot:
        return False
    if routing.policy == "certified" and standing.threshold is None:
        return False
    return _confident(consensus, routing, standing)[1]


def settles(
    floor: Consensus,
    routing: RoutingConfig,
    standing: Standing,
    *,
    presumed: str | None,
    may_end: bool,
    last: bool,
) -> bool:
    """Whether the panel ends an item of which this is found whatever its missing votes say, by the same outcome as it
    would with all of them.

    What a person decides is asked of every judge. So is all under `disagreement`, where any vote can make a split.

    Args:
        floor: of `consensus.settled.find_floor`.
        presumed, may_end: as of `choose_route`.
        last: no tier comes after the one that is being asked.
    """
    if floor.open or routing.policy == "disagreement":
        return False
    if _forced(floor, routing, standing, asked_back=False) is not None or not bears_out(floor, presumed):
        return False
    confident = _confident(floor, routing, standing)[1]
    return (last or confident) if routing.policy == "never" else confident and may_end


def choose_route(
    consensus: Consensus,
    routing: RoutingConfig,
    standing: Standing = Standing(),
    *,
    can_resolve: bool,
    asked_back: bool = False,
    presumed: str | None = None,
    may_end: bool = True,
    resolved: bool = False,
) -> Route:
    """Where the policy sends an item with this consensus, and why.

    Args:
        can_resolve: there is a resolver and it has not spoken on this item's candidates yet. Under a
            certificate it is not asked: the pilot never has its vote, so that nothing is known of items that
            it pushes over a cut.
        asked_back: an expert asked for this redraft and must see it.
        presumed: the outcome that the making of the candidates speaks for, see `presumption`.
        may_end: the panel's best outcome can end the item.
        resolved: one of the votes is the resolver's.
    """
    told = explain(consensus, routing.threshold, resolved=resolved)
    reasons = _explain_presumption(consensus, presumed) + tuple(told)
    forced = _forced(consensus, routing, standing, asked_back)
    if forced is not None:
        code, text = forced
        return Route("review", code, ({"code": code, "text": text}, *reasons) if text else reasons)
    if not bears_out(consensus, presumed):
        return Route("review", "presumption", reasons)
    if routing.policy == "never":
        return Route("accept", "never", reasons)
    rule, confident, figures = _confident(consensus, routing, standing)
    reasons = (*figures, *reasons)
    if confident and may_end:
        return Route("accept", rule, reasons)
    if can_resolve and consensus.split and standing.threshold is None:
        return Route("resolve", "split", reasons)
    return Route("review", rule, reasons)


def presumption(pairing: Pairing, question: Question) -> str | None:
    """The outcome that the making of the candidates speaks for; None where it speaks for none."""
    return question.outcomes[0] if pairing.presumes else None


def bears_out(consensus: Consensus, presumed: str | None) -> bool:
    """Whether the panel finds what the making of the candidates speaks for; also where that speaks for nothing."""
    return presumed is None or consensus.best == presumed


def is_covered(consensus: Consensus, standing: Standing, presumed: str | None) -> bool:
    """Whether the certificate in force speaks for what the panel finds; False without one."""
    sure = (
        standing.threshold is not None and consensus.confidence >= standing.threshold and not consensus.open
    )
    return sure and bears_out(consensus, presumed)


def routed_by_orders(route: Route, routing: RoutingConfig, injection: Mapping[str, Any] | None) -> Route:
    """The route of an item whose texts give orders to models (`ItemState.injection`): to a person, for this reason
    before all others. Under the policy never, and where it is only to be noted, the way stays as it was."""
    if not injection or routing.injection == "off":
        return route
    reasons = (*explain_orders(injection), *route.reasons)
    if routing.policy == "never" or routing.injection == "note":
        return replace(route, reasons=reasons)
    # what a budget leaves over is accepted, and this must not be
    kept = route.where == "review" and route.rule != "budget"
    return Route("review", route.rule if kept else "injection", reasons)


def explain_orders(injection: Mapping[str, Any] | None) -> tuple[dict[str, Any], ...]:
    """The reasons for a person to look at texts that give orders to models; empty of others."""
    if not injection:
        return ()
    text = f"words of the texts give orders to models: {injection['kinds']}"
    reasons = [{"code": "injection", "text": text, "value": injection["spans"]}]
    if injection["without"] is not None:
        text = f"without these words the panel chooses otherwise: it favours {injection['without']}"
        reasons.append({"code": "injection_turns", "text": text})
    return tuple(reasons)


def _explain_presumption(consensus: Consensus, presumed: str | None) -> tuple[dict[str, Any], ...]:
    if bears_out(consensus, presumed) or not consensus.signals.get("n_votes"):
        return ()
    text = f"the panel favours {consensus.best}, and the way in which they were made speaks for {presumed}"
    return ({"code": "presumption", "text": text},)


def _forced(
    consensus: Consensus, routing: RoutingConfig, standing: Standing, asked_back: bool
) -> tuple[str, str] | None:
    """What sends an item to an expert whatever the panel says."""
    if asked_back:
        return "asked_back", "an expert asked for this redraft"
    if routing.draws_pilot and standing.pilot:
        return "pilot", "drawn at random into the pilot sample"
    if routing.policy == "always":  # before what the panel says: who asks for all chooses none by its silence
        return "always", "policy: every item"
    if (
        consensus.signals.get("n_votes", 0) == 0 and not routing.in_rounds
    ):  # where a later round may have voters
        return "no_verdict", ""
    if consensus.open:  # also under a policy that asks nobody: what it found was another panel's
        return "not_asked", "votes that were not asked could change what the panel finds"
    if routing.policy == "budget":
        return "budget", "the run's budget of reviews was spent on it"
    if routing.policy == "certified" and standing.threshold is None:
        return "uncertified", "no certificate is in force, so nothing is accepted without an expert"
    return None


def _confident(
    consensus: Consensus, routing: RoutingConfig, standing: Standing
) -> tuple[str, bool, tuple[dict[str, Any], ...]]:
    """The rule that decides, whether it accepts, and its figures."""
    if routing.policy == "disagreement":
        chosen = consensus.signals.get("n_cast", 0) > 0  # a panel of ties is of one mind and picks nothing
        return "disagreement", chosen and not consensus.split, ()
    if routing.policy in ("pilot", "certified") and standing.threshold is not None:
        confident = consensus.confidence >= standing.threshold
        never = standing.threshold == NEVER
        found, limit = _spell_both(consensus.confidence, standing.threshold, 3)
        needed = "nothing is accepted at this tier" if never else f"needed {limit}"
        reason = {
            "code": "certified",
            "text": f"confidence {found}; by the certificate {needed}",
            "value": round(consensus.confidence, 4),
            "limit": None if never else standing.threshold,
        }
        return "certified", confident, (reason,)
    return "threshold", consensus.margin >= routing.threshold, ()


def _spell_both(value: float, needed: float, digits: int) -> tuple[str, str]:
    """A figure and the one that it needs, with as many digits as show that it falls short, where it does."""
    told, limit = (format(number, "." + str(digits) + "f") for number in (value, needed))
    return _spell_both(value, needed, digits + 1) if value < needed and told == limit else (told, limit)


_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def _count(noun: str, number: int) -> str:
    """`two judges`; of one, the noun alone, and where nobody counted, the plural."""
    return noun if number == 1 else f"{_COUNTS.get(number, number)} {noun}s" if number else f"{noun}s"


def _who(some: int, asked: int) -> str:
    """`one of the two judges`, `both judges`, `the judge`."""
    if some < asked:
        return f"{_COUNTS.get(some, some)} of the {_count('judge', asked)}"
    return "both judges" if asked == 2 else f"the {_count('judge', asked)}"


def explain(consensus: Consensus, threshold: float, *, resolved: bool = False) -> list[dict[str, Any]]:
    """The reasons why the panel is or is not confident, each with a code, a text and where there is one a value
    and its limit.

    Args:
        resolved: one of the votes is the resolver's, who is no judge.
    """
    signals, votes = consensus.signals, consensus.votes
    reasons: list[dict[str, Any]] = []
    cast = {side: n for side, n in votes.items() if n and side != "abstain"}
    if not cast:
        return [{"code": "no_verdict", "text": "no judge gave a verdict"}]
    sides = ", ".join(f"{n} for {side}" for side, n in cast.items())
    judges = _count("judge", consensus.judges - resolved) + (" and the resolver" if resolved else "")
    if consensus.split:
        kept = consensus.swapped == consensus.judges and not consensus.turned and not consensus.wavering
        steady = "; each is steady under a swap" if kept and consensus.judges > 1 else ""
        told = "does not keep to one side" if consensus.judges == 1 else "disagree"
        reasons.append({"code": "split", "text": f"the {judges} {told} ({sides}){steady}"})
    else:
        told = "is of one mind" if consensus.judges == 1 else "agree"
        reasons.append({"code": "agree", "text": f"the {judges} {told} ({sides})"})
    ahead, needed = _spell_both(consensus.margin, threshold, 2)
    reasons.append(
        {
            "code": "margin",
            "text": f"the first choice is ahead by {ahead}, needed {needed}",
            "value": round(consensus.margin, 4),
            "limit": threshold,
        }
    )
    if consensus.turned:
        text = f"{_who(consensus.turned, consensus.swapped)} changed sides when the answers were swapped"
        reasons.append({"code": "flips", "text": text, "value": signals.get("flips", 0.0)})
    if consensus.wavering:
        text = f"{_who(consensus.wavering, consensus.judges)} answered differently when asked again"
        reasons.append({"code": "samples", "text": text, "value": consensus.wavering})
    if signals.get("critic_against", 0.0) > 0:
        held = signals["critic_against"]
        told = f"the critic holds more against {consensus.best} than against the rest"
        reasons.append({"code": "critic", "text": told, "value": round(held, 4)})
    if votes.get("abstain"):
        reasons.append(
            {
                "code": "abstained",
                "text": f"{votes['abstain']} verdicts are missing",
                "value": votes["abstain"],
            }
        )
    return reasons
