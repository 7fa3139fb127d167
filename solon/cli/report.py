"""`solon report`: one page that says what was made and how far it can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean


def register(app: typer.Typer) -> None:
    """Add `solon report` to the command line."""
    app.command("report")(report)


def report(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page; report.json lies beside it.")
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
                "certified": made.certified,
                "provisional": made.provisional,
                "with_texts": with_texts,
                "limits": list(made.limits),
            }
        )
        return
    typer.echo(clean(f"{output}: {made.records} records, {made.certified} under a certificate"))
    for limit in made.limits:
        typer.echo(clean(f"  not known: {limit}"))
    typer.echo(clean(f"the same as JSON: {beside}"))
