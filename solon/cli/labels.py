"""`solon eval labels`: which labels of a file are probably wrong, and reviews of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from solon.cli.evaluate import spell_figure, to_json
from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project, read_config
from solon.cli.terminal import console, print_json
from solon.display.text import clean, shorten

if TYPE_CHECKING:
    from solon.eval.labels import LabelCheck

NAMED = 10
"""Rows of the tables on the terminal; `--output` and `--json` have all."""
WIDTH = 60


def register(evaluations: typer.Typer) -> None:
    """Add `labels` to the group `solon eval`."""
    evaluations.command("labels")(labels)


def labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, CSV or Parquet: text, label.")],
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="Of the labels.")] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="Of the texts.")] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Suspects to list or review.")] = 50,
    review: Annotated[
        bool, typer.Option("--review", help="Open reviews of them, their labels hidden.")
    ] = False,
    recipe: Annotated[
        str, typer.Option(help="Of the reviews: label asks people, label-panel the panel first.")
    ] = "label",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="Write the suspects, as many as --top says, as .jsonl or .csv."
        ),
    ] = None,
    features: Annotated[
        Literal["words", "meaning"] | None,
        typer.Option(help="What the classifier sees; default: meaning where it is installed."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=10, metavar="N", help="Rows at most, drawn at random where there are more.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Rank the labels of a file by how likely they are wrong; open reviews of the first, and count what people say.

    Example: solon eval labels messages.csv --label intent --review
    """
    from solon.eval.labels import check_labels, check_output, write_suspects

    if output is not None:
        check_output(output)
    settings = read_config(config, store)
    if review or _exists(settings.store):
        with open_project(store, config, create=review) as project:
            found = project.labels(
                file, text=text, label=label, features=features, top=top, review=review, recipe=recipe,
                limit=limit, seed=seed,
            )  # fmt: skip
    else:
        found = check_labels(
            file, settings, text=text, label=label, features=features, top=top, limit=limit, seed=seed
        )
    if output is not None:
        write_suspects(found, output)
    if json:
        print_json(to_json(found))
    else:
        show_labels(found)


def _exists(url: str) -> bool:
    """Whether there is a store: that of a server counts as one."""
    from solon.store.database.engine import sqlite_path

    path = sqlite_path(url)
    return path is None or path.is_file()


def show_labels(found: LabelCheck) -> None:
    """Print how many labels are suspected, which for which, and the first rows."""
    from rich.table import Table

    out = console()
    of = f"{found.n} texts, {len(found.labels)} labels, by {found.features}"
    out.print(clean(of + (f", with the panel on {found.voted}" if found.voted else "")))
    out.print(clean(f"suspected: {spell_figure(found.suspected)}"))
    for name, figure in (("reviewed and wrong", found.reviewed), ("others decided and wrong", found.others)):
        if figure.n:
            out.print(
                clean(f"{name}: {figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f}, n = {figure.n})")
            )
    if found.mistaken:
        pairs = Table("given", "likely right", "texts", "of the label", box=None)
        for pair in found.mistaken[:NAMED]:
            pairs.add_row(clean(pair.given), clean(pair.likely), str(pair.texts), f"{pair.share.value:.0%}")
        out.print(pairs)
    if found.suspects:
        rows = Table("line", "text", "given", "suggested", "decided", box=None)
        for one in found.suspects[:NAMED]:
            rows.add_row(
                str(one.line),
                shorten(one.text, WIDTH),
                *map(clean, (one.given, one.suggested, one.decided or "-")),
            )
        out.print(rows)
    if found.opened:
        out.print(clean(f"opened: {found.opened} reviews, run {found.run_id}"))
    for line in (*found.notes, f"next: {found.next_step()}"):
        out.print(clean(line))
