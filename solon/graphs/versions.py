"""A graph's version: nodes, edges, state and response schema. Renaming a node would strand waiting reviews."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from solon.graphs.recipes import build_graph, get_recipe
from solon.store.records.overview import waiting_graph_versions

if TYPE_CHECKING:
    from solon.store.database.store import Store


@cache
def graph_version(recipe_name: str) -> tuple[str, dict[str, Any]]:
    """A graph's version id, and the shape that it is the hash of: nodes, edges, state and response schema.
    Prompts and code do not count."""
    from solon.graphs.state import ItemState
    from solon.responses import model_of

    recipe = get_recipe(recipe_name)
    drawn = build_graph(recipe).compile().get_graph()
    shape = {
        "nodes": sorted(drawn.nodes),
        "edges": sorted([edge.source, edge.target] for edge in drawn.edges),
        "state": sorted(ItemState.__annotations__),
        "response_schema": {recipe.response_schema: model_of(recipe.response_schema).model_json_schema()},
    }
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
    return digest[:16], shape


def outdated_threads(store: Store) -> int:
    """How many items wait in a graph that is not that of this version of Solon."""
    waiting = waiting_graph_versions(store)
    return sum(number for recipe, version, number in waiting if version != graph_version(recipe)[0])


def draw_mermaid(recipe_name: str) -> str:
    """The recipe's state graph as Mermaid source."""
    return str(build_graph(get_recipe(recipe_name)).compile().get_graph().draw_mermaid())
