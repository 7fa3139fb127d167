"""`solon rules`: what the rules cover, where they conflict, and how often they are right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.evaluate import spell_figure, to_json
from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project, read_config
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from solon.eval.rules import RuleFigures, Rules

NAMED = 3
"""Of the rules that another one speaks against, so many are named."""
group = typer.Typer(
    invoke_without_command=True, help="What rules cover, and how often they are right.", rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add `solon rules` to the command line."""
    app.command("rules")(rules)


def rules(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, or their beginnings; default: all.")
    ] = None,
    seeds: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Try the configured rules on these texts; no store, no model."),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell for each rule what it covers, where others speak too or against it, and how often experts agree.

    Example: solon rules --seeds texts.jsonl
    """
    if seeds is not None:
        from solon.project.rules import try_rules

        found = try_rules(read_config(config, store), seeds)
    else:
        with open_project(store, config) as project:
            found = project.rules(runs or ())
    if json:
        print_json(to_json(found))
    else:
        show_rules(found)
