"""What certificate can be expected for the experts' time that there is, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.operations.planning.answers import answers_a_question

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig


def spell_promise(routing: RoutingConfig, items: int, affordable: float) -> str:
    """What can be expected within the time: first what fits into it, then the setting that would give the strictest
    promise, and what a promise about the finished set takes where a certificate is hardly to be had.

    A pilot of more than `pilot_share` of the run is never recommended: what people answer themselves needs no
    certificate, which then covers little.

    Args:
        items: of the run.
        affordable: answers that there is time for.
    """
    from solon.consensus.power import LIKELY, chance_of, strictest

    if not routing.draws_pilot:
        return ""
    each = answers_a_question(routing.target)
    configured = chance_of(routing.pilot_of(items), routing.alpha, routing.delta)
    best = strictest(int(min(items * routing.pilot_share, affordable / each)), routing.delta)
    setting = best and f"alpha = {best.alpha:g} with pilot = {best.pilot} ({best.likely:.2f} at {LIKELY:.0%})"
    takes = configured.pilot * each
    if takes > affordable:
        fits = f"what fits into the time: {setting}" if setting else "none fits into the time"
        told = (
            f"certificate: {fits}; the pilot of {configured.pilot} takes {takes:,.0f} answers, those of second experts "
            f"with them, and there is time for {affordable:,.0f}"
        )
        return f"{told}{_of_set(routing, items, 0, affordable)}"
    told = f"certificate: {configured}"
    if best is None:
        told += "; no other setting is likely to lead to one"
    elif (best.alpha, best.pilot) == (configured.alpha, configured.pilot):
        told += "; no other setting is likely to promise more in the time there is"
    else:
        told += f"; the strictest one that is likely within the time: {setting}"
        if best.alpha == configured.alpha and best.pilot < configured.pilot:
            told += ", which does as well with fewer answers, since disagreements come in whole numbers"
    told += _tell_cut(routing, items)
    return f"{told}{_of_set(routing, items, configured.pilot, affordable)}" if configured.is_weak else told


def _tell_cut(routing: RoutingConfig, items: int) -> str:
    """That the pilot which is configured is larger than what the run allows; empty where it is not."""
    drawn = routing.pilot_of(items)
    if routing.pilot is None or drawn >= routing.pilot:
        return ""
    return f"; pilot = {routing.pilot} is cut to {drawn}, {routing.pilot_share:.0%} of {items} items (`pilot_share`)"


def _of_set(routing: RoutingConfig, items: int, decided: int, affordable: float) -> str:
    """What a promise about the finished set takes, if all items become records; empty where there is no time for it."""
    from solon.consensus.finite import plan_sample

    plan = plan_sample(items, decided, promise=1 - routing.alpha, confidence=1 - routing.delta)
    asked = plan.looks[0].asked if plan.looks else 0
    if not asked or (decided + asked) * answers_a_question(routing.target) > affordable:
        return ""
    more = f"{asked} {'more ' if decided else ''}answers"
    return (
        f"; of the finished set {1 - routing.alpha:.0%} can be promised for {more}: `solon release create NAME "
        f"--promise {1 - routing.alpha:g}`"
    )


TRIAL = 20
"""Items of a run of which nobody expects a certificate."""


def warn_of_pilot(routing: RoutingConfig, items: int) -> str:
    """What to know before a run begins whose pilot can hardly be certified; empty where it can, and of a trial."""
    from solon.consensus.power import chance_of

    if not routing.draws_pilot or items <= TRIAL:
        return ""
    chance = chance_of(routing.pilot_of(items), routing.alpha, routing.delta)
    told = f"{chance}: see `solon plan`, and `solon eval power`" if chance.is_weak else ""
    return f"{told}{_tell_cut(routing, items)}".removeprefix("; ")
