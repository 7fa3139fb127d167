"""The state of one item's thread: ids and small values only. Texts live in the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypedDict, cast

from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command

from solon.errors import UsageError


class ItemState(TypedDict, total=False):
    """What a checkpoint holds.

    Attributes:
        item: the item's id; the only input.
        round: how often the item was redrafted.
        candidates: ids of the live candidates, the most promising first.
        refused: why drafts could not be used -> how many, of all rounds since there were enough usable ones.
        shown: ids of the candidates under judgement (two of a pair, or one).
        pairs: how many pairs of this round were judged before.
        verdicts: of the candidates shown, each as `Verdict.to_state` gives it.
        resolved: the resolver's side and citations, once it spoke about the candidates shown.
        consensus: best, margin, confidence of the last consensus.
        review: id of the review that is open.
        reviews: how many reviews of the item there were.
        decision: the expert's answer, as resumed.
        mend: candidate id -> id of the findings text that its revision shall mend; once they were revised, of those
            that got no revision, why.
        findings: id of the text with the findings of a round in which every candidate was poor.
        guidance: id of the text that an expert gave for the redraft.
        prefer_actor: the expert to whom the redraft goes back.
        next: the last node's word on where the item goes, see `graphs.build.lay_out`.
        injection: of words that give orders to models what they try, in words (`kinds`), how many `spans` there
            are, and what the panel chooses `without` them where that is something else; None where there are none.
        not_asked: votes of the panel that were not asked, since none could change what it ends the item with, as
            `Verdict.to_state` gives them; none where every judge was asked.
        route: how the item came to its outcome: consensus, resolved, redrafted, voted or decided.
        outcome: accepted | rejected | failed, once final.
        reason: why it has this outcome, in words.
        record: id of the record.
    """

    item: str
    round: int
    candidates: list[str]
    refused: dict[str, int]
    shown: list[str]
    pairs: int
    verdicts: list[list[Any]]
    resolved: dict[str, Any] | None
    consensus: dict[str, Any]
    review: str | None
    reviews: int
    decision: dict[str, Any] | None
    mend: dict[str, str]
    findings: str | None
    guidance: str | None
    prefer_actor: str | None
    next: str
    injection: dict[str, Any] | None
    not_asked: list[list[Any]]
    route: str
    outcome: str
    reason: str
    record: str | None


LATER = frozenset({"refused", "injection", "not_asked"})
"""What checkpoints of earlier versions of Solon lack. It is read with a default, so that what waits there goes on."""


class StepState(ItemState, total=False):
    """What a checkpoint holds of an item whose recipe has steps of its own besides.

    Attributes:
        asks: steps that want a person to decide on the candidates -> why.
        asker: the step that asks about the request; None where none does.
    """

    asks: dict[str, str]
    asker: str | None


def named_decision(state: Mapping[str, Any]) -> str:
    """The id of the decision that a state has taken in last; empty without one."""
    return str((state.get("decision") or {}).get("decision") or "")


Node = Callable[[ItemState, Runtime[Any]], Awaitable[dict[str, Any]]]
WAITS = "review"
"""The name of the node, as it is written, that waits for a person."""


def routed(name: str, node: Node, within: Mapping[str, Node], ways: Mapping[str, Mapping[str, str]]) -> Any:
    """A node for the graph, which sends the item where the node's word (`next`) leads.

    It does so by a command: LangGraph then need not read the state again for a conditional edge.

    Args:
        node: the node of that name as it is written.
        within: nodes that call no model. One that comes next runs at once, in the superstep of the node before
            it, since a superstep costs more than all that such a step does.
        ways: node -> word -> node, see `graphs.build.lay_out`.
    """

    async def go(state: Any, runtime: Runtime[Any]) -> Command[Any]:
        if runtime.context is None:
            raise UsageError(
                "this graph works on an item of a project, and was given none",
                next_step='take Project(...).graph("preference"), a compiled graph whose input is a seed',
            )
        arrived: Command[Any] | None = runtime.context.arrived
        if arrived is not None:
            runtime.context.arrived = None
            return arrived
        tell = runtime.context.on_step
        if tell is not None:
            tell(name)
        update = await node(state, runtime)
        target = ways[name][update["next"]]
        while (step := within.get(target)) is not None:
            update |= await step(cast("ItemState", {**state, **update}), runtime)
            target = ways[target][update["next"]]
        return Command(update=update, goto=END if target == "end" else target)

    go.__name__ = name
    return go
