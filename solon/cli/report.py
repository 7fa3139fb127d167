"""`solon report`: one page that says what was made and how far it can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.eval.report.report import Report
    from solon.project import Project


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
        made = write_report(project, output, run=run, title=title, with_texts=with_texts)
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


def write_report(
    project: Project, output: Path, *, run: str | None = None, title: str = "", with_texts: bool = False
) -> Report:
    """Write the page, and the same as JSON beside it; returns the figures. Arguments as of the command.

    Raises:
        UsageError: the page cannot be written there.
    """
    from solon.eval.material import gather
    from solon.eval.report.page import render_page
    from solon.eval.report.report import build_report
    from solon.formats.containers import check_target, write_text_at_once

    beside = output.with_suffix(".json")
    check_target(output)
    if beside == output:
        raise UsageError(
            f"{output} is the name of the JSON beside the page", next_step="end the page's name in .html"
        )
    made = build_report(gather(project.store, [run] if run else ()), title=title, with_texts=with_texts)
    write_text_at_once(output, [render_page(made)])
    write_text_at_once(beside, [made.model_dump_json(indent=2), "\n"])
    return made
