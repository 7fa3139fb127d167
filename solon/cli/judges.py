"""`solon judges`: which judges of a panel are admitted, by experts' labels and by probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from solon.eval.admission import JudgeStanding, Standings
    from solon.eval.probes import ProbeCost, ProbeFigure
    from solon.eval.suites.confusions import Confusions

WIDEST = 12
"""Rows and columns of a table of confusions; the JSON has all of them."""
_STANDING = {"admitted": "admitted", "probation": "on probation", "refused": "refused"}


def register(app: typer.Typer) -> None:
    """Add `solon judges` to the command line."""
    app.command("judges")(judges)


def judges(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id or its beginning; default: the newest.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    probe: Annotated[
        int,
        typer.Option(
            "--probe",
            min=0,
            metavar="N",
            help="Plant biases on N judged items, and say first what that costs.",
        ),
    ] = 0,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --probe: ask the models, now that the cost is known.")
    ] = False,
    confusions: Annotated[
        bool,
        typer.Option(
            "--confusions",
            help="Show instead what each judge, and each person who votes, confuses with what.",
        ),
    ] = False,
    max_calls: Annotated[int | None, typer.Option(min=1, help="Stop after so many model calls.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop at this cost.")] = None,
    json: JsonOption = False,
) -> None:
    """Tell for each judge how often it is right, with bounds, and whether it is admitted, on probation or refused.

    Example: solon judges --probe 40
    """

    if confusions:
        with open_project(store, config) as project:
            counted = project.evaluate("confusions", [run] if run else [])
        if json:
            print_json(counted.model_dump(mode="json"))
        else:
            show_confusions(cast("Confusions", counted))
        return

    def tell(cost: ProbeCost) -> None:
        typer.echo(spell_cost(cost), err=True)
        if not yes:
            raise _NotAsked

    with open_project(store, config) as project:
        try:
            found = project.judges(run, probe=probe, max_calls=max_calls, max_cost=max_cost, on_cost=tell)
        except _NotAsked:
            typer.echo("no model was asked: say --yes, now that you know what it costs", err=True)
            found = project.judges(run)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        typer.echo(spell_standings(found))


class _NotAsked(Exception):
    """The cost was told, and nobody has agreed to it."""


def show_confusions(found: Confusions) -> None:
    """Print a table for each voter: a row for each right outcome, a column for each that was given."""
    from rich.table import Table

    out = console()
    if not found.n:
        out.print("nothing is known of what anybody confuses: no vote has a known answer")
        out.print("next: golden questions (`solon golden import FILE`), or answers of leads and experts")
        return
    for voter in [*([found.people] if found.people else []), *found.voters]:
        right = voter.right
        told = f"right on {right.value or 0:.1%} (95% {right.low:.1%} to {right.high:.1%}, n = {right.n})"
        given = sorted({name for row in voter.counts.values() for name in row} | set(voter.counts))[:WIDEST]
        out.print(clean(f"{voter.name}: {told}"), soft_wrap=True)
        table = Table("right \\ given", *map(clean, given), "n")
        for name, row in list(voter.counts.items())[:WIDEST]:
            table.add_row(clean(name), *(str(row.get(one, "")) for one in given), str(sum(row.values())))
        out.print(table)
    for note in found.notes:
        out.print(clean(f"note: {note}"))


def spell_cost(cost: ProbeCost) -> str:
    """What probes take, in words."""
    money = "at an unknown cost (no price for a model)" if cost.cost is None else f"for about {cost.cost:.4f}"
    return f"probes on {cost.items} items: {cost.calls} model calls at most, {money}"


def spell_standings(found: Standings) -> str:
    """How every judge stands, in words."""
    lines = [f"run {found.run}: {found.labels} labels of experts on items drawn at random"]
    if found.others:
        lines[0] += f"; {found.others} others are left out, since verdicts brought the items to people"
    for judge in found.judges:
        lines += _spell_judge(judge)
    if found.probed is not None:
        probed = found.probed
        spent = "cost unknown" if probed.spent is None else f"cost {probed.spent:.4f}"
        lines.append(f"probes: {probed.calls} calls made, {probed.from_journal} known; {spent}")
        if probed.stopped:
            lines.append(f"  stopped early: {probed.stopped}")
    lines.append(f"next: {found.next_step()}")
    return "\n".join(clean(line) for line in lines)


def _spell_judge(judge: JudgeStanding) -> list[str]:
    told = ", without weight in the version in force" if judge.weightless else ""
    lines = [f"{judge.judge}: {_STANDING[judge.standing]}{told}: {judge.why}"]
    for outcome, rate in judge.rates.items():
        if rate.value is not None:
            share = f"right on {rate.right} of {rate.n} ({rate.value:.2f})"
            lines.append(f"  {outcome}: {share}, at least {rate.low:.2f} (exact, 95%)")
    return [*lines, *(_spell_probe(figure) for figure in judge.probes)]


def _spell_probe(figure: ProbeFigure) -> str:
    effect = figure.effect
    told = "found" if figure.found else "not found"
    return (
        f"  probe {figure.probe}: {told}; moved {figure.moved} of {figure.n}, its placebo {figure.placebo}; "
        f"beyond that {effect.value or 0.0:+.2f} (95% {effect.low:+.2f} to {effect.high:+.2f})"
    )
