"""`solon forget`: take people's words out of a store, for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project, read_config
from solon.cli.terminal import DONE, FAILED, console, print_json, spell_path
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.operations.forget import Erasure
    from solon.project import Project

NAMED = 8
"""At most so many seeds are named in a line."""


def register(app: typer.Typer) -> None:
    """Add `solon forget` to the command line."""
    app.command("forget")(forget)


def forget(
    seed: Annotated[
        str | None,
        typer.Argument(
            metavar="[SEED]", help="The id that the seed file gave, or that of a seed, item or record."
        ),
    ] = None,
    group: Annotated[str | None, typer.Option(help="Every seed of this group, such as a patient.")] = None,
    subject: Annotated[str | None, typer.Option(help="Every seed about this subject.")] = None,
    text_hash: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Seeds that led to a text with this SHA-256.")
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            metavar="PHRASE",
            help="Seeds that led to a text with this phrase; - reads it from standard input.",
        ),
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who asked for it, for the log.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="More than 50 seeds at once are meant.")] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Obey tombstones that this store lacks: it was put back from an older copy."
        ),
    ] = False,
    tombstones: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --again: tombstones of another place.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Only clear free pages and logs of the database once more.")
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Erase every text that a seed led to: requests, calls, drafts, findings, reasons, decisions, checkpoints. What is
    left is ids and keyed hashes, which keep it from coming back. It cannot be undone; exports and backups stay yours.

    Example: solon forget patient-17 --dry-run
    """
    named = [seed, group, subject, text_hash, match]
    if (again or sweep) and any(named):
        raise UsageError("--again and --sweep take no seed", next_step="leave the seed out")
    if again:
        made = _obey(read_config(config, store).store, tombstones)
    else:
        with open_project(store, config) as project:
            if sweep:
                _sweep(project, json)
                return
            made = project.forget(
                seed,
                group=group,
                subject=subject,
                text_hash=text_hash,
                match=sys.stdin.read().strip() if match == "-" else match,
                by=by,
                dry_run=dry_run,
                many=yes,
            )
    if json:
        print_json(asdict(made))
    else:
        print_forgotten(made)
    raise typer.Exit(DONE if made.dry_run or made.swept else FAILED)


def _obey(url: str, tombstones: Path | None) -> Erasure:
    """Forget anew what a store forgot that was put back from an older copy; nothing else opens such a store."""
    from solon.operations import forget as forgetting
    from solon.store.database.local_actor import local_actor
    from solon.store.database.store import Store
    from solon.sync import run_sync

    with Store(url, restoring=True) as store:
        return run_sync(forgetting.again(store, actor=local_actor(), file=tombstones))


def _sweep(project: Project, json: bool) -> None:
    left = project.sweep()
    if json:
        print_json({"swept": not left, "left": left})
    else:
        typer.echo("\n".join(map(clean, left)) or "free pages and logs are clear")
    raise typer.Exit(FAILED if left else DONE)


def name_some(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - NAMED} more (all with --json)" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def print_forgotten(made: Erasure) -> None:
    """Print what was forgotten in counts, and what a person must see to."""
    out = console()
    if not (made.seeds or made.tombstones):
        out.print(
            "\n".join(["nothing was left to forget: the store obeys every tombstone", *map(clean, made.left)])
        )
        return
    verb = "would be forgotten" if made.dry_run else "forgotten"
    named = f": {name_some(made.seeds)}" if made.seeds else ""
    out.print(clean(f"{len(made.seeds)} seeds {verb}{named}"), style="bold")
    told = [f"{number} {name}" for name, number in made.counts.items() if number and name != "seeds"]
    if told:
        out.print(clean(f"  {', '.join(told)}"))
    if made.shown_to_others:
        out.print(
            f"  {made.shown_to_others} calls of other items were shown a decision on these, or one of them as an "
            "example; these texts go too"
        )
    for name, number in made.releases.items():
        out.print(
            clean(f"  release {name} holds {number} of their records: make a new release, withdraw this one")
        )
    for export in made.exports:
        out.print(
            clean(f"  exported after their records were made: {', '.join(map(spell_path, export['files']))}")
        )
    for amendment in made.amendments:
        why = "repeats their words" if amendment["repeats"] else "cites a decision on them"
        out.print(clean(f"  amendment {amendment['id']} ({amendment['state']}) {why}: let a lead look at it"))
    if made.similar_seeds:
        names = name_some(made.similar_seeds)
        out.print(clean(f"  {len(made.similar_seeds)} other seeds share a passage with them: {names}"))
    if made.seed_files:
        files = ", ".join(map(spell_path, made.seed_files))
        out.print(clean(f"  take their rows out of your seed files, which Solon leaves as they are: {files}"))
    out.print(
        "  backups made before this hold them still: the folders of `solon backup`, and copies of yours"
    )
    if made.bad_rows:
        out.print(f"  {made.bad_rows} refused rows repeated them; their excerpts are gone")
    if not made.dry_run:
        out.print(
            clean(
                f"  {made.tombstones} tombstones, also in {made.tombstones_file}: keep it apart from your backups"
            )
        )
    for line in made.left:
        out.print(clean(f"  {line}"))
