"""`solon gate`: fails where the data is past a bound, for continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import FAILED, print_json


def register(app: typer.Typer) -> None:
    """Add `solon gate` to the command line."""
    app.command("gate")(gate)


def gate(
    agreement: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Least agreement of panel and experts.")
    ] = None,
    certificate: Annotated[
        bool | None, typer.Option(help="A certificate has to be in force for the newest run of each recipe.")
    ] = None,
    judge: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Least agreement of every judge with the experts.")
    ] = None,
    contamination: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Most records that hold a text of a benchmark.")
    ] = None,
    duplicates: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Most records whose request nearly repeats another.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="FILE", help="A benchmark for --contamination; may be repeated."),
    ] = None,
    interval: Annotated[
        bool, typer.Option("--interval", help="Hold the lower ends of 95% intervals to the least shares.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the checks as a JUnit file, too.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    json: JsonOption = False,
) -> None:
    """Fail where agreement, certificate, judges, contamination or duplicates are past a bound; for CI.

    Bounds stand under [gate] in solon.toml; options go before them. What is not known fails. Asks no model.

    Example: solon gate --agreement 0.8 --duplicates 0.05 --junit gate.xml
    """
    from solon.formats.containers import check_target, write_text_at_once

    given = {
        "agreement": agreement, "certificate": certificate, "judge": judge, "contamination": contamination,
        "duplicates": duplicates, "benchmarks": tuple(map(str, against)) if against else None,
        "by": "interval" if interval else None,
    }  # fmt: skip
    if junit is not None:
        check_target(junit)
    with open_project(store, config) as project:
        bounds = {key: value for key, value in given.items() if value is not None}
        found = project.gate(bounds, runs=run or ())
    if junit is not None:
        write_text_at_once(junit, [found.junit()])
    if json:
        print_json({"passed": found.passed, **found.model_dump(mode="json")})
    else:
        typer.echo(str(found))
    raise typer.Exit(0 if found.passed else FAILED)
