"""Where an item goes after the panel: accept, resolve or review, and by which rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from solon.config import RoutingConfig
from solon.consensus.panel import Consensus

Where = Literal["accept", "resolve", "review"]


@dataclass(frozen=True, slots=True)
class Route:
    """`rule` names what decided; `reasons` say it in words and numbers, for the expert and for the record."""

    where: Where
    rule: str
    reasons: tuple[dict[str, Any], ...]


def choose_route(
    consensus: Consensus, routing: RoutingConfig, *, can_resolve: bool, asked_back: bool = False
) -> Route:
    """Apply the policy to a consensus.

    Args:
        can_resolve: there is a resolver and it has not spoken on this item's candidates yet.
        asked_back: an expert asked for this redraft and must see it.
    """
    reasons = tuple(explain(consensus, routing.threshold))
    if asked_back:
        back = {"code": "asked_back", "text": "an expert asked for this redraft"}
        return Route("review", "asked_back", (back, *reasons))
    if consensus.signals.get("n_votes", 0) == 0:
        return Route("review", "no_verdict", reasons)
    if routing.policy == "always":
        return Route("review", "always", ({"code": "always", "text": "policy: every item"}, *reasons))
    if routing.policy == "never":
        return Route("accept", "never", reasons)
    doubtful = consensus.split if routing.policy == "disagreement" else consensus.margin < routing.threshold
    if not doubtful:
        return Route("accept", routing.policy, reasons)
    if can_resolve and consensus.split:
        return Route("resolve", "split", reasons)
    return Route("review", routing.policy, reasons)


def explain(consensus: Consensus, threshold: float) -> list[dict[str, Any]]:
    """Why the panel is or is not confident."""
    signals, votes = consensus.signals, consensus.votes
    found: list[dict[str, Any]] = []
    cast = {side: n for side, n in votes.items() if n and side != "abstain"}
    if not cast:
        return [{"code": "no_verdict", "text": "no judge gave a verdict"}]
    counts = ":".join(str(n) for n in cast.values())
    sides = ", ".join(f"{n} for {side}" for side, n in cast.items())
    if consensus.split:
        found.append({"code": "split", "text": f"judges split {counts} over both orders ({sides})"})
    else:
        found.append({"code": "agree", "text": f"judges agree over both orders ({sides})"})
    relation = "<" if consensus.margin < threshold else ">="
    found.append(
        {
            "code": "margin",
            "text": f"margin {consensus.margin:.2f} {relation} {threshold:.2f}",
            "value": round(consensus.margin, 4),
            "limit": threshold,
        }
    )
    if signals.get("flips", 0.0) > 0:
        share = signals["flips"]
        found.append(
            {"code": "flips", "text": f"{share:.0%} of the judges change sides with the order", "value": share}
        )
    if votes.get("abstain"):
        found.append({"code": "abstained", "text": f"{votes['abstain']} verdicts are missing", "value": votes["abstain"]})
    return found
