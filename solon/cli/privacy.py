"""`solon privacy`: seeds that the scan holds back, and what a named person decides about them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean

group = typer.Typer(
    no_args_is_help=True, help="Seeds that the privacy scan holds back.", rich_markup_mode=None
)
ItemsArgument = Annotated[
    list[str],
    typer.Argument(metavar="ITEM...", help="Ids of items, or their beginnings; see `privacy list`."),
]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who answers for it.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the seed.")]


def register(app: typer.Typer) -> None:
    """Add `solon privacy` to the command line."""
    app.add_typer(group, name="privacy")


@group.command("list")
def list_held(
    run: RunOption = None,
    closed: Annotated[bool, typer.Option("--all", help="Also those released or rejected.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List held seeds: what kinds were found, and where in the seed. Never the text: `solon show ITEM` has that.

    Example: solon privacy list
    """
    with open_project(store, config) as project:
        found = project.privacy.list(run_id=run, closed=closed)
    if json:
        print_json({"held": [{**asdict(hold), "findings": _spelled(hold.findings)} for hold in found]})
        return
    from rich.table import Table

    table = Table("item", "seed", "row", "state", "found", box=None)
    for hold in found:
        places = ", ".join(f"{kind} {field}:{start}-{end}" for kind, field, start, end in hold.findings)
        table.add_row(
            *map(clean, (hold.item_id, hold.external_id, str(hold.position + 1), hold.state, places))
        )
    if found:
        console().print(table)
    else:
        say("nothing is held")


def _spelled(findings: list[list[object]]) -> list[dict[str, object]]:
    return [dict(zip(("kind", "field", "start", "end"), finding, strict=True)) for finding in findings]


@group.command("release")
def release(
    items: ItemsArgument,
    by: ByOption = "",
    reason: ReasonOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let held seeds go to the models, in the name of a person. The log keeps who and when.

    Example: solon privacy release 3fa9c1 --by "Dr. Weiss" --reason "the name is the author of a textbook"
    """
    _close(items, True, by, reason, store, json, config)


@group.command("reject")
def reject(
    items: ItemsArgument,
    by: ByOption = "",
    reason: ReasonOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Reject held seeds: they are never sent. Their text stays in the store until `solon forget`.

    Example: solon privacy reject 3fa9c1 --by "Dr. Weiss" --reason "a patient's letter"
    """
    _close(items, False, by, reason, store, json, config)


def _close(
    items: list[str], released: bool, by: str, reason: str, store: str | None, json: bool, config: Path | None
) -> None:
    with open_project(store, config) as project:
        close = project.privacy.release if released else project.privacy.reject
        closed = close(*items, by=by, reason=reason)
    state = "released" if released else "rejected"
    if json:
        print_json({"state": state, "items": [hold.item_id for hold in closed], "by": by.strip()})
        return
    typer.echo(f"{len(closed)} {state}")
    if released:
        say("they are worked on with the next `solon resume`")
