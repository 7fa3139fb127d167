"""Figures about law from the command line: how often principles are cited and win; weights fitted to decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from solon.lawmaking.weights import Weighed
    from solon.store.lawmaking.principles import PrincipleUse, Use


def add_to(constitutions: typer.Typer, rubrics: typer.Typer) -> None:
    """Add `stats` to `solon constitution` and `weights` to `solon rubric`."""
    constitutions.command("stats")(stats)
    rubrics.command("weights")(weights)


def stats(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="NAME: every version of it; NAME@VERSION: items under that one."
        ),
    ] = None,
    run: Annotated[list[str] | None, typer.Option("--run", metavar="RUN", help="Only of these runs.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Count how often each principle was cited by critics, judges, resolver and experts, and how often it won.

    Example: solon constitution stats
    """
    from solon.lawmaking.drafting import law_in_force

    with open_project(store, config) as project:
        with project.store.connect() as connection:
            law = law_in_force(connection, project.config, "constitution", name)
        found = project.constitutions.stats(name, runs=run or ())
    if json:
        about = {"name": law.name, "version": law.version, "id": law.id}
        print_json({**about, "principles": [use.to_json() for use in found]})
    else:
        console().print(_table(found))


def _table(found: Sequence[PrincipleUse]) -> Table:
    from rich.table import Table

    table = Table("principle", "critics", "judges", "resolver", "experts", box=None)
    for principle in found:
        name = clean(principle.id if principle.in_force else f"{principle.id} (retired)")
        table.add_row(name, *(_spell_use(use) for use in principle.uses.values()))
    table.caption = "times cited; of those where one of two sides won, the share on the winning side (95%)"
    return table


def _spell_use(use: Use) -> str:
    if not use.sided:
        return str(use.cited)
    low, high = use.interval
    return f"{use.cited}; won {use.won} of {use.sided} ({low:.0%} to {high:.0%})"


def weights(
    name: Annotated[
        str | None, typer.Argument(help="A rubric of the store; default: the configured one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit and tell, propose nothing.")] = False,
    max_calls: Annotated[int | None, typer.Option(min=1, help="Stop after so many model calls.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop at this cost.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Fit the weights of the criteria to decisions of the seen half; propose them as an amendment if they do better.

    Example: solon rubric weights --dry-run
    """
    with open_project(store, config) as project:
        found = project.rubrics.weights(name, dry_run=dry_run, max_calls=max_calls, max_cost=max_cost)
    if json:
        print_json(found.to_json())
    else:
        typer.echo(_spell(found))


def _spell(found: Weighed) -> str:
    lines = [f"rubric {found.rubric}: {found.why}"]
    if found.fit is not None:
        for name, old, new in zip(found.criteria, found.weights, found.fit.weights, strict=True):
            lines.append(f"  {name}: {old:g} -> {new:g}")
    lines.append(f"  {found.calls} calls made, {found.from_journal} known")
    if found.stopped:
        lines.append(f"  stopped early: {found.stopped}")
    if found.amendment is not None:
        lines.append(
            f"amendment {found.amendment.id}: measure it with `solon rubric impact {found.amendment.id}`"
        )
    return "\n".join(clean(line) for line in lines)
