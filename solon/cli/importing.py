"""`solon import` and `solon review export`: sets of other tools in, reviews out to other tools and back."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import STOPPED, print_json, say
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.eval.importing import Imports
    from solon.operations.votes import VotesImport
    from solon.store.database.store import Store
    from solon.store.reviewing.experts import ExpertRow

VOTES = "votes"
TOKEN = "SOLON_EXPERT_TOKEN"


def register(app: typer.Typer) -> None:
    """Add `solon import` to the command line."""
    app.command("import")(import_command)


def import_command(
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="auto, map (of [import] map), trl-preference, nectar, argilla, votes, otel, langfuse, langsmith, ...",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, a JSON list, CSV or Parquet.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Ask the panel of the configuration about the rows too.")
    ] = False,
    policy: Annotated[
        str, typer.Option(help="Routing of the rows; `always` makes every answer of the file a decision.")
    ] = "always",
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first so many rows.")] = None,
    as_expert: Annotated[
        bool,
        typer.Option(
            "--as-expert", help="The answers are yours, given blind: they count. Token in SOLON_TOKEN."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Of `votes`: the seeds to write. [FILE with .seeds.jsonl]"),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Of `votes`: seeds with the items' texts, by id; else FILE has them.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Of `votes`: whose labels they are.")] = "label-panel",
    json: JsonOption = False,
) -> None:
    """Bring an existing set into the store: rows as seeds with answers, labels as decisions, verdicts as a panel.

    `auto` tells the layout by the first rows, and says which it is. Answers of Argilla or Label Studio to reviews that
    `solon review export` wrote become decisions on them. `votes` (columns item or text, worker, label) become a file of
    seeds that bring the votes along. Traces (`otel`, `langfuse`, `langsmith`) become seeds with the model's answer;
    thumbs are votes on it.

    Example: solon import auto pairs.jsonl --store sqlite:///solon.db
    """
    try:
        with open_project(store, config, create=True) as project:
            if format == VOTES:
                made = project.import_votes(
                    file, output or file.with_suffix(".seeds.jsonl"), recipe=recipe, texts=texts
                )
                _tell_votes(made, file, recipe, json)
                return
            expert = _vouching(project.store) if as_expert else None
            found = project.import_(
                format, file, judge=judge, policy=policy, expert=expert, limit=limit, progress=True
            )
    except KeyboardInterrupt:
        say(
            f"stopped; what was stored by then stays. `solon import {format} {quote(str(file))}`, with the same "
            "options, goes on"
        )
        raise typer.Exit(STOPPED) from None
    _tell_import(found, file, format, json)


def _tell_import(found: Imports, file: Path, format: str, json: bool) -> None:
    if json:
        print_json(found.model_dump(mode="json"))
        return
    read = f" read as {found.format}" if found.format != format else ""
    votes = f", {found.votes} votes" if found.votes else ""
    typer.echo(
        clean(f"{file}{read}: {found.rows} rows, {found.seeds} seeds, {found.decisions} decisions{votes}")
    )
    for reason, count in found.unused.items():
        typer.echo(clean(f"  {found.heading(reason)}: {count} {reason}"))
    if found.contradictions:
        first = ", ".join(map(str, found.contradictions[:5])) + (", ..." if found.contradictions[5:] else "")
        typer.echo(
            f"  contradictions: {len(found.contradictions)} rows say the opposite of an earlier row of the file "
            f"(lines {first}); training formats leave both out"
        )
    _tell_refused(found)
    if found.metadata:
        typer.echo(clean(f"  columns not used, kept as metadata: {', '.join(found.metadata[:20])}"))
    if found.empty:
        typer.echo(clean(f"  columns that are empty in every row: {', '.join(found.empty[:20])}"))
    if found.run_id:
        typer.echo(f"  run {found.run_id}: {found.accepted} accepted, {found.pending_review} wait for review")
    elif found.decisions:
        say("carry them on: solon resume")


def _tell_votes(made: VotesImport, file: Path, recipe: str, json: bool) -> None:
    if json:
        print_json(made.model_dump(mode="json"))
        return
    told = f"{made.votes} votes of {made.workers} people on {made.seeds} items"
    typer.echo(clean(f"{file}: {told}, written to {made.output}"))
    given = sorted(made.labels.items(), key=lambda one: -one[1])[:20]
    typer.echo(clean("  " + ", ".join(f"{label} {n}" for label, n in given)))
    for note in made.notes:
        typer.echo(clean(f"  note: {note}"))
    _tell_refused(made)
    say(clean(f"next: solon run {recipe} --seeds {made.output}"))


def _tell_refused(made: Imports | VotesImport) -> None:
    if made.bad_rows:
        typer.echo(clean(f"  refused: {made.bad_rows} rows, see {made.bad_rows_file}"))
        for line in made.refusals:
            typer.echo(clean(f"    {line}"))


def _vouching(store: Store) -> ExpertRow:
    from solon.store.reviewing.experts import TOKEN_VARIABLE, TokenCheck

    named = next((name for name in (TOKEN, TOKEN_VARIABLE) if os.environ.get(name)), None)
    if named is None:
        raise UsageError(
            f"--as-expert needs the token of an expert of this store in {TOKEN_VARIABLE} (or {TOKEN})",
            next_step="see `solon expert list`; `solon expert add` gives a token",
        )
    return TokenCheck(store).holder(os.environ[named], named)


def export_reviews(
    format: Annotated[str, typer.Option("--format", "-f", help="argilla or label-studio")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The JSON file to write.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 1000,
    json: JsonOption = False,
) -> None:
    """Write waiting reviews for Argilla or Label Studio; `solon import` brings the answers back.

    Example: solon review export --format label-studio --output tasks.json
    """
    with open_project(store, config) as project:
        done = project.export_reviews(format, output, run_id=run, limit=limit)
    if json:
        print_json(asdict(done))
    else:
        typer.echo(clean(f"{output}: {done.reviews} reviews"))
