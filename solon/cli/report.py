"""`solon report`: one page that says what was made and how far it can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from solon.eval.report.report import Report


def register(app: typer.Typer) -> None:
    """Add `solon report` to the command line."""
    app.command("report")(report)


def report(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page, or FILE.md for its short form in Markdown; FILE.json lies beside it.",
        ),
    ] = Path("report.html"),
    store: StoreOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "",
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="Show example texts; without it the report holds none.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a self-contained page with every figure, its interval and its limits, and the same as JSON.

    Example: solon report -o report.html
    """
    with open_project(store, config) as project:
        made = project.report(output, run_id=run, title=title, with_texts=with_texts)
    beside = output.with_suffix(".json")
    if json:
        print_json(
            {
                "report": str(output),
                "json": str(beside),
                "records": made.records,
                "headline": made.headline.model_dump(mode="json"),
                "certified": made.certified,
                "provisional": made.provisional,
                "with_texts": with_texts,
                "limits": list(made.limits),
            }
        )
        return
    for line in spell_headline(made):
        typer.echo(clean(line))
    for promise in made.promised:
        typer.echo(clean(f"run {promise.run[:10]}: {promise.sentence}"))
    for limit in made.limits:
        typer.echo(clean(f"  not known: {limit}"))
    typer.echo(clean(f"the page: {output}; the same as JSON: {beside}"))


def spell_headline(made: Report) -> list[str]:
    """The three figures of a report and what to do now, a line each."""
    from solon.eval.result import spell_interval, spell_share

    top, certified = made.headline, f"{made.certified} under a certificate"
    gaps = f"; {top.agreement_gaps}" if top.agreement_gaps else ""
    return [
        f"records: {top.records} of {top.items} items, {certified}, {made.provisional} provisional",
        f"{top.agreement_of}: {spell_share(top.agreement)} ({spell_interval(top.agreement)}{gaps})",
        f"questions that wait for people: {top.waiting}; answers that count: {made.decisions.counted}",
        f"next: {top.next_step}",
    ]
