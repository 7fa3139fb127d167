"""`solon golden import|retire|count`: questions whose answer is known, for reliability, practice and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import print_json, say
from solon.errors import SeedError, UsageError

group = typer.Typer(no_args_is_help=True, help="Questions whose answer is known.", rich_markup_mode=None)
PURPOSES = ("golden", "practice", "calibration")
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
    from solon.formats.seed_files import BadRow
    from solon.store.database.audit_log import local_actor
    from solon.store.reviewing.known_import import import_known
    from solon.workspace.seeds import good_rows, read_rows

    _check(purpose)
    bad: list[BadRow] = []
    with open_project(store, config, create=True) as project:
        rows = list(good_rows(read_rows(file, project.config), bad, None))
        if bad or not rows:
            problem = f"line {bad[0].line}: {bad[0].reason}" if bad else "there is no row"
            raise SeedError(f"{file}: {problem}", next_step="nothing was added; mend the file")
        found = import_known(
            project.store,
            project.pin(recipe, "known"),
            recipe,
            project.recipe(recipe).asks(project.config),
            rows,
            purpose,
            local_actor(),
        )
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
    from solon.store.database.audit_log import local_actor
    from solon.store.reviewing.known_import import retire_known

    _check(purpose)
    with open_project(store, config) as project:
        n = retire_known(project.store, purpose, local_actor())
    if json:
        print_json({"purpose": purpose, "retired": n})
    else:
        say(f"{n} {purpose} questions retired")


@group.command("count")
def count(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """How many known questions are in use, by purpose.

    Example: solon golden count
    """
    from solon.store.reviewing.known import count_known

    with open_project(store, config) as project, project.store.connect() as connection:
        found = count_known(connection)
    if json:
        print_json(found)
    else:
        for purpose, n in found.items():
            typer.echo(f"{purpose}: {n}")


def _check(purpose: str) -> None:
    if purpose not in PURPOSES:
        raise UsageError(f"--for {purpose!r} is no purpose", next_step=f"purposes: {', '.join(PURPOSES)}")
