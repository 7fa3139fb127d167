"""`solon import` and `solon review export`: sets of other tools in, reviews out to other tools and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import print_json, say
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.store.database.store import Store
    from solon.store.reviewing.experts import ExpertRow

TOKEN = "SOLON_EXPERT_TOKEN"


def register(app: typer.Typer) -> None:
    """Add `solon import` to the command line."""
    app.command("import")(import_command)


def import_command(
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="trl-preference, argilla, panel, ...")],
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
    json: JsonOption = False,
) -> None:
    """Bring an existing set into the store: rows as seeds with answers, labels as decisions, verdicts as a panel.

    Answers of Argilla or Label Studio to reviews that `solon review export` wrote become decisions on them.

    Example: solon import trl-preference pairs.jsonl --store sqlite:///solon.db
    """
    from solon.eval.importing import import_file

    with open_project(store, config, create=True) as project:
        expert = _vouching(project.store) if as_expert else None
        found = import_file(project, format, file, judge=judge, policy=policy, expert=expert, limit=limit)
    if json:
        print_json(found.model_dump(mode="json"))
        return
    typer.echo(clean(f"{file}: {found.rows} rows, {found.seeds} seeds, {found.decisions} decisions"))
    for reason, count in found.unused.items():
        typer.echo(f"  not a decision: {count} {reason}")
    if found.bad_rows:
        typer.echo(clean(f"  refused: {found.bad_rows} rows, see {found.bad_rows_file}"))
    if found.run_id:
        typer.echo(f"  run {found.run_id}: {found.accepted} accepted, {found.pending_review} wait for review")
    elif found.decisions:
        say("carry them on: solon resume")


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
    from solon.formats import annotation
    from solon.formats.containers import check_target, write_text_at_once
    from solon.store.database.audit_log import local_actor
    from solon.store.privacy.forgetting import mark_export

    writers = {"argilla": annotation.write_argilla, "label-studio": annotation.write_label_studio}
    if format not in writers:
        raise UsageError(f"reviews are not written as {format!r}", next_step=f"known: {', '.join(writers)}")
    check_target(output)
    with open_project(store, config) as project:
        run_id = project.summarize(run).run_id if run else None
        found = [_question(review) for review in project.reviews(run_id=run_id, limit=limit)]
        mark_export(project.store, local_actor(), [str(output)], run=run_id, of="reviews")
    write_text_at_once(output, [_spell([writers[format](question) for question in found])])
    files = [str(output)]
    for name, text in _interfaces(format).items():
        place = output.with_name(f"{output.stem}.{name}")
        write_text_at_once(place, [text])
        files.append(str(place))
    if json:
        print_json({"format": format, "reviews": len(found), "files": files})
    else:
        typer.echo(clean(f"{output}: {len(found)} reviews"))


def _interfaces(format: str) -> dict[str, str]:
    """End of a file's name -> what the other tool is to ask, for pairs and for single answers."""
    import json

    from solon.formats.annotation import LABEL_STUDIO_PAIR, LABEL_STUDIO_SINGLE, argilla_settings

    if format == "label-studio":
        return {"pair.xml": LABEL_STUDIO_PAIR, "single.xml": LABEL_STUDIO_SINGLE}
    kinds = ("pair", "single")
    return {f"{kind}.settings.json": json.dumps(argilla_settings(kind), indent=1) + "\n" for kind in kinds}


def _question(review: Any) -> Any:
    from solon.formats.annotation import Question

    prompt = review.candidates[0].prompt if len(review.candidates) == 1 else review.prompt
    answers = tuple((candidate.id, candidate.text) for candidate in review.candidates)
    return Question(review.id, review.recipe, prompt, review.input, answers)


def _spell(rows: list[dict[str, Any]]) -> str:
    import json

    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
