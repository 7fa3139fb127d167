"""`solon recipes`: which recipes there are, and what each makes of a seed."""

from __future__ import annotations

import typer

from solon.cli.options import ConfigOption, JsonOption, read_config
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean


def register(app: typer.Typer) -> None:
    """Add `solon recipes` to the command line."""
    app.command("recipes")(recipes)


def recipes(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the recipes: what each makes, its outcomes, who decides, its steps, where it comes from, calls per row.

    Recipes of your own stand in solon.toml ([recipes.NAME] use = "module:OBJECT") or come with an installed package.

    Example: solon recipes
    """
    from rich.table import Table

    from solon.operations.recipes import list_recipes
    from solon.recipes.registry import Recipes

    read = read_config(config, None)
    found = list_recipes(Recipes(read), read)
    if json:
        print_json({"recipes": [one.to_json() for one in found]})
        return
    table = Table("name", "record", "outcomes", "decided by", "steps", "from", "calls", box=None)
    for one in found:
        least, most = one.calls
        calls = str(most) if least == most else f"{least} to {most}"
        calls = calls if one.record else "-"  # it cannot be loaded: nothing is known of it
        cells = (one.name, one.record, ", ".join(one.outcomes), one.lead, ", ".join(one.steps), one.origin)
        table.add_row(*map(clean, cells), calls)
    console().print(table)
    for one in found:
        if one.problem and one.origin != "shipped":  # those lack nothing but what nobody has asked for yet
            say(f"{one.name}: {one.problem}")
