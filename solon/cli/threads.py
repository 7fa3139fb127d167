"""`solon migrate-threads`: bring waiting items to the graph of this version of Solon."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import DONE, FAILED, print_json
from solon.display.text import clean


def register(app: typer.Typer) -> None:
    """Add `solon migrate-threads` to the command line."""
    app.command("migrate-threads")(migrate_threads)


def migrate_threads(
    run: RunOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    max_calls: Annotated[
        int,
        typer.Option("--max-calls", min=0, help="Model calls that it may make where a journal has a gap."),
    ] = 0,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Replay waiting items whose graph has changed from their journals, without asking a model, and hand them the
    decisions that were given meanwhile. Says what it could not do.

    Example: solon migrate-threads --dry-run
    """
    with open_project(store, config) as project:
        made = project.migrate_threads(run, max_calls=max_calls, dry_run=dry_run)
    if json:
        print_json(asdict(made))
    else:
        for recipe, old in made.versions.items():
            typer.echo(clean(f"{recipe}: graph {', '.join(old)} -> {made.current[recipe]}"))
        told = f"{made.waiting} wait again, {made.ended} ended, {made.attached} decisions attached"
        typer.echo(f"{made.items} waiting items of older graphs" + ("" if dry_run else f": {told}"))
        for entry in made.left:
            typer.echo(clean(f"  {entry['item']}: {entry['why']}"))
    raise typer.Exit(FAILED if made.left else DONE)
