"""`solon plan`: what a project takes of machines and people, before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.preview import open_home
from solon.cli.terminal import clean, console, print_json, say

if TYPE_CHECKING:
    from solon.planning import Plan, Range


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    items: Annotated[int, typer.Option("--items", min=1, metavar="N", help="Seeds to be worked on.")],
    experts: Annotated[int, typer.Option("--experts", min=0, metavar="K", help="People who answer reviews.")],
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, metavar="M", help="Minutes a day that each of them gives.")
    ],
    days: Annotated[int, typer.Option("--days", min=0, metavar="D", help="Days that it may take.")],
    recipe: Annotated[str, typer.Option("--recipe", help="preference or instruction.")] = "preference",
    words: Annotated[
        float | None,
        typer.Option("--words", min=1, metavar="N", help="Mean words of a seed, if you know it."),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Estimate calls, tokens, money, hours and the share of items that the experts can see. Calls no model.

    From word counts and reading speed at first; from what runs of the same panel took, where there are some.

    Example: solon plan --items 20000 --experts 12 --minutes 30 --days 20
    """
    from solon.planning import make_plan
    from solon.project import Project

    home = open_home(read_config(config, store))
    is_project = isinstance(home, Project)
    try:
        made = make_plan(
            home.config if isinstance(home, Project) else home,
            items=items,
            experts=experts,
            minutes=minutes,
            days=days,
            recipe=recipe,
            words=words,
            store=home.store if isinstance(home, Project) else None,
        )
    finally:
        if isinstance(home, Project):
            home.close()
    if json:
        print_json(made.to_plain())
        return
    print_plan(made)
    if not made.measured_items:
        where = "no run of this panel has finished an item" if is_project else "there is no store yet"
        say(f"{where}: figures are assumed from word counts; `solon preview` measures a few items")


def print_plan(made: Plan) -> None:
    """One line a figure: low / likely / high, and where it comes from."""
    out = console()
    out.print(clean(f"{made.items} items, recipe {made.recipe}, policy {made.policy}"), style="bold")
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
    answers = {"yes": "enough", "no": "not enough", "cannot tell": "perhaps enough: the ranges overlap"}
    out.print(f"  the experts' time is {answers[made.enough]} for what the policy asks")


def _spell(found: Range, digits: int) -> str:
    low, likely, high = (f"{value:,.{digits}f}" for value in (found.low, found.likely, found.high))
    return f"{low} / {likely} / {high}  ({found.source})"
