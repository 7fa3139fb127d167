"""What certificate can be expected for the experts' time that there is, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig


def spell_promise(routing: RoutingConfig, items: int, affordable: float) -> str:
    """What can be expected of the pilot, and the setting that would give the strictest promise within the time.

    Args:
        items: of the run.
        affordable: answers that there is time for.
    """
    from solon.consensus.power import LIKELY, chance_of, strictest

    if not routing.draws_pilot:
        return ""
    configured = chance_of(routing.pilot_of(items), routing.alpha, routing.delta)
    # A quarter of a pilot is answered twice; and of a run that is all pilot a certificate covers nothing.
    best = strictest(int(min(items / 2, affordable / 1.25)), routing.delta)
    told = f"certificate: {configured}"
    if configured.pilot > affordable:
        told += f"; there is time for {affordable:,.0f} answers"
    if best is None:
        return f"{told}; there is no time for one"
    if (best.alpha, best.pilot) == (configured.alpha, configured.pilot):
        return f"{told}; no other setting is likely to promise more in the time there is"
    return (
        f"{told}; the strictest one that is likely within the time: alpha = {best.alpha:g} with pilot = {best.pilot}"
        f"{_share(best.pilot, items, routing)} ({best.likely:.2f} at {LIKELY:.0%})"
    )


def _share(pilot: int, items: int, routing: RoutingConfig) -> str:
    needed = pilot / max(items, 1)
    return f" and pilot_share = {min(1.0, needed + 0.005):.2f}" if needed > routing.pilot_share else ""


TRIAL = 20
"""Items of a run of which nobody expects a certificate."""


def warn_of_pilot(routing: RoutingConfig, items: int) -> str:
    """What to know before a run begins whose pilot can hardly be certified; empty where it can, and of a trial."""
    from solon.consensus.power import chance_of

    if not routing.draws_pilot or items <= TRIAL:
        return ""
    chance = chance_of(routing.pilot_of(items), routing.alpha, routing.delta)
    return f"{chance}: see `solon plan`, and `solon eval power`" if chance.is_weak else ""
