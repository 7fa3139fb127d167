"""`solon migrate` and `solon prune`: a store moves to another database; a store sheds what nothing needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import DONE, FAILED, console, print_json, say
from solon.display.text import clean

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def register(app: typer.Typer) -> None:
    """Add `solon migrate` and `solon prune` to the command line."""
    app.command("migrate")(migrate)
    app.command("prune")(prune)


def migrate(
    target: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="An empty database: postgresql://... or sqlite:///FILE."),
    ],
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a whole store into an empty database of another kind; the source stays as it is.

    What waits for an answer goes on waiting there; its graph is replayed from the journal when the answer comes.

    Example: solon migrate --store sqlite:///solon.db --to postgresql://solon@db/solon
    """
    from rich.progress import Progress

    with open_project(store, config) as project, Progress(console=console(error=True), transient=True) as bar:
        copied = project.migrate(target, on_progress=_Bars(bar))
    rows = sum(copied.values())
    if json:
        print_json({"rows": rows, "tables": copied})
    else:
        typer.echo(f"{rows} rows in {len(copied)} tables copied; the source was not changed")
    say("from now on name the new one: `store` in solon.toml, SOLON_STORE or --store")


class _Bars:
    """One bar a table."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, table: str, done: int, total: int) -> None:
        if table not in self._tasks:
            self._tasks[table] = self._bar.add_task(clean(table), total=total)
        self._bar.update(self._tasks[table], completed=done)


def prune(
    store: StoreOption = None,
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact",
            help="Then write the whole store anew, without free pages: it takes as much free disk, and others wait.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Drop the checkpoints of items that wait for nobody, and give the space back. Records and journal stay.

    Example: solon prune --dry-run
    """
    with open_project(store, config) as project:
        if compact and not dry_run:
            say("writing the whole store anew; others wait meanwhile")
        pruned = project.prune(dry_run=dry_run, compact=compact)
    held = list(pruned.held)
    about = {"compacted": compact and not dry_run and not held, "held": held}
    if json:
        print_json(
            {
                "threads": pruned.threads,
                "kept": pruned.kept,
                "bytes": pruned.freed,
                "dry_run": dry_run,
                **about,
            }
        )
        raise typer.Exit(FAILED if held else DONE)
    verb = "would be dropped" if dry_run else "dropped"
    freed = "" if dry_run else f", {pruned.freed / 1e6:.1f} MB given back"
    typer.echo(f"{pruned.threads} threads {verb}, {pruned.kept} kept (an answer is awaited){freed}")
    if about["compacted"]:
        typer.echo("the store was written anew: free pages and logs hold nothing that was erased")
    if held:
        typer.echo(f"others hold the tables {', '.join(held)}: wait for them, then run it again")
    raise typer.Exit(FAILED if held else DONE)
