"""`solon export`: records into a training file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import (
    AllRunsOption,
    ConfigOption,
    JsonOption,
    OneRunOption,
    StoreOption,
    open_project,
)
from solon.cli.terminal import print_json, say
from solon.display.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RequireCleanOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="Write only if no record holds a text of this benchmark; may be repeated."
    ),
]
ConstitutionOption = Annotated[
    str | None,
    typer.Option(metavar="VERSION", help="Records accepted under NAME@VERSION (or its id) only."),
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="The records as they stood at the end of that day (UTC)."),
]
DropOption = Annotated[
    bool, typer.Option("--drop-contaminated", help="With --require-clean: leave such records out instead.")
]

KOption = Annotated[
    int | None,
    typer.Option(
        "--k", metavar="N", help="Write N records only, those that cover the others best; of icl: 8."
    ),
]


def register(app: typer.Typer) -> None:
    """Add `solon export` to the command line."""
    app.command("export")(export)


def tell_cautions(cautions: Sequence[str]) -> None:
    """Say on standard error what whoever trains on the rows must know."""
    for caution in cautions:
        say(f"note: {caution}")


def spell_left_out(left_out: Mapping[str, int]) -> list[str]:
    """A line for each reason why records were left out, in words where the reason is none."""
    from solon.store.records.exporting import DISPUTED

    differ = " (people differ: `solon review list --state disputed`, and single pairs of rankings)"
    return [
        clean(f"left out: {count} {reason}{differ if reason == DISPUTED else ''}")
        for reason, count in left_out.items()
    ]


def spell_empty(format: str, left_out: Mapping[str, int]) -> str:
    """Why nothing was written, where something was left out: nothing is decided yet, or no record has what the format
    holds."""
    waiting = left_out.get("pending", 0)
    if waiting and waiting == sum(left_out.values()):
        return f"nothing is decided yet: {waiting} wait for a person's answer; see `solon review list`"
    return f"no record has what {format} holds; jsonl, csv and parquet take records of every kind"


def name_runs(runs: Mapping[str, int], left_out: Mapping[str, int]) -> None:
    """Say on standard error which runs the records are of, where the user cannot know it from the command."""
    from solon.store.records.exporting import OTHER_RUN

    if len(runs) > 1:
        say(
            f"{len(runs)} runs are in force: {', '.join(f'{run} ({n} records written)' for run, n in runs.items())}"
        )
    if left_out.get(OTHER_RUN):
        say(
            f"each item stands once: {left_out[OTHER_RUN]} records are left out in whose place another run's stand "
            "(a person's decision goes first, then the newest run); --run RUN takes one run, --all-runs every record"
        )


def export(
    format: Annotated[
        str, typer.Option("--format", "-f", help="jsonl, trl-preference, trl-sft, ... (docs/formats.md)")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    run: OneRunOption = None,
    all_runs: AllRunsOption = False,
    recipe: Annotated[str | None, typer.Option(help="Records of this recipe only.")] = None,
    constitution: ConstitutionOption = None,
    as_of: AsOfOption = None,
    min_margin: Annotated[
        float | None, typer.Option(help="Leave out records with a smaller margin, and those that have none.")
    ] = None,
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
    folder: Annotated[
        bool,
        typer.Option("--folder", help="Write a dataset folder: data, dataset card and Croissant metadata."),
    ] = False,
    licence: Annotated[
        str,
        typer.Option(help="With --folder: licence of the set as a whole (SPDX); default: the seeds' own."),
    ] = "",
    require_clean: RequireCleanOption = None,
    drop_contaminated: DropOption = False,
    k: KOption = None,
    json: JsonOption = False,
) -> None:
    """Write the records in force to a file, and say what was left out and why.

    Example: solon export --format trl-preference --output pairs.jsonl
    """
    from solon.formats.facts import spell_cautions

    with open_project(store, config) as project:
        summary = project.export(
            format,
            output,
            run_id=run,
            recipe=recipe,
            all_runs=all_runs,
            constitution=constitution,
            as_of=as_of,
            min_margin=min_margin,
            certified_only=certified_only,
            extra_columns=extra_column or (),
            test_fraction=test_fraction,
            folder=folder,
            licence=licence,
            require_clean=require_clean or (),
            drop_contaminated=drop_contaminated,
            k=k,
        )
    name_runs(summary.runs, summary.left_out)
    tell_cautions(spell_cautions(summary.facts))
    if json:
        print_json(summary.as_dict())
        return
    for file in summary.files:
        typer.echo(f"{clean(file.path)}: {file.rows} rows, {file.bytes} bytes, sha256 {file.sha256}")
    for line in spell_left_out(summary.left_out):
        typer.echo(f"  {line}")
    if summary.left_out and not any(file.rows for file in summary.files):
        say(f"note: {spell_empty(format, summary.left_out)}")
    if summary.withheld:
        typer.echo(f"  withheld (flagged by an expert): the text of {summary.withheld}")
    typer.echo(f"  manifest: {clean(summary.manifest)}")
