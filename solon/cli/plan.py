"""`solon plan`: what a project takes of machines and people, before it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.preview import open_home
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.config import Config
    from solon.formats.seed_groups import SeedGroup
    from solon.operations.planning import Plan
    from solon.operations.planning.ranges import Range


def register(app: typer.Typer) -> None:
    """Add `solon plan` to the command line."""
    app.command("plan")(plan)


def plan(
    recipe: Annotated[
        str | None, typer.Argument(help="preference or instruction; default: preference.")
    ] = None,
    *,
    experts: Annotated[int, typer.Option("--experts", min=0, metavar="K", help="People who answer reviews.")],
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, metavar="M", help="Minutes a day that each of them gives.")
    ],
    days: Annotated[int, typer.Option("--days", min=0, metavar="D", help="Days that it may take.")],
    items: Annotated[
        int | None,
        typer.Option("--items", min=1, metavar="N", help="Seeds to be worked on; default: those of --seeds."),
    ] = None,
    seeds: Annotated[
        Path | None,
        typer.Option(
            "--seeds", metavar="FILE", help="Seeds to read specialties, languages and word counts from."
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost", min=0, help="Say whether the cost stays within; every price must be known."
        ),
    ] = None,
    named: Annotated[str | None, typer.Option("--recipe", hidden=True)] = None,
    words: Annotated[
        float | None,
        typer.Option("--words", min=1, metavar="N", help="Mean words of a seed, if you know it."),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether the experts' time is enough, and estimate calls, tokens, money, hours and the share of items seen.

    In all and for each specialty and language. Calls no model.

    From word counts and reading speed at first; from what runs of the same panel took, where there are some.

    Example: solon plan preference --items 20000 --experts 12 --minutes 30 --days 20
    """
    from solon.operations.planning import make_plan
    from solon.project import Project

    if items is None and seeds is None:
        raise UsageError("how many seeds?", next_step="give --items N, or --seeds FILE")

    settings = read_config(config, store)
    groups = _read_groups(seeds, settings, items) if seeds is not None else []
    home = open_home(settings)
    is_project = isinstance(home, Project)
    try:
        made = make_plan(
            home.config if isinstance(home, Project) else home,
            items=items or sum(group.items for group in groups),
            experts=experts,
            minutes=minutes,
            days=days,
            recipe=recipe or named or "preference",
            words=words,
            store=home.store if isinstance(home, Project) else None,
            groups=groups,
        )
    finally:
        if isinstance(home, Project):
            home.close()
    limit = {} if max_cost is None else {"max_cost": max_cost, "within_max_cost": made.within(max_cost)}
    if json:
        print_json({**made.to_plain(), **limit})
        return
    print_plan(made)
    if limit:
        told = {"yes": "stays within", "no": "goes over", "cannot tell": "may go over"}
        console().print(f"  the cost {told[str(limit['within_max_cost'])]} {max_cost:,.2f}")
    for note in made.notes:
        say(f"note: {note}")
    if not made.measured_items:
        where = "no run of this panel has finished an item" if is_project else "there is no store yet"
        say(f"{where}: figures are assumed from word counts; `solon preview` measures a few items")


def _read_groups(seeds: Path, config: Config, items: int | None) -> list[SeedGroup]:
    """Specialties and languages of the file; with `items`, as if it had that many rows."""
    from solon.formats.seed_groups import count_groups
    from solon.formats.seed_rows import SeedRow
    from solon.workspace.seeds import read_rows

    found = count_groups(row for row in read_rows(seeds, config) if isinstance(row, SeedRow))
    total = sum(group.items for group in found)
    if not total:
        raise UsageError(
            f"{seeds}: no row can be used as a seed", next_step="`solon run` names what is wrong with them"
        )
    if items is None:
        return found
    return [replace(group, items=round(group.items * items / total)) for group in found]


def print_plan(made: Plan) -> None:
    """Print a plan: its answer in a sentence, a line a figure (low, likely, high, whence), and ways out."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    out.print(clean(made.sentence), style="bold")
    out.print(
        clean(f"{made.items} items, recipe {made.recipe}, policy {made.policy}"),
    )
    rows = [
        ("model calls", made.calls, 0),
        ("tokens", made.tokens, 0),
        (f"cost {made.currency}".strip(), made.cost, 2),
        ("machine hours", made.machine_hours, 1),
        ("seconds a review", made.review_seconds, 0),
        ("reviews wanted", made.wanted_reviews, 0),
        (f"reviews in {made.expert_hours:.0f} expert hours", made.affordable_reviews, 0),
        ("% of items seen", made.seen.times(100), 1),
    ]
    for name, found, digits in rows:
        told = "unknown: a model has no price ([models.*.price])" if found is None else _spell(found, digits)
        out.print(clean(f"  {name:32} {told}"))
    if made.groups:
        table = Table(
            "specialty",
            "lang",
            "seeds",
            "reviews wanted",
            "s a review",
            "hours",
            "% seen",
            "enough",
            box=None,
        )
        for group in made.groups:
            figures = (group.wanted_reviews, group.review_seconds, group.seen.times(100))
            wanted, seconds, seen = (f"{r.low:,.0f} / {r.likely:,.0f} / {r.high:,.0f}" for r in figures)
            names = (clean(group.specialty or "-"), clean(group.lang or "-"), str(group.items))
            table.add_row(*names, wanted, seconds, f"{group.expert_hours:.1f}", seen, group.enough)
        out.print(table)
    for number, way in enumerate(made.ways_out, start=1):
        out.print(clean(f"\n{number}. {way.what}:\n"), highlight=False)
        for line in way.paste.splitlines():
            out.print(Text(f"    {line}"), soft_wrap=True)


def _spell(found: Range, digits: int) -> str:
    low, likely, high = (f"{value:,.{digits}f}" for value in (found.low, found.likely, found.high))
    return f"{low} / {likely} / {high}  ({found.source})"
