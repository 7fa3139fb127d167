"""`solon export`: records into a training file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import clean, print_json


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    format: Annotated[
        str, typer.Option("--format", "-f", help="jsonl, trl-preference, trl-sft, ... (docs/formats.md)")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    recipe: Annotated[str | None, typer.Option(help="Records of this recipe only.")] = None,
    constitution: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Records accepted under NAME@VERSION (or its id) only."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DATE", help="The records as they stood at the end of that day (UTC)."
        ),
    ] = None,
    min_margin: Annotated[float | None, typer.Option(help="Leave out records with a smaller margin.")] = None,
    certified_only: Annotated[
        bool, typer.Option("--certified-only", help="Leave out provisional records.")
    ] = False,
    extra_column: Annotated[
        list[str] | None,
        typer.Option(help="Add this column to a training format (id, margin, ...); may be given again."),
    ] = None,
    test_fraction: Annotated[
        float, typer.Option(help="Split off this share of the seed groups as NAME.test.EXT.")
    ] = 0.0,
    json: JsonOption = False,
) -> None:
    """Write the records in force to a file, and say what was left out and why.

    Example: solon export --format trl-preference --output pairs.jsonl
    """
    with open_project(store, config) as project:
        summary = project.export(
            format,
            output,
            run_id=run,
            recipe=recipe,
            constitution=constitution,
            as_of=as_of,
            min_margin=min_margin,
            certified_only=certified_only,
            extra_columns=tuple(extra_column or ()),
            test_fraction=test_fraction,
        )
    if json:
        print_json(summary.as_dict())
        return
    for file in summary.files:
        typer.echo(f"{clean(file.path)}: {file.rows} rows, {file.bytes} bytes, sha256 {file.sha256}")
    for reason, count in summary.left_out.items():
        typer.echo(f"  left out: {count} {clean(reason)}")
    if summary.withheld:
        typer.echo(f"  withheld (flagged by an expert): the text of {summary.withheld}")
    typer.echo(f"  manifest: {clean(summary.manifest)}")
