"""`solon run`, `solon resume` and `solon status`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.interrupts import Stopper
from solon.cli.learn import spell_more
from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import DONE, FAILED, STOPPED, WAITING, console, print_json, say, spell_path
from solon.display.progress import ProgressDisplay, spell_seconds
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.config import Config
    from solon.graphs.runner import Runner
    from solon.project import Project
    from solon.store.runs.run_row import RunRow
    from solon.workspace.views import RunSummary

ConcurrencyOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Items in flight; default: what suits the models.")
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="MONEY",
        help="Stop where the run, all sessions together, has cost so much; needs [models.*.price].",
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Stop where the run, all sessions together, has taken so many tokens."
    ),
]
MaxCallsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Stop before the run, all sessions together, sends more requests; every try counts.",
    ),
]
MaxTimeOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Stop where the run, all sessions together, has worked so long: 8h, 1h30m."
    ),
]
EngineOption = Annotated[
    str, typer.Option("--engine", metavar="local|ray", help="ray: on a cluster (needs solon[ray]).")
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="ADDRESS", help="Ray cluster, e.g. auto; default: one on this machine."
    ),
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, metavar="N", help="Workers on the cluster; 0: one a CPU.")
]

LIMITS = {"--max-calls": "calls", "--max-tokens": "tokens", "--max-cost": "cost", "--max-time": "time"}
"""Option -> the key in [limits] that says the same."""


def register(app: typer.Typer) -> None:
    """Add `solon run`, `solon resume` and `solon status` to the command line."""
    app.command("run")(run)
    app.command("resume")(resume)
    app.command("status")(status)


def run(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe: `solon recipes` lists them.")],
    seeds: Annotated[Path, typer.Option("--seeds", metavar="FILE", help="JSONL, CSV or Parquet.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Take the first N good seeds; go on later without it."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="In place of [routing] policy: who asks people, and when."),
    ] = None,
    concurrency: ConcurrencyOption = None,
    new_run: Annotated[
        bool, typer.Option("--new-run", help="Begin a new run even where there is one over these seeds.")
    ] = False,
    reuse: Annotated[
        str | None, typer.Option(metavar="RUN", help="Do not repeat equal calls that this earlier run made.")
    ] = None,
    ask_again: Annotated[
        bool, typer.Option("--ask-again", help="Ask people also what they decided in an earlier run.")
    ] = False,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    max_calls: MaxCallsOption = None,
    max_time: MaxTimeOption = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = 0,
    json: JsonOption = False,
) -> None:
    """Turn seeds into records; what the agents cannot decide waits for a person.

    The same recipe, seeds and configuration go on with the last run; nothing that is done is done again.

    Example: solon run preference --seeds seeds.jsonl --limit 20 --max-calls 500
    """
    overrides = {
        "routing.policy": policy,
        "run.concurrency": concurrency,
        "limits.cost": max_cost,
        "limits.tokens": max_tokens,
        "limits.calls": max_calls,
        "limits.time": max_time,
    }
    if engine not in ("local", "ray"):
        raise UsageError(f"there is no engine {engine!r}", next_step="write --engine local or --engine ray")
    with open_project(store, config, create=True, recipe=recipe, overrides=overrides) as project:
        if engine == "ray":
            begun = project.load(
                recipe, seeds, limit=limit, new_run=new_run, reuse=reuse, ask_again=ask_again
            )
            _tell_aside(seeds, project.config)
            _tell_models(project, begun.recipe, project.config)
            finish(project, _on_cluster(project, begun, address, workers), json, store)
        display = ProgressDisplay()
        stopper = Stopper(display.restore_terminal)

        def begin(runner: Runner) -> None:
            stopper.watch(runner)
            say(_plan(runner))
            _tell_aside(seeds, runner.config)
            _tell_models(project, recipe, runner.config)
            _tell_pilot(runner)

        with display:
            summary = stopper.run(
                lambda: project.arun(
                    recipe,
                    seeds,
                    limit=limit,
                    new_run=new_run,
                    reuse=reuse,
                    ask_again=ask_again,
                    on_progress=display.show,
                    on_runner=begin,
                ),
                tick=display.tick,
            )
        finish(project, summary, json, store)


def _tell_models(project: Project, recipe: str, config: Config) -> None:
    """Before the first call: that the built-in model acts, where it does."""
    if note := config.builtin_note(project.recipe(recipe).roles):
        say(f"note: {note}")


def _tell_aside(seeds: Path, config: Config) -> None:
    """Before the first call: which columns look like content and are shown to nobody."""
    from solon.workspace.seeds import tell_content_aside

    if note := tell_content_aside(seeds, config):
        say(clean(f"note: {note}"))


def _tell_pilot(runner: Runner) -> None:
    """Before the first call: how likely a certificate is, where it is not."""
    from solon.operations.planning.promise import warn_of_pilot

    with runner.store.connect() as connection:
        items = sum(runner.count_states(connection).values())
    if runner.recipe.has_panel and (note := warn_of_pilot(runner.config.routing, items)):
        say(f"note: {note}")


def _on_cluster(project: Project, begun: RunRow, address: str | None, workers: int) -> RunSummary:
    from rich.progress import Progress

    from solon.operations.cluster import run_on_ray

    with Progress(console=console(error=True), transient=True) as bar:
        task = bar.add_task(f"run {begun.id}", total=None)

        def show(counts: Mapping[str, int]) -> None:
            total = sum(counts.values())
            bar.update(task, total=total, completed=total - counts["queued"] - counts["running"])

        return run_on_ray(project, begun, address=address, workers=workers, on_counts=show)


def resume(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id; default: the newest.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    concurrency: ConcurrencyOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    max_calls: MaxCallsOption = None,
    max_time: MaxTimeOption = None,
    adopt_recipe: Annotated[
        bool,
        typer.Option(
            "--adopt-recipe", help="Go on under the recipe of your own as it is now, not as it was."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Apply decisions and go on with a run, under the configuration that it was started with.

    Without RUN decisions on items of older runs are applied, too; nothing else of those runs is begun.

    Example: solon resume
    """
    overrides = {
        "run.concurrency": concurrency,
        "limits.cost": max_cost,
        "limits.tokens": max_tokens,
        "limits.calls": max_calls,
        "limits.time": max_time,
    }
    with open_project(store, config, overrides=overrides) as project:
        if adopt_recipe:
            say(f"adopted: {project.adopt_recipe(run) or 'the shipped recipe'}")
        display = ProgressDisplay()
        stopper = Stopper(display.restore_terminal)

        def begin(runner: Runner) -> None:
            stopper.watch(runner)
            _tell_models(project, runner.run.recipe, runner.config)

        with display:
            summary = stopper.run(
                lambda: project.aresume(run, on_progress=display.show, on_runner=begin),
                tick=display.tick,
            )
        finish(project, summary, json, store)


def status(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id; default: all runs.")] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Say what N answers would leave of the queue; default: [routing] budget."
        ),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say where the runs of a store stand. Reads only; also while a run is under way.

    Example: solon status --json
    """
    from solon.store.records.overview import failure_reasons, spell_failures
    from solon.store.records.release_sets import count_taken_back
    from solon.store.runs.runs import all_runs, find_run

    with open_project(store, config) as project:
        with project.store.connect() as connection:
            rows = [find_run(connection, run)] if run else all_runs(connection)
            taken_back = count_taken_back(connection)
        summaries = [project.summarize(row.id, budget=budget) for row in rows]
        reasons = {row.id: failure_reasons(project.store, row.id) for row in rows}
        url = project.store.url
    if json:
        runs = [
            {**asdict(s), "status": row.status, "seeds": row.seeds_name, "created_at": row.created_at}
            for s, row in zip(summaries, rows, strict=True)
        ]
        waiting = sum(s.pending_review for s in summaries)
        print_json({"store": url, "pending_review": waiting, "runs": runs, "taken_back": taken_back})
        return
    if not summaries:
        say("no run yet; begin with `solon run`")
    for summary, row in zip(summaries, rows, strict=True):
        seeds = spell_path(row.seeds_name)
        print_summary(summary, title=f"run {row.id} ({row.recipe}, {seeds}): {row.status}")
        for line in spell_failures(reasons[row.id]):
            console().print(clean(f"  {line}"))
    for name, n in taken_back.items():
        answers = "1 answer about its records was" if n == 1 else f"{n} answers about its records were"
        told = f"release {name}: {answers} taken back since it was written, and not given again as before"
        console().print(clean(f"{told}; `solon release verify {name}` says whether its promise still holds"))


def exit_code(summary: RunSummary, without_drafts: int = 0) -> int:
    """The exit code of a run: 0 done, 1 nothing but failures and rejected items `without_drafts` that can be used, 3
    done with reviews waiting, 4 stopped by a limit or a signal."""
    if summary.stopped_because:
        return STOPPED
    failed = summary.failed - summary.held
    nothing = not (summary.accepted or summary.pending_review or summary.held)
    if nothing and failed + without_drafts and summary.rejected <= without_drafts:
        return FAILED
    return WAITING if summary.pending_review or summary.held else DONE


def finish(project: Project, summary: RunSummary, json: bool, store: str | None) -> None:
    """Print the summary, say what to do next, and leave with the run's exit code."""
    from solon.store.records.overview import count_without_drafts

    empty = summary.rejected and not summary.accepted
    code = exit_code(summary, count_without_drafts(project.store, summary.run_id) if empty else 0)
    if json:
        print_json({**asdict(summary), "exit_code": code})
    else:
        print_summary(summary, title=f"run {summary.run_id} ({summary.recipe})")
    for line in next_steps(project, summary, store):
        say(line)
    raise typer.Exit(code)


def print_summary(summary: RunSummary, *, title: str) -> None:
    """Print the summary of a run: counts that add up, spending, and what to look at."""
    from solon.workspace.views import spell_queue

    out = console()
    out.print(clean(title), style="bold")
    provisional = f" ({summary.provisional} provisional)" if summary.provisional else ""
    counts = [
        f"{summary.accepted} accepted{provisional}",
        f"{summary.rejected} rejected",
        summary.spell_waiting(),
        f"{summary.failed - summary.held} failed" + (f" ({summary.parked} parked)" if summary.parked else ""),
    ]
    if summary.forgotten:
        counts.append(f"{summary.forgotten} forgotten")
    if summary.held:
        counts.append(f"{summary.held} held by the privacy scan")
    if summary.queued:
        counts.append(f"{summary.queued} not done yet")
    out.print(f"  {summary.items} items: {', '.join(counts)}")
    out.print(
        f"  {summary.model_calls} model calls, {summary.spell_spending()}, {spell_seconds(summary.seconds)} of work"
    )
    if dropped := summary.spell_filtered():
        out.print(f"  filters: {dropped}")
    for line in summary.spell_unusable():
        out.print(f"  {line}")
    if summary.budget_round is not None:
        out.print(f"  budget: {summary.budget_round}")
    if summary.queue is not None:
        out.print(clean(f"  queue: {spell_queue(summary.queue)}"))
    if disputed := summary.spell_disputed():
        out.print(f"  {disputed} (`solon review list --state disputed`)")
    if out_of_set := summary.spell_taken_out():
        out.print(f"  learning took out of the set {out_of_set}")
    for line in spell_trust(summary):
        out.print(clean(f"  {line}"))
    if summary.bad_rows:
        out.print(clean(f"  {summary.bad_rows} bad rows, by line and reason: {summary.bad_rows_file}"))
    if summary.carried:
        out.print(f"  {summary.carried} decisions carried over from earlier runs (--ask-again asks anew)")
    if summary.decisions_to_apply:
        out.print(
            f"  {summary.decisions_to_apply} decisions wait for a worker (`solon resume`, `solon worker`)"
        )
    for run_id, applied in (summary.earlier_runs or {}).items():
        out.print(f"  run {run_id}: {applied} decisions of this earlier run applied")
    if summary.worker is not None:
        at = summary.worker["at"]
        since = f", {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(at))}" if at else ""
        out.print(clean(f"  they were not applied: {summary.worker['why']}{since}"))
    for note in summary.notes:
        out.print(clean(f"  {note}"))
    if summary.stopped_because:
        out.print(clean(f"  stopped: {summary.stopped_because}"))


def spell_trust(summary: RunSummary) -> list[str]:
    """What is promised of the accepted records, what is known of unsafe ones, and whether more decisions pay,
    in words."""
    from solon.consensus.target import read_target

    lines = []
    promise, unsafe, more = summary.promise, summary.unsafe, summary.more_decisions
    if promise is not None:
        ceiling = promise["ceiling"]
        people = f"; experts agree with each other on {ceiling:.0%}" if ceiling is not None else ""
        lines.append(
            f"promise: at least {promise['agreement']:.0%} agreement with {read_target(promise['target'])}, with "
            f"confidence {promise['confidence']:.0%}, from confidence {promise['threshold']:.3f} on{people}"
        )
    if summary.suspended is not None:
        lines.append(summary.suspended["told"])
    if unsafe and (promise is not None or unsafe["audited"] or unsafe["known"]):
        rate = (
            f"{unsafe['flagged']} of {unsafe['audited']} audited, at most {unsafe['at_most']:.1%} (exact, 95%)"
            if unsafe["audited"]
            else "none was audited, so nothing bounds it"
        )
        lines.append(f"flagged unsafe among accepted: {rate}; known: {unsafe['known']}")
    if more is not None:
        lines.append(spell_more(more))
    return lines


def next_steps(project: Project, summary: RunSummary, store: str | None) -> list[str]:
    """The commands that a person may want to run now."""
    from solon.graphs.versions import outdated_threads
    from solon.store.records.overview import failure_reasons, spell_failures
    from solon.store.reviewing.deliveries import runs_with_deliveries
    from solon.store.runs.items import queued_elsewhere

    steps, at = [], f" --store {store}" if store else ""
    if summary.bad_rows and summary.bad_rows_file:
        steps.append(f"bad rows: {summary.bad_rows}, see {summary.bad_rows_file}")
    found = failure_reasons(project.store, summary.run_id)
    steps += spell_failures(found)
    if found:
        steps.append(f"one of them in full: solon show {found[0].example}{at}")
    if summary.parked or summary.queued or summary.decisions_to_apply:
        more, why = _more_room(summary)
        steps.append(f"go on: solon resume{more}{at}{why}")
    with project.store.connect() as connection:
        waiting = runs_with_deliveries(connection)
        queued = queued_elsewhere(connection, summary.run_id)
    steps += [
        f"{n} decisions of run {run_id} wait: solon resume {run_id}{at}"
        for run_id, n in waiting.items()
        if run_id != summary.run_id
    ]
    steps += [
        f"{n} items of run {run_id} can go on: solon resume {run_id}{at}" for run_id, n in queued.items()
    ]
    older = outdated_threads(project.store, project.recipes)
    if older:
        steps.append(f"{older} waiting items stand in an older graph: solon migrate-threads{at}")
    if summary.held:
        steps.append(f"privacy: {summary.held} seeds wait for a named person: solon privacy list{at}")
    if summary.pending_review:
        steps.append(f"answer: solon review list{at}")
    if summary.accepted:
        steps.append(f"take out: solon export --format jsonl --output records.jsonl{at}")
    return steps


def _more_room(summary: RunSummary) -> tuple[str, str]:
    """What to add to `solon resume`, and why, where a limit stopped the run: with the same it would stop at once."""
    limit, _, reached = (summary.stopped_because or "").rpartition(" ")
    option, _, most = limit.partition(" ")
    if reached != "reached" or option not in LIMITS:
        return "", ""
    why = f"with N above {most}, since it counts the whole run; in solon.toml it is `{LIMITS[option]}` of [limits]"
    return f" {option} N", f"   # {why}"


def _plan(runner: Runner) -> str:
    """What the run is going to call, before the first call."""
    from solon.operations.recipes import planned_calls, tell_unscored
    from solon.recipes.makers import Given
    from solon.store.runs.items import count_judged_elsewhere, count_replayed

    recipe = runner.recipe
    least = 0 if isinstance(recipe.maker, Given) else recipe.question.asked(runner.config).shown
    with runner.store.connect() as connection:
        counts = runner.count_states(connection)
        again = count_replayed(connection, runner.run.id)
        judged = count_judged_elsewhere(connection, runner.run.id, least) if recipe.has_panel else 0
    left = sum(counts[state] for state in ("queued", "running", "parked"))
    least, calls = planned_calls(runner.recipe, runner.config)
    left, to_do = left - again - judged, left - again
    routed = f"; {again} are routed again from the answers that are there" if again else ""
    each = f"up to {calls}" if least == calls else f"{least} to {calls}"
    whole = f"{left * calls}" if least == calls else f"{left * least} to {left * calls}"
    unscored = tell_unscored(runner.recipe, runner.config)
    debates = ", debates" if runner.config.consensus.debate and runner.recipe.can_debate else ""
    rubrics = ", drafted rubrics" if runner.recipe.drafts_rubrics else ""
    brought = f"{judged} of them judged by the verdicts that their seeds bring; the others " if judged else ""
    return (
        f"run {runner.run.id}: {to_do} of {sum(counts.values())} items to do, {brought}{each} model calls each "
        f"({whole} in all) before redrafts{rubrics}{debates} and the resolver{routed}"
        + (unscored and f"\n{unscored}")
    )
