"""The recipes: one file each, and `build_graph`, which lays their shared nodes out as a state graph. Must never
import the runner.

To add a recipe, write a module here that defines `RECIPE`, and name it in `NAMES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.graphs.recipe import Recipe
from solon.tracing import OFF, Tracing

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

NAMES = ("preference", "instruction", "label")

__all__ = ["NAMES", "Recipe", "build_graph", "get_recipe"]


def get_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        UsageError: there is none; names the recipes that there are.
    """
    if name not in NAMES:
        raise UsageError(f"there is no recipe {name!r}", next_step=f"recipes: {', '.join(NAMES)}")
    recipe: Recipe = import_module(f"solon.graphs.recipes.{name}").RECIPE
    return recipe


def build_graph(recipe: Recipe, tracing: Tracing = OFF) -> StateGraph[Any, Any, Any, Any]:
    """The recipe's state graph, ready to be compiled with a checkpointer.

    A node for each role. Consensus, settling and the end are steps of the node before them.
    """
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

    graph = StateGraph(ItemState, context_schema=ItemContext)
    ways: dict[Any, tuple[str, ...]] = {
        draft: ("draft", "critique", END),
        critique: ("draft", "revise", "judge", END),
        revise: ("judge",),
        judge: ("resolve", "review", END) if recipe.has_resolver else ("review", END),
        resolve: ("review", END),
        review: ("judge", "draft", END),
    }
    if not recipe.has_resolver:
        del ways[resolve]
    steps = {step.__name__: tracing.node(step) for step in (consensus, settle, finish)}
    for node, destinations in ways.items():
        graph.add_node(node.__name__, routed(tracing.node(node), steps), destinations=destinations)
    graph.add_edge(START, "draft")
    return graph
