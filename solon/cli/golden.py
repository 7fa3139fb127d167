"""`solon golden import|pick|retire|count`: questions whose answer is known, which measure and train people."""

from __future__ import annotations

from dataclasses import asdict
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


@group.command("pick")
def pick(
    n: Annotated[int, typer.Option("--n", min=1, help="So many at most.")] = 20,
    recipe: Annotated[str | None, typer.Option(help="Of items of this recipe only.")] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="decided: a lead's word, two experts who agree, or a confirmed audit; certain: two experts who agree.",
        ),
    ] = "decided",
    seed: Annotated[int, typer.Option(help="Draws which.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which; store nothing.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make golden questions of what people have settled surely. Nobody is asked one that they answered themselves.

    Example: solon golden pick --n 20 --dry-run
    """
    with open_project(store, config) as project:
        found = project.golden.pick(n, recipe=recipe, source=source, seed=seed, dry_run=dry_run)
    if json:
        print_json(asdict(found))
        return
    for one in found.questions:
        typer.echo(f"{one.item_id}  {one.recipe}  {one.outcome}  by {one.settled_by} of {one.people}")
    verb = "would become" if dry_run else "became"
    outcomes = ", ".join(f"{outcome} {count}" for outcome, count in found.outcomes.items())
    say(
        f"{len(found.questions)} of {found.sure} sure questions {verb} golden"
        + (f": {outcomes}" if outcomes else "")
    )
    for why, count in found.left_out.items():
        say(f"left out: {count}, {why}")


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
