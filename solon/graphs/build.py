"""Build a recipe's state graph: its steps as nodes, and where each node's word leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solon.tracing import OFF, Tracing

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

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
    return {name: ways[name] for name in (*recipe.steps, judging, *STEPS_WITHIN)}


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
    from solon.graphs.nodes.resolve import resolve
    from solon.graphs.nodes.review import review
    from solon.graphs.nodes.settle import settle
    from solon.graphs.state import ItemState, routed

    functions = (draft, critique, revise, judge, resolve, review, consensus, settle, finish)
    nodes = {function.__name__: tracing.node(function) for function in functions}
    ways = lay_out(recipe)
    within = {name: nodes[name] for name in ways if name not in recipe.steps}
    graph = StateGraph(ItemState, context_schema=ItemContext)
    for name in recipe.steps:
        reached = sorted(_reached(name, ways, within) - ONCE.intersection((name,)))
        destinations = tuple(END if target == "end" else target for target in reached)
        graph.add_node(name, routed(name, nodes[name], within, ways), destinations=destinations)
    graph.add_edge(START, "draft")
    return graph


def _reached(name: str, ways: Mapping[str, Mapping[str, str]], within: Mapping[str, Any]) -> set[str]:
    """The nodes that an item can go to from one, through the steps within it; `end` where it can end."""
    found: set[str] = set()
    for target in ways[name].values():
        if target in within and target != name:
            found |= _reached(target, ways, within) if target != "finish" else {"end"}
        else:
            found.add(target)
    return found
