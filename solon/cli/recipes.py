"""`solon recipes`: which recipes there are, and what each makes of a seed."""

from __future__ import annotations

from dataclasses import asdict

import typer

from solon.cli.options import ConfigOption, JsonOption, read_config
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean
from solon.presets import PRESETS


def register(app: typer.Typer) -> None:
    """Add `solon recipes` to the command line."""
    app.command("recipes")(recipes)


def recipes(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the recipes: what each makes, its outcomes, who decides, its steps, where it comes from, calls per row;
    and the presets, whole projects to begin with.

    Recipes of your own stand in solon.toml ([recipes.NAME] use = "module:OBJECT") or come with an installed package.

    Example: solon recipes

    Next: `solon init PRESET`
    """
    from rich.table import Column, Table

    from solon.operations.recipes import list_recipes
    from solon.recipes.registry import Recipes

    read = read_config(config, None)
    found = list_recipes(Recipes(read), read)
    if json:
        presets = [asdict(preset) for preset in PRESETS.values()]
        print_json({"recipes": [one.to_json() for one in found], "presets": presets})
        return
    name = Column("name", min_width=max(len(one.name) for one in found))  # it is typed again: never cut
    table = Table(name, "record", "outcomes", "decided by", "steps", "from", "calls", box=None)
    for one in found:
        least, most = one.calls
        calls = str(most) if least == most else f"{least} to {most}"
        calls = calls if one.record else "-"  # it cannot be loaded: nothing is known of it
        cells = (one.name, one.record, ", ".join(one.outcomes), one.lead, ", ".join(one.steps), one.origin)
        table.add_row(*map(clean, cells), calls)
    console().print(table)
    _print_presets()
    for one in found:
        if one.problem and one.origin != "shipped":  # those lack nothing but what nobody has asked for yet
            say(f"{one.name}: {one.problem}")


def _print_presets() -> None:
    """What `solon init` begins with."""
    from rich.table import Column, Table

    name = Column("solon init", min_width=max(map(len, PRESETS)))
    recipe = Column("recipe", min_width=max(len(preset.recipe) for preset in PRESETS.values()))
    table = Table(name, recipe, "led by", "makes", "after", box=None)
    for preset in PRESETS.values():
        table.add_row(preset.name, preset.recipe, preset.leads, preset.makes, preset.paper)
    console().print()
    console().print(table)
