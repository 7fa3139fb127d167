"""`solon diff`: two runs, seed by seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean, shorten

if TYPE_CHECKING:
    from solon.operations.compare import Comparison, SeedChange

_WIDTH = 150
_SHOWN = 50


def register(app: typer.Typer) -> None:
    """Add `solon diff` to the command line."""
    app.command("diff")(diff)


def diff(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="A run's id or its beginning.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="The run to set against it.")],
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write every change, word by word, as a page."),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say per seed what changed between two runs: the texts, the winner, the way.

    Example: solon diff 019 01a --html diff.html
    """
    with open_project(store, config) as project:
        found = project.diff(run_a, run_b, html=html)
    if html is not None:
        say(f"written: {html}")
    if json:
        print_json({**found.to_plain(), "html": str(html) if html else None})
    else:
        print_changes(found)


def print_changes(found: Comparison) -> None:
    """Print the counts of a comparison, then its first changes with the texts where they part."""
    from solon.operations.compare import describe_counts

    out = console()
    out.print(clean(f"{found.before} against {found.after}"), style="bold")
    out.print(f"  {describe_counts(found)}")
    changed = [change for change in found.changes if change.changed]
    for change in changed[:_SHOWN]:
        _print_change(change)
    if len(changed) > _SHOWN:
        out.print(f"  and {len(changed) - _SHOWN} more; --html writes all")


def _print_change(change: SeedChange) -> None:
    from solon.operations.compare import describe_way

    out, before, after = console(), change.before, change.after
    out.print(clean(f"  seed {change.seed}: {shorten(before.prompt, _WIDTH)}"))
    if change.route:
        out.print(clean(f"    way: {describe_way(before)} -> {describe_way(after)}"))
    if change.winner == "changed":
        out.print(f"    - chosen: {shorten(before.result or 'none', _WIDTH)}", style="red")
        out.print(f"    + chosen: {shorten(after.result or 'none', _WIDTH)}", style="green")
    if change.texts:
        for mark, old, new, style in (("-", before, after, "red"), ("+", after, before, "green")):
            for text in old.answers:
                if text not in new.answers:
                    out.print(f"    {mark} {shorten(text, _WIDTH)}", style=style)
