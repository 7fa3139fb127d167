"""A graph's version: nodes, edges, state and response schema. Renaming a node would strand waiting reviews."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from solon.config.sections import LawConfig, ResolverConfig
from solon.graphs.build import build_graph, state_of
from solon.graphs.state import LATER
from solon.store.records.overview import waiting_graph_versions

if TYPE_CHECKING:
    from solon.recipes.recipe import Recipe
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store


@cache
def graph_version(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """The version id of a recipe's graph, and the shape that it is the hash of: nodes, edges, state and response
    schema. Prompts and code do not count."""
    from solon.responses import model_of

    drawn = build_graph(recipe).compile().get_graph()
    schema = recipe.question.base
    shape = {
        "nodes": sorted(drawn.nodes),
        "edges": sorted([edge.source, edge.target] for edge in drawn.edges),
        "state": sorted(set(state_of(recipe).__annotations__) - LATER),
        "response_schema": {schema: model_of(schema).model_json_schema()},
    }
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
    return digest[:16], shape


def goes_on(recipe: Recipe, version: str) -> bool:
    """Whether items that wait in this version of the recipe's graph go on as they are in that of today."""
    return version in _resumed_versions(recipe)


@cache
def _resumed_versions(recipe: Recipe) -> frozenset[str]:
    """Those of the recipe, and of the same with a resolver, with drafted rubrics and with both: each run has it as its
    own configuration says, and an item that waits for a person stands at the same place in all."""
    resolved = recipe, recipe.with_resolver(ResolverConfig(scope="all"))
    drafted = (one.with_rubrics(LawConfig(seed_rubrics="drafted")) for one in resolved)
    return frozenset({*(graph_version(one)[0] for one in (*resolved, *drafted)), *recipe.resumes})


def outdated_threads(store: Store, recipes: Recipes) -> int:
    """How many items wait in a graph that is not that of this version of Solon. Those whose recipe is not here are not
    counted: nothing can be said of their graph."""
    waiting = waiting_graph_versions(store)
    known = recipes.known(name for name, _, _ in waiting)
    return sum(n for name, version, n in waiting if name in known and not goes_on(known[name], version))


def draw_mermaid(recipe: Recipe) -> str:
    """The recipe's state graph as Mermaid source."""
    return str(build_graph(recipe).compile().get_graph().draw_mermaid())
