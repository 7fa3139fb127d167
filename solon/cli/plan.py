"""`solon plan`: what a project takes of machines and people, before it begins."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.preview import open_home
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean

if TYPE_CHECKING:
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
    from solon.operations.planning import plan_home
    from solon.project import Project

    home = open_home(read_config(config, store))
    is_project = isinstance(home, Project)
    make = home.plan if isinstance(home, Project) else partial(plan_home, home)
    try:
        made = make(
            items=items,
            seeds=seeds,
            experts=experts,
            minutes=minutes,
            days=days,
            recipe=recipe or named or "preference",
            words=words,
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


def print_plan(made: Plan) -> None:
    """Print a plan: its answer in a sentence, a line a figure (low, likely, high, whence), and ways out."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    out.print(clean(made.sentence), style="bold")
    out.print(clean(f"{made.items} items, recipe {made.recipe}, policy {made.policy}"))
    if made.promise:
        out.print(clean(made.promise))
    for name, found, digits in made.rows():
        told = (
            ("unknown: a model has no price ([models.*.price], with batch = true its `batch`, too)")
            if found is None
            else _spell(found, digits)
        )
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
            wanted, seconds, seen = (" / ".join(r.spell(0)) for r in figures)
            names = (clean(group.specialty or "-"), clean(group.lang or "-"), str(group.items))
            table.add_row(*names, wanted, seconds, f"{group.expert_hours:.1f}", seen, group.spell_enough())
        out.print(table)
    for number, way in enumerate(made.ways_out, start=1):
        out.print(clean(f"\n{number}. {way.what}:\n"), highlight=False)
        for line in way.paste.splitlines():
            out.print(Text(f"    {line}"), soft_wrap=True)


def _spell(found: Range, digits: int) -> str:
    return f"{' / '.join(found.spell(digits))}  ({found.source})"
