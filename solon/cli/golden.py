"""`solon golden import|retire|count`: questions whose answer is known, for reliability, practice and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import print_json, say

group = typer.Typer(no_args_is_help=True, help="Questions whose answer is known.", rich_markup_mode=None)
ForOption = Annotated[
    str,
    typer.Option("--for", help="golden: mixed into the queue; practice, calibration: for new experts."),
]


def register(app: typer.Typer) -> None:
    """Add `solon golden` to the command line."""
    app.add_typer(group, name="golden")


@group.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="Seeds with `responses`, `answer` and `why`.")],
    purpose: ForOption = "golden",
    recipe: Annotated[str, typer.Option(help="preference, instruction, label, ...")] = "preference",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Add questions whose answer is known. Nothing tells them from others; they count in reliability only.

    Example: solon golden import known.jsonl
    """
    from solon.operations.golden import check_purpose

    check_purpose(purpose)  # before a store is made
    with open_project(store, config, create=True, recipe=recipe) as project:
        found = project.golden.import_(file, purpose=purpose, recipe=recipe)
    if json:
        print_json({"purpose": purpose, "added": found.added, "known": found.known})
    else:
        say(f"{found.added} {purpose} questions added, {found.known} were there already")


@group.command("retire")
def retire(
    purpose: ForOption, store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Ask the questions of a purpose no more; the answers to them stay.

    Example: solon golden retire --for practice
    """
    with open_project(store, config) as project:
        n = project.golden.retire(purpose)
    if json:
        print_json({"purpose": purpose, "retired": n})
    else:
        say(f"{n} {purpose} questions retired")


@group.command("count")
def count(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """How many known questions are in use, by purpose.

    Example: solon golden count
    """
    with open_project(store, config) as project:
        found = project.golden.count()
    if json:
        print_json(found)
    else:
        for purpose, n in found.items():
            typer.echo(f"{purpose}: {n}")
