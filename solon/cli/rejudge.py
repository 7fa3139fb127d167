"""`solon rejudge`: after new law, judge again what it may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from solon.lawmaking.rejudging import Doubt, Rejudged

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add `solon rejudge` to the command line."""
    app.command("rejudge")(rejudge)


def rejudge(
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, metavar="CALLS", help="Stop before more model calls.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0, metavar="MONEY", help="Stop at this cost.")
    ] = None,
    run: RunOption = None,
    only: Annotated[
        Literal["reviews", "records"] | None,
        typer.Option(help="Only waiting reviews, or only stale records."),
    ] = None,
    ranking: Annotated[
        bool,
        typer.Option("--ranking", help="Only list stale records, the most doubtful first; no call is made."),
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Judge again, under the law now in force, what a ratified amendment may change: waiting reviews that it settles
    leave the queue; stale records are confirmed, replaced or sent to a person, the most doubtful first.

    Example: solon rejudge --budget 500
    """
    with open_project(store, config) as project:
        if ranking:
            found = project.rank_stale(run)
            if json:
                print_json({"stale": [doubt.to_json() for doubt in found]})
            else:
                typer.echo(_spell_ranking(found))
            return
        done = project.rejudge(run, only=only, max_calls=budget, max_cost=max_cost)
    if json:
        print_json(done.to_json())
    else:
        typer.echo(_spell(done))


def _spell_ranking(found: list[Doubt]) -> str:
    lines = [f"{len(found)} stale records"]
    for doubt in found[:SHOWN]:
        cites = ", cites what was changed" if doubt.cites else ""
        lines.append(
            clean(
                f"  {doubt.target.record_id}: {doubt.p:.0%} likely to change "
                f"(margin {doubt.margin:.2f}, {doubt.similarity:.2f} like a verdict that turned{cites})"
            )
        )
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more; --json gives all")
    return "\n".join(lines)


def _spell(done: Rejudged) -> str:
    lines = [
        f"{done.stale} stale records: {done.confirmed} confirmed, {done.replaced} replaced, "
        f"{done.review} sent to review, {done.rejected} rejected, {done.failed} failed",
        f"{done.waiting} waiting reviews under replaced law: {done.settled} settled, {done.unsettled} still wait",
        f"{done.calls} calls made, {done.from_journal} known; {done.left} not reached",
    ]
    if done.queued:
        lines.append(f"{done.queued} items are on their way: `solon resume` goes on")
    if done.stopped:
        lines.append(clean(f"stopped early: {done.stopped}"))
    return "\n".join(lines)
