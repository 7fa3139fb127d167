"""Build a recipe's state graph: its steps as nodes, and where each node's word leads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from solon.recipes.steps import Ask, Redraft, Reject
from solon.tracing import OFF, Tracing

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from solon.graphs.state import ItemState
    from solon.recipes.recipe import Recipe

ONCE = frozenset({"resolve"})
"""A step that an item takes once for the candidates shown: it never leads back to itself."""
STEPS_WITHIN = ("consensus", "settle", "finish")
"""They call no model and run in the superstep of the node before them."""


def lay_out(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Where each word of each node leads: node -> word -> node, of the recipe's steps and of those within them.

    Every word that a node can say is there, so that an item never stands still for want of a way.
    """
    judging = "judge"  # of a recipe without a panel it only shows the candidates, within the step before it
    criticised = "critique" if "critique" in recipe.steps else judging
    resolving = "resolve" if recipe.has_resolver else "review"
    ways = {
        "draft": {"on": criticised, "again": "draft", "end": "finish"},
        "critique": {
            "on": judging,
            "mend": "revise" if "revise" in recipe.steps else judging,
            "again": "draft",
            "end": "finish",
        },
        "revise": {"on": judging},
        "judge": {"on": "consensus", "end": "finish"},
        "resolve": {"on": "consensus"},
        "review": {"on": "settle"},
        "consensus": {"split": resolving, "ask": "review", "end": "finish"},
        "settle": {"next": judging, "again": "draft", "end": "finish"},
        "finish": {"end": "end"},
    }
    found = {name: ways[name] for name in (*recipe.step_names, judging, *STEPS_WITHIN) if name in ways}
    return _with_own_steps(recipe, found)


FORWARD = ("on", "mend")
"""Words that lead an item on its way, so that a step of one's own can stand there; others send it back or end it."""


def _with_own_steps(recipe: Recipe, ways: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The same ways, through the steps of one's own where they stand: each takes the place of what follows the step
    before it, and leads there."""
    before = ""
    for step in recipe.steps:
        if isinstance(step, str):
            before = step
            continue
        onward = {word: target for word, target in ways[before].items() if word in FORWARD} if before else {}
        ways[step.name] = onward or {"on": "draft"}
        ways[step.name] |= {"again": "draft"} if Redraft in step.may and before else {}
        ways[step.name] |= {"end": "finish"} if {Reject, Redraft}.intersection(step.may) else {}
        if before:
            ways[before] |= dict.fromkeys(onward, step.name)
        before = step.name
    return _with_requests(recipe, ways)


def _with_requests(recipe: Recipe, ways: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The same ways, with those of steps before the drafts that ask about the request."""
    first = recipe.before_draft
    for step, after in zip(first, [*(step.name for step in first[1:]), "draft"], strict=False):
        ways[step.name]["on"] = after
        if Ask in step.may:
            ways[step.name]["ask"] = "review"
            ways["settle"][f"past {step.name}"] = after
    return ways


def state_of(recipe: Recipe) -> type[ItemState]:
    """What a checkpoint of the recipe's items holds."""
    from solon.graphs.state import ItemState, StepState

    return StepState if recipe.own_steps else ItemState


def build_graph(recipe: Recipe, tracing: Tracing = OFF) -> StateGraph[Any, Any, Any, Any]:
    """The recipe's state graph, ready to be compiled with a checkpointer: a node for each of its steps. Consensus,
    settling and the end are steps of the node before them."""
    from langgraph.graph import END, START, StateGraph

    from solon.graphs.context import ItemContext
    from solon.graphs.nodes.consensus import consensus
    from solon.graphs.nodes.critique import critique, revise
    from solon.graphs.nodes.draft import draft
    from solon.graphs.nodes.finish import finish
    from solon.graphs.nodes.judge import judge
    from solon.graphs.nodes.own_step import make_node
    from solon.graphs.nodes.resolve import resolve
    from solon.graphs.nodes.review import review
    from solon.graphs.nodes.settle import settle
    from solon.graphs.state import routed

    own = [make_node(step, recipe.place_of(step)) for step in recipe.own_steps]
    functions = (draft, critique, revise, judge, resolve, review, consensus, settle, finish, *own)
    nodes = {function.__name__: tracing.node(function) for function in functions}
    ways = lay_out(recipe)
    within = {name: nodes[name] for name in ways if name not in recipe.step_names}
    graph = StateGraph(state_of(recipe), context_schema=ItemContext)
    for name in recipe.step_names:
        reached = sorted(_reached(name, ways, within) - ONCE.intersection((name,)))
        destinations = tuple(END if target == "end" else target for target in reached)
        graph.add_node(name, routed(name, nodes[name], within, ways), destinations=destinations)
    graph.add_edge(START, recipe.step_names[0])
    return graph


def compile_graph(recipe: Recipe, saver: Any, tracing: Tracing = OFF) -> Any:
    """The recipe's graph, compiled with a checkpointer. What LangGraph makes of it is made once a process: it takes as
    long as ten resumes, and a server that delivers decisions begins anew for each few of them."""
    graph = _compiled(recipe) if not tracing.on else build_graph(recipe, tracing).compile()
    graph = copy.copy(graph)
    graph.checkpointer = saver
    return graph


@lru_cache(maxsize=64)
def _compiled(recipe: Recipe) -> Any:
    return build_graph(recipe).compile()


def _reached(name: str, ways: Mapping[str, Mapping[str, str]], within: Mapping[str, Any]) -> set[str]:
    """The nodes that an item can go to from one, through the steps within it; `end` where it can end."""
    found: set[str] = set()
    for target in ways[name].values():
        if target in within and target != name:
            found |= _reached(target, ways, within) if target != "finish" else {"end"}
        else:
            found.add(target)
    return found
