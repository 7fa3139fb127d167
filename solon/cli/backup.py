"""`solon backup` and `solon restore`: a copy of store and checkpoints that can be put back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from solon.cli.forget import print_forgotten
from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project, read_config
from solon.cli.terminal import DONE, FAILED, STOPPED, print_json, say, spell_path
from solon.display.text import clean


def register(app: typer.Typer) -> None:
    """Add `solon backup` and `solon restore` to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder; it is made.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the store, its checkpoints and what lies beside it into a folder, while runs and servers go on working.

    The folder holds every text of the store; keep it as carefully as the store. No key of a model or of the environment
    is in it. A store in PostgreSQL is written by `pg_dump`, which must be on the PATH.

    Example: solon backup backups/monday
    """
    try:
        with open_project(store, config) as project:
            made = project.backup(folder)
    except KeyboardInterrupt:
        say("stopped; no backup was made: ask for it again")
        raise typer.Exit(STOPPED) from None
    if json:
        print_json(asdict(made))
    else:
        size = f"{made.bytes / 1e6:.1f} MB in {len(made.files)} files"
        typer.echo(clean(f"{spell_path(made.folder)}: {size}, schema {made.schema}"))
    say(
        "keep the tombstones file beside the store apart from it: it tells a later restore what to forget again"
    )


def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `solon backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="A store stands there already: give it up for this one.")
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup back, once every file of it was found whole; then `solon resume` goes on where it was made.

    What the tombstones file at the place names is forgotten again. Access that was taken away after the backup
    was made is back: revoke it anew. Stop the runs, servers and workers of the store first.

    Example: solon restore backups/monday --store sqlite:///solon.db --replace
    """
    try:
        from solon.project import Project

        made = Project.restore(folder, read_config(config, store).store, replace=replace)
    except KeyboardInterrupt as stop:
        say(f"stopped; {stop}" if stop.args else "stopped; the store's place holds what it held before")
        raise typer.Exit(STOPPED) from None
    if json:
        print_json(asdict(made))
    else:
        typer.echo(clean(f"{spell_path(made.store)}: as it was at {made.backup.made_at}"))
        if made.forgotten is not None:
            print_forgotten(made.forgotten)
        elif made.left:
            typer.echo("\n".join(map(clean, made.left)))
    if made.forgotten is None and not made.left:
        say(
            f"no tombstone at this place is newer than the backup: what was forgotten after {made.backup.made_at} "
            "stands in it again; `solon forget --again --tombstones FILE` obeys the tombstones of another place"
        )
    if not made.left:
        say("continue with `solon resume`")
    raise typer.Exit(FAILED if made.left else DONE)
