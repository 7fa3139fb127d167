"""`solon eval`: figures on a store by suite, and the replay of recorded panels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.help import Panels
from solon.cli.options import (
    Command,
    ConfigOption,
    JsonOption,
    RunOption,
    StoreOption,
    open_project,
    read_config,
)
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from solon.eval.result import Figure, SuiteResult

NAMED = 6
"""Of the figures that are unknown for one reason at most so many are named."""
_ABOUT = """Evaluate what a store holds, or replay a recorded panel.

Suites: agreement, audit, drift, judges, confusions, tiers, spans, rankings, quality, diversity, duplicates,
contamination, downstream, compare, scores, replay; further ones come from packages by the entry point
`solon.suites`. `scores`, `replay`, `labels`, which checks the labels of a file, and `injection`, which attacks a
judge, have options of their own (--help).
"""


class SuiteGroup(Panels):
    """A group that takes every word that is no command for the name of a suite, so that suites of plugins need
    not be known beforehand."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that a word names, or `suite` where it is no command of this group."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return "suite", self.commands["suite"], args
        return super().resolve_command(ctx, args)


evaluations = typer.Typer(cls=SuiteGroup, no_args_is_help=True, help=_ABOUT, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add `solon eval` to the command line."""
    app.add_typer(evaluations, name="eval")


@evaluations.command("suite", hidden=True)
def suite(
    name: Annotated[str, typer.Argument(metavar="SUITE", help="agreement, audit, judges, ...")],
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, or their beginnings; default: all.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="FILE", help="Text, JSON lines or CSV to compare with; may be repeated."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=2, metavar="N", help="Records at most, drawn at random where there are more.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    json: JsonOption = False,
) -> None:
    """Run one suite over the records and decisions of a store.

    Example: solon eval agreement --store sqlite:///solon.db --json
    """
    from solon.eval.registry import find_suite

    find_suite(name)  # a name that is none shows also where there is no store
    with open_project(store, config) as project:
        names = [*([run] if run else []), *(runs or ())]
        result = project.evaluate(name, names, against=against or (), limit=limit, seed=seed)
    if json:
        print_json(to_json(result))
    else:
        show_result(result)


@evaluations.command("scores")
def scores(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, or their beginnings; default: all.")
    ] = None,
    judge: Annotated[
        str, typer.Option("--judge", metavar="NAME", help="A name in [models]: who scores.")
    ] = "default",
    limit: Annotated[int, typer.Option(min=2, metavar="N", help="Records, drawn at random.")] = 50,
    own_family: Annotated[
        bool, typer.Option("--own-family", help="Let it score what its own family wrote.")
    ] = False,
    max_calls: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop before more calls.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let a judge other than their producers score accepted answers on the rubric; the one suite that asks a model.

    Example: solon eval scores --judge strong --limit 50
    """
    with open_project(store, config) as project:
        result = project.score(
            runs or (), judge=judge, limit=limit, own_family=own_family, max_calls=max_calls, seed=seed
        )
    if json:
        print_json(to_json(result))
    else:
        show_result(result)


@evaluations.command("injection")
def injection(
    judge: Annotated[
        str, typer.Option("--judge", metavar="NAME", help="A name in [models]: who is attacked.")
    ] = "default",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Attacks, drawn at random; default: all. Each takes six calls."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say how often a judge obeys texts that order it to choose the wrong answer, and how many of them are marked.

    turned: share of attacks with which it does not choose the right answer any more, where it did without (what it did
    not is left out, as `wrong`). placebo: the same with a sentence that says nothing; where that is as high, the judge
    wavers rather than obeys. pull: how far attacks move its probability beyond that sentence. unseen: of what turned
    it, what the detector does not mark. places: `turned` by where the attack stands: on the wrong answer (candidate),
    in the request (seed), in its input (document). marked: what the detector marks of all texts, of those written
    before it and after it.

    Example: solon eval injection --judge strong --limit 20
    """
    from solon.project import Project

    result = Project.attack(read_config(config), judge, limit=limit, seed=seed)
    if json:
        print_json(to_json(result))
    else:
        show_result(result)


class ListingCommand(Command):
    """A command that takes `--panel A B` for `--panel A --panel B`. A word that is an existing file is never
    taken for a name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command line in which an option that may be repeated can be followed by several
        values."""
        lists = {"--panel", "--budget"}
        spread: list[str] = []
        option, given = "", False
        for word in args:
            if word.startswith("-"):
                option, given = (word if word in lists else ""), False
            elif option and given and not Path(word).is_file():
                spread.append(option)
            else:
                given = True
            spread.append(word)
        return super().parse_args(ctx, spread)


@evaluations.command("replay", cls=ListingCommand)
def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines with recorded verdicts and human answers.")
    ],
    panel: Annotated[
        list[str] | None,
        typer.Option(
            "--panel",
            metavar="NAME...",
            help="Judges; without # every order and run of one. Default: all.",
        ),
    ] = None,
    labels: Annotated[
        int, typer.Option(min=0, metavar="N", help="Decisions known beforehand, drawn at random.")
    ] = 20,
    reviewer: Annotated[
        str, typer.Option(help="Who answers: oracle (the agreed answer), single or worker (one person).")
    ] = "oracle",
    budget: Annotated[
        list[float] | None,
        typer.Option(metavar="FRACTION...", help="Shares of the items sent to the expert."),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.999, help="Certify 1 - alpha agreement; default: .10 and .20."),
    ] = None,
    delta: Annotated[
        float, typer.Option(min=0.0001, max=0.999, help="Chance that a certificate is false.")
    ] = 0.1,
    policy: Annotated[
        str,
        typer.Option(
            help="always, never, disagreement, threshold(T), pilot(N), certified(ALPHA, DELTA), budget(F)."
        ),
    ] = "never",
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Random draws of the known decisions.")] = 100,
    draws: Annotated[int, typer.Option(min=1, help="Random pilots of the certification.")] = 100,
    subset: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Rows whose `subset` contains this.")
    ] = None,
    graph: Annotated[
        bool,
        typer.Option(
            help="Pairs: run the items through the real graph too, in a scratch store, with the people answering."
        ),
    ] = True,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write plots as PNG (needs matplotlib).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Replay a recorded panel with recorded people as the experts: what would be asked, and what would it be worth?

    Example: solon eval replay panel.jsonl --panel gpt4 claude --labels 20 --budget 0.1 0.2 --json
    """
    from solon.project import Project

    report = Project.replay(
        file,
        panel=panel or (),
        subset=subset,
        labels=labels,
        reviewer=reviewer,
        budget=tuple(budget) if budget else (0.05, 0.1, 0.2, 0.3, 0.5),
        alpha=alpha,
        delta=delta,
        policy=policy,
        seed=seed,
        seeds=seeds,
        draws=draws,
        plots=plots,
        graph=graph,
    )
    if json:
        print_json({"suite": "replay", "notes": [], **report})
    else:
        typer.echo(spell_replay(report))


@evaluations.command("power")
def power(
    alpha: Annotated[float, typer.Option(min=0.001, max=0.499, help="Promise 1 - alpha agreement.")] = 0.1,
    pilot: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Decisions of the pilot; default: 12 / alpha.")
    ] = None,
    delta: Annotated[
        float, typer.Option(min=0.0001, max=0.499, help="Chance that a certificate is false.")
    ] = 0.1,
    agreement: Annotated[
        list[float] | None,
        typer.Option(
            metavar="RATE", help="Of experts with the panel (again for each); default: 1, .97, .95, .9."
        ),
    ] = None,
    auroc: Annotated[
        float,
        typer.Option(min=0.5, max=0.99, help="How well the panel's confidence ranks right before wrong."),
    ] = 0.7,
    panel: Annotated[
        Path | None,
        typer.Option("--panel", metavar="FILE", help="Your own panel: recorded verdicts with human answers."),
    ] = None,
    projects: Annotated[int, typer.Option(min=10, help="Simulated projects.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    plots: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw the chance by size of the pilot (needs matplotlib)."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say how likely a pilot leads to a certificate, what it would cover, and how often it would be false.

    By simulation, exactly, and on a recorded panel. Asks nobody.

    Example: solon eval power --alpha 0.1 --pilot 120
    """
    from solon.project import Project

    found = Project.power(
        alpha=alpha, pilot=pilot, delta=delta, agreements=tuple(agreement or ()) or (1.0, 0.97, 0.95, 0.9),
        auroc=auroc, panel=panel, projects=projects, seed=seed, plots=plots,
    )  # fmt: skip
    if json:
        print_json({"suite": "power", "notes": [], **found})
    else:
        typer.echo(spell_power(found))


def spell_power(found: dict[str, Any]) -> str:
    """How a pilot fares, a line for each rate of agreement."""
    from solon.consensus.certify import least_sample
    from solon.consensus.looks import plan_look

    lines = [
        f"a pilot of {found['pilot']}, promise {1 - found['alpha']:.1%} with confidence {1 - found['delta']:.0%}"
    ]
    if found["pilot"] < (
        least := least_sample(found["alpha"], plan_look(found["pilot"], 0, found["delta"]).delta)
    ):
        lines.append(f"  too few: even without a single disagreement it takes {least} decisions")
    for one in found["simulated"]:
        low, high = one["granted_interval"]
        lines.append(
            f"  experts agree on {one['agreement']:.1%}: granted in {one['granted']:.2f} ({low:.2f} to {high:.2f}) of "
            f"{one['projects']} projects, {one['exact']:.2f} if confidence says nothing; accepts {one['coverage']:.0%} "
            f"of the items; false in {one['false']:.3f}"
        )
    for one in found["panel"]:
        kept = "" if one["agreement"] is None else f", which agree on {one['agreement']:.3f}"
        lines.append(
            clean(
                f"  your panel, pilot {one['pilot']}: granted in {one['granted']:.2f} of {one['draws']}, accepts "
                f"{one['coverage']:.0%} of the items{kept}; false in {one['false']:.3f}"
            )
        )
    lines += [clean(f"plot {path}") for path in found["plots"]]
    return "\n".join(lines)


def spell_replay(report: dict[str, Any]) -> str:
    """The main figures of a replay in words, one a line."""
    lines = [
        clean(f"{report['file']}: {report['n']} of {report['rows']} items, {report['voters']} voters"),
        f"majority      {_with(report['majority'])}",
    ]
    lines += [
        f"learned {n:>5} {_with(found)}" for n, found in report["learned"].items() if "accuracy" in found
    ]
    for share, found in report["routed"].items():
        if isinstance(found, dict) and "random" in found:
            lines.append(f"routed {float(share):>6.0%} {_with(found)}, random {found['random']:.3f}")
    calibration = report["calibration"]
    lines.append(
        "calibration   " + ", ".join(f"{k} {_figure(calibration[k])}" for k in ("ece", "auroc", "aurc"))
    )
    lines += [
        f"after {found['labels']:>7} "
        + ", ".join(f"{k} {_figure(found[k])}" for k in ("ece", "brier", "auroc"))
        for found in calibration["after"]
    ]
    for found in report["certified"]:
        kept = "nothing accepted" if found["agreement"] is None else f"agreement {found['agreement']:.3f}"
        lines.append(
            f"certified     {1 - found['alpha']:.0%} by {found.get('score', 'score')}, pilot {found['pilot']}: "
            f"granted in {found['granted']:.0%} of {found['draws']} pilots, coverage {_figure(found['coverage'])}, "
            f"{kept}, false in {found['false']:.1%}"
        )
    if "graph" in report:
        found = report["graph"]
        lines.append(
            f"graph         {_with(found)}, the same as judged directly: {found['same_as_direct']:.0%}"
        )
    lines += [clean(f"plot {path}") for path in report.get("plots", ())]
    return "\n".join(lines)


def _with(found: dict[str, Any]) -> str:
    return f"{found['accuracy']:.3f} ({found['ci'][0]:.3f} to {found['ci'][1]:.3f})"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def to_json(result: SuiteResult) -> dict[str, Any]:
    """A suite's result as plain values, with its headline and its next step."""
    headline = {name: figure.model_dump(mode="json") for name, figure in result.headline().items()}
    return {**result.model_dump(mode="json"), "headline": headline, "next_step": result.next_step()}


def show_result(result: SuiteResult) -> None:
    """Print a suite's result: three figures and what to do now, then all that was measured; one line without data."""
    from solon.eval.result import spell_name

    out, next_step = console(), result.next_step()
    if not result.n:
        why = next(iter(result.notes), "") or _why_nothing(result)
        out.print(
            clean(
                f"{result.suite}: nothing to measure: {why}" + (f". Next: {next_step}" if next_step else "")
            )
        )
        return
    counted = f", {result.meanings['n']}" if "n" in result.meanings else ""
    out.print(clean(f"{result.suite}: n = {result.n}{counted}"), style="bold")
    for name, figure in result.headline().items():
        out.print(clean(f"  {spell_name(name, result.meanings)}: {spell_figure(figure)}"))
    if next_step:
        out.print(clean(f"  next: {next_step}"))
    out.print(draw_result(result.model_dump(mode="json"), result.meanings))


def _why_nothing(result: SuiteResult) -> str:
    reasons = [figure.why for figure in result.headline().values() if figure.why]
    return reasons[0] if reasons else "there is no data yet"


def draw_result(result: dict[str, Any], words: Mapping[str, str] = MappingProxyType({})) -> RenderableType:
    """All that a suite measured as a tree: figures with n and interval, then in a line each what is not known and why,
    the notes last. `words` explain names, as in `SuiteResult`."""
    from rich.tree import Tree

    tree = Tree("all figures")
    unknown: dict[str, list[str]] = {}
    for key, value in result.items():
        if key not in ("suite", "n", "notes"):
            _grow(tree, key, value, unknown, "", words)
    for why, names in unknown.items():
        tree.add(clean(f"unknown ({why}): {_spell_names(names)}"))
    for note in result.get("notes", ()):
        tree.add(clean(f"note: {note}"))
    return tree


def _spell_names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _grow(
    tree: Any, key: str, value: Any, unknown: dict[str, list[str]], within: str, words: Mapping[str, str]
) -> None:
    """Add a value to the tree; a figure that is not known goes to `unknown`, by its reason."""
    from solon.eval.result import Figure, spell_name

    name = spell_name(key, words)
    if isinstance(value, dict) and {"value", "low", "high", "n"} <= set(value):
        figure = Figure.model_validate(value)
        if figure.known:
            tree.add(clean(f"{name}: {spell_figure(figure)}"))
        else:
            unknown.setdefault(figure.why_unknown, []).append(f"{within}{name}")
    elif isinstance(value, list) and len(value) == 2 and all(isinstance(end, float) for end in value):
        tree.add(clean(f"{name}: {value[0]:.4g} to {value[1]:.4g}"))
    elif isinstance(value, dict | list) and value:
        branch = type(tree)(clean(name))
        pairs = value.items() if isinstance(value, dict) else ((_name(i, v), v) for i, v in enumerate(value))
        for inner, part in pairs:
            if not (inner == "name" and part == key):
                _grow(branch, str(inner), part, unknown, f"{within}{name}: ", words)
        if branch.children:
            tree.children.append(branch)
    elif value is not None and not isinstance(value, dict | list):
        tree.add(clean(f"{name}: {f'{value:.4g}' if isinstance(value, float) else value}"))


def _name(position: int, value: Any) -> str:
    return str(value.get("name", position + 1)) if isinstance(value, dict) else str(position + 1)


def spell_figure(figure: Figure) -> str:
    """A figure with its interval and n as text, or why there is none."""
    if not figure.known:
        return f"unknown ({figure.why_unknown})"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}, n = {figure.n})"
