"""`solon graph`: the state graph of a recipe."""

from __future__ import annotations

from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, read_config
from solon.cli.terminal import print_json


def register(app: typer.Typer) -> None:
    """Add `solon graph` to the command line."""
    app.command("graph")(graph)


def graph(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe: `solon recipes` lists them.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the state graph of a recipe as Mermaid source.

    Example: solon graph preference > preference.mmd
    """
    from solon.graphs.versions import draw_mermaid, graph_version
    from solon.recipes.registry import Recipes

    found = Recipes(read_config(config, None)).get(recipe)
    drawn = draw_mermaid(found)
    if json:
        print_json({"recipe": recipe, "version": graph_version(found)[0], "mermaid": drawn})
    else:
        typer.echo(drawn)
