"""`solon demo`: a tour on scripted answers; with --real the loop on bundled seeds and the built-in model."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.interrupts import Stopper
from solon.cli.options import JsonOption
from solon.cli.run import print_summary
from solon.cli.terminal import FAILED, STOPPED, console, print_json, say, styled
from solon.display.progress import ProgressDisplay
from solon.display.text import clean, shorten
from solon.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from solon.config import Config
    from solon.project import Project
    from solon.workspace.views import Review, RunSummary

FOLDER = "solon-demo-real"
BUILTIN = "builtin:smollm2"
SEEDS = 6
_WIDTH = 240

_BEFOREHAND = """\
The built-in model, SmolLM2-135M, is here because it runs anywhere in minutes. With 135 million parameters it writes \
poor text, and judges at chance: look at how the loop works, not at what the answers say. Six questions take five to \
ten minutes on two idle cores; `solon demo --real --limit 1` asks one. Ctrl-C stops, and nothing is lost."""
_HONESTLY = """\
What this shows, and what it does not. SmolLM2-135M is here because it runs anywhere in minutes. It judges at chance: \
which of two answers it prefers says next to nothing, and often changes with the order in which it sees them. Its \
panel is one model under two personas, which Solon counts as one voter. So the loop is real, the records are \
provisional, and they are no data to train on."""
_SWITCH = """\
A real model takes two lines in solon.toml (any OpenAI-compatible server, a GGUF file, ...: see README):"""
_TWO_LINES = """\
[models.default]
model = "openai:gpt-5-mini"   # key in OPENAI_API_KEY; or "ollama:llama3.2", or "gguf:/path/to/model.gguf\""""


def register(app: typer.Typer) -> None:
    """Add `solon demo` to the command line."""
    app.command("demo")(demo)


def demo(
    real: Annotated[
        bool,
        typer.Option(
            "--real", help="Run six seeds on the built-in model, a small one that writes poor text."
        ),
    ] = False,
    serve: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve", help="Serve the page at the end; default: where you sit at the terminal."
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="URL", help="Default: solon.db in the demo's folder.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="PROVIDER:MODEL", help="As --real, on a model of yours.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --real: the first N of the dozen seeds. [6]")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Take a tour from seeds to a report on scripted answers: a clinic's questions; no key, no GPU, no model.

    Example: solon demo
    """
    if not real and model is None:
        if limit is not None:
            raise UsageError(
                "--limit is for the demo with a model", next_step="add --real, or leave --limit out"
            )
        from solon.cli.tour import run_tour

        run_tour(store, json=json, serve=serve, solon=program())
        return
    if serve:
        raise UsageError("--serve is for the tour", next_step="leave out --real and --model, or --serve")
    _run_loop(store, model or BUILTIN, limit or SEEDS, json)


def _run_loop(store: str | None, model: str, limit: int, json: bool) -> None:
    """Drafts, critiques, verdicts, reviews and records of the bundled seeds, on a model."""
    from solon.cli.seeds import demo_seeds_path
    from solon.project import Project

    if model == BUILTIN:
        say(_BEFOREHAND)
        _fetch_weights()
    if store is None:
        _make_folder(Path(FOLDER))
    with Project(config=demo_config(model, store or f"sqlite:///{FOLDER}/solon.db")) as project:
        say(
            "recipe `preference`: each seed is drafted twice, criticised, revised and judged in both orders ..."
        )
        display = ProgressDisplay()
        stopper = Stopper(display.restore_terminal, f"{program()} resume --store {project.store.url}")
        with display:
            summary = stopper.run(
                lambda: project.arun(
                    "preference",
                    demo_seeds_path(),
                    limit=limit,
                    on_progress=display.show,
                    on_runner=stopper.watch,
                ),
                tick=display.tick,
            )
        _tell(project, summary, model, json)
    if summary.stopped_because:
        raise typer.Exit(STOPPED)
    # A demo in which no seed came to an end has shown nothing.
    raise typer.Exit(FAILED if summary.failed == summary.items else 0)


def demo_config(model: str, store: str) -> Config:
    """The configuration of the demo's loop: short answers, so that a small model on two cores ends in minutes;
    and nothing that measures the panel, so that whoever sits here may answer without a token."""
    from solon.config import parse_config

    return parse_config(
        {
            "store": store,
            "models": {"default": {"model": model, "max_tokens": 300}},
            "generator": {"personas": ["a helper who answers in two or three short sentences"]},
            "critic": {"max_tokens": 256},
            "resolver": {"max_tokens": 160},
            "routing": {"policy": "threshold", "audit_share": 0.0},
        },
        source="the demo",
    )


def _fetch_weights() -> None:
    from solon.agents.models.weights import builtin_model, fetch_builtin_model, find_builtin_model

    if find_builtin_model() is None:
        say("the built-in model is not here yet: fetching SmolLM2-135M-Instruct (98 MB, Apache-2.0) once ...")
        fetch_builtin_model()
    builtin_model()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} cannot be made here: {error.strerror}",
            next_step="go to a folder that you may write to, or give --store sqlite:////some/where/solon.db",
        ) from None


def _tell(project: Project, summary: RunSummary, model: str, json: bool) -> None:
    from solon.store.records.overview import failure_reasons, spell_failures

    waiting = project.reviews(run_id=summary.run_id, limit=1)
    record = _first_record(project, summary.run_id)
    commands = next_commands(
        project.store.url, waiting[0] if waiting else None, record, unfinished=summary.queued > 0
    )
    if json:
        from dataclasses import asdict

        print_json({**asdict(summary), "record_id": record, "next": commands})
        return
    out = console()
    print_summary(summary, title=f"\nrun {summary.run_id} ({summary.recipe})")
    for line in spell_failures(failure_reasons(project.store, summary.run_id)):
        out.print(clean(f"  {line}"))
    example = _telling_example(project, summary.run_id, record)
    if example is not None:
        _print_way(out, example)
    if waiting:
        _print_waiting(out, waiting[0])
    if record is not None:
        _print_record(out, project.trace(record))
    elif waiting:
        out.print(
            "\nNo record came out yet: every pair was in doubt or rejected. A decision makes the first one."
        )
    if model == BUILTIN:
        out.print(f"\n{_HONESTLY}")
    out.print(f"\n{_SWITCH}\n\n{_TWO_LINES}")
    out.print(styled("\nNext", "bold"))
    for command in commands:
        out.print(f"  {clean(command)}", soft_wrap=True)


def _telling_example(project: Project, run_id: str, record: str | None) -> dict[str, Any] | None:
    """An item whose critic said something, if there is one: the record's, or one that waits."""
    ids = [*([record] if record else []), *(r.item_id for r in project.reviews(run_id=run_id, limit=12))]
    first = None
    for some_id in ids:
        found = project.trace(some_id)
        first = first or found
        if found["verdicts"] and any(not critique["abstained"] for critique in found["critiques"]):
            return found
    return first


def _first_record(project: Project, run_id: str) -> str | None:
    from solon.store.records.overview import record_ids

    return next(iter(record_ids(project.store, run_id, limit=1)), None)


def _print_way(out: Console, found: dict[str, Any]) -> None:
    """One item's way: seed, draft, critique, verdicts in both orders."""
    from solon.questions import PAIR

    out.print(styled("\nOne item on its way", "bold"))
    out.print(styled(f"  seed:     {shorten(found['seed']['prompt'], _WIDTH)}"))
    names = {}
    for number, candidate in enumerate(found["candidates"], start=1):
        names[candidate["id"]] = f"candidate {number}"
        out.print(styled(f"  {candidate['kind']:<9} {number}: {shorten(candidate['text'] or '', _WIDTH)}"))
    for critique in found["critiques"][:2]:
        said = critique["abstained"] or shorten(_spell_critique(critique), _WIDTH)
        out.print(styled(f"  critique of {names.get(critique['candidate_id'], '?')}: {said}"))
    seats = [verdict["seat"] for verdict in found["verdicts"]]
    for verdict in (v for v in found["verdicts"] if v["seat"] == seats[0]):
        first, second = ("a_id", "b_id") if verdict["order"] in ("AB", "ab", "") else ("b_id", "a_id")
        order = f"{names.get(verdict[first], '?')} shown first, {names.get(verdict[second], '?')} second"
        if verdict["abstained"]:
            said = f"no verdict ({verdict['abstained']})"
        else:
            winner, _ = PAIR.chosen(verdict["outcome"], (verdict["a_id"], verdict["b_id"]))
            said = f"prefers {names[winner]}" if winner in names else verdict["outcome"]
            said += (
                f" (probability of {names.get(verdict['a_id'], '?')}: {verdict['p']:.2f})"
                if verdict["p"] is not None
                else ""
            )
        out.print(styled(f"  verdict:  {order}: the judge {said}"))


def _spell_critique(critique: dict[str, Any]) -> str:
    cited = ", ".join(critique["principles"] or ())
    text = f": {critique['text']}" if critique.get("text") and critique["text"] != "[]" else ""
    return f"{critique['worst']}{f', citing {cited}' if cited else ''}{text}"


def _print_waiting(out: Console, review: Review) -> None:
    out.print(styled("\nA review that waits for a person", "bold"))
    out.print(styled(f"  {review.id}: {shorten(review.prompt, _WIDTH)}"))
    for reason in review.reasons:
        out.print(styled(f"  why: {reason}"))
    for number, candidate in enumerate(review.candidates, start=1):
        out.print(styled(f"  candidate {number} ({candidate.id}): {shorten(candidate.text, _WIDTH)}"))


def _print_record(out: Console, found: dict[str, Any]) -> None:
    record, texts = found["record"], {c["id"]: c["text"] or "" for c in found["candidates"]}
    margin = "-" if record["margin"] is None else f"{record['margin']:.2f}"
    out.print(styled("\nA record that came out", "bold"))
    standing = "provisional" if record["provisional"] else "decided"
    out.print(styled(f"  {record['id']}: route {record['route']}, margin {margin}, {standing}"))
    out.print(styled(f"  chosen:   {shorten(texts.get(record['chosen_id'], ''), _WIDTH)}"))
    out.print(styled(f"  rejected: {shorten(texts.get(record['rejected_id'], ''), _WIDTH)}"))


def next_commands(
    url: str, review: Review | None, record: str | None, *, unfinished: bool = False
) -> list[str]:
    """The exact commands that go on from the demo's store.

    Args:
        review: one that waits.
        record: id of one that was made.
        unfinished: the demo was stopped before its last question.
    """
    solon, store = program(), f"--store {url}"
    commands = [f"{solon} resume {store}"] if unfinished else []
    if review is not None:
        best = review.candidates[0].id
        commands += [
            f"{solon} review show {review.id} {store}",
            f"{solon} review decide {review.id} prefer --candidate {best} {store}",
            f"{solon} resume {store}",
        ]
    if record is not None:
        commands.append(f"{solon} show {record} {store}")
    if review is not None or record is not None:
        folder = f"{FOLDER}/" if url == f"sqlite:///{FOLDER}/solon.db" else ""
        commands.append(f"{solon} export --format trl-preference --output {folder}pairs.jsonl {store}")
    return commands


def program() -> str:
    """How this `solon` is called from here: by its name where the shell finds it, else by its path."""
    script = Path(sys.argv[0])
    if script.name != "solon":
        return "solon"
    found = shutil.which("solon")
    if found is not None and Path(found).resolve() == script.resolve():
        return "solon"
    try:
        return str(script.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(script)
