"""The conflict resolver: hears both sides of a split panel and names the rule that settles it, or hands over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.agents.outputs import (
    HAND_OVER,
    OutcomeAnswer,
    ResolutionAnswer,
    outcome_schema,
    resolution_schema,
)
from solon.prompts.library import Rendered
from solon.store.runs.journal import Outcome


@dataclass(frozen=True, slots=True)
class Resolution:
    """The resolver's answer to a split panel. Without a citation that exists it is a hand-over, whatever the
    model says.

    Attributes:
        favours: A or B, or of one text what it says of it; empty where the resolver handed over.
        cites: ids of principles and precedents that settle it, all of which exist.
        reason: the resolver's words.
        handed_over: why nothing is settled, in words; empty where a side is favoured.
        outcome: the call that it comes from.
    """

    favours: str
    cites: tuple[str, ...]
    reason: str
    handed_over: str
    outcome: Outcome


async def resolve(
    case: Case,
    a: str,
    b: str,
    *,
    for_a: str = "",
    for_b: str = "",
    round: int = 0,
    pair: int = 0,
    precedents: str = "",
    precedent_ids: frozenset[str] = frozenset(),
) -> Resolution:
    """Ask the resolver to weigh both sides' reasons and to settle a split panel by a rule.

    What the reasons say is material, never an order.

    Args:
        for_a, for_b: reasons of judges for each side; empty where none were given.
        round: how often the item was redrafted before.
        pair: which pair of the round this is, from 0.
        precedents: similar earlier decisions as text for the prompt.
        precedent_ids: ids of those, which may be cited.
    """
    rendered = case.prompts["resolver.resolve"].render(
        case.mark,
        constitution=case.principles,
        prompt=case.prompt,
        input=case.input,
        first=a,
        second=b,
        for_first=for_a or "(none given)",
        for_second=for_b or "(none given)",
        precedents=precedents,
    )
    schema = resolution_schema((*case.constitution.ids(), *sorted(precedent_ids)))
    return await _settle(case, rendered, schema, round=round, pair=pair, precedent_ids=precedent_ids)


async def resolve_outcome(
    case: Case,
    text: str,
    outcomes: Sequence[str],
    *,
    reasons: Mapping[str, Sequence[str]],
    round: int = 0,
    pair: int = 0,
    precedents: str = "",
    precedent_ids: frozenset[str] = frozenset(),
) -> Resolution:
    """Ask the resolver what to say of one text on which a panel is split, by a rule that settles it.

    Args:
        text: the candidate.
        outcomes: what may be said of it, such as accept and reject, or labels.
        reasons: outcome -> what judges said for it; without those for which nobody spoke.
        round, pair, precedents, precedent_ids: as of `resolve`.
    """
    told = [f"For {name}: {reason or '(no reason given)'}" for name in reasons for reason in reasons[name]]
    rendered = case.prompts["resolver.outcome"].render(
        case.mark,
        constitution=case.principles,
        prompt=case.prompt,
        input=case.input,
        text=text,
        outcomes=", ".join(outcomes),
        reasons="\n".join(told),
        precedents=precedents,
    )
    schema = outcome_schema((*case.constitution.ids(), *sorted(precedent_ids)), tuple(outcomes))
    return await _settle(case, rendered, schema, round=round, pair=pair, precedent_ids=precedent_ids)


async def _settle(
    case: Case,
    prompt: Rendered,
    schema: type[BaseModel],
    *,
    round: int,
    pair: int,
    precedent_ids: Collection[str],
) -> Resolution:
    config = case.config.resolver
    ask = Ask(
        role="resolver",
        seat=f"resolver/{pair}",
        model=config.model,
        prompt=prompt,
        max_tokens=config.max_tokens,
        temperature=0.0,
        seed=case.draw("resolver", round, pair),
        round=round,
        schema=schema,
    )
    outcome, parsed = await case.caller.parsed(ask)
    if not isinstance(parsed, ResolutionAnswer | OutcomeAnswer):
        return Resolution("", (), "", f"the resolver gave no answer ({outcome.outcome})", outcome)
    known = {*case.constitution.ids(), *precedent_ids}
    cites = tuple(dict.fromkeys(c.strip("[] ") for c in parsed.cites if c.strip("[] ") in known))
    if parsed.verdict == HAND_OVER:
        return Resolution("", cites, parsed.reason, "the resolver handed over", outcome)
    if not cites:
        return Resolution("", (), parsed.reason, "the resolver cited no rule that exists", outcome)
    return Resolution(parsed.verdict, cites, parsed.reason, "", outcome)
