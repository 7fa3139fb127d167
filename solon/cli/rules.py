"""`solon rules`: what the rules cover, where they conflict, how often they are right; and rules as law."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli import lawmaking
from solon.cli.evaluate import to_json
from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project, read_config
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from solon.eval.result import Figure
    from solon.eval.rules import RatifiedRule, Rules

NAMED = 2
"""Of the rules that one speaks against, so many are named."""


group = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Tell for each rule what it covers, where others speak too or against it, and how often experts agree with "
    "it. Its commands draft rules from decisions, measure them and make them law.\n\n"
    "Example: solon rules --seeds texts.jsonl",
)


def register(app: typer.Typer) -> None:
    """Add `solon rules` to the command line."""
    lawmaking.add_commands(group)
    app.add_typer(group, name="rules")


@group.callback()
def rules(
    context: typer.Context,
    seeds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Try on these texts the rules that a new run takes: the configured ones and, where there is a store, "
            "the ratified ones. No model is asked.",
        ),
    ] = None,
    run: RunOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Without a command: print the figures of the rules."""
    if context.invoked_subcommand is not None:
        return
    if seeds is not None:
        found = _try_on(seeds, store, config)
    else:
        with open_project(store, config) as project:
            found = project.rules(run or ())
    if json:
        print_json(to_json(found))
    else:
        show_rules(found)


def _try_on(seeds: Path, store: str | None, config: Path | None) -> Rules:
    from solon.errors import NoStore
    from solon.eval.rules import try_rules

    try:
        project = open_project(store, config)
    except NoStore:  # and so nothing was ratified
        return try_rules(read_config(config, store), seeds)
    with project:
        return project.rules(seeds=seeds)


@group.command("leave-out")
def leave_out(
    amendment: lawmaking.AmendmentArgument,
    names: Annotated[list[str], typer.Argument(metavar="RULE...", help="New rules of it to leave out.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Propose a draft again without some of its rules, to be measured anew.

    Example: solon rules leave-out 0194c0 card-number transfer-office
    """
    with open_project(store, config) as project:
        made = project.rulebook.leave_out(amendment, names)
    lawmaking.show_drafts([made], [], json=json)


@group.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="rules@VERSION, an id, or an amendment; default: in force."),
    ] = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the ratified rules, or those of a draft, as YAML; copy it to propose the next version.

    Example: solon rules show
    """
    from solon.law.documents import dump_yaml

    with open_project(store, config) as project:
        document = project.rulebook.show(name or None)
    if json:
        print_json({"fingerprint": document.fingerprint(), **document.model_dump(mode="json")})
    else:
        typer.echo(clean(dump_yaml(document)), nl=False)


def show_rules(found: Rules) -> None:
    """Print the table of rules, those that never match, and what to do now."""
    from rich.table import Table

    out = console()
    if found.rules:
        table = Table("rule", "label", "covers", "overlap", "conflict", "against", "right", box=None)
        for rule in found.rules:
            more = [*(f"{name} ({n})" for name, n in rule.against.items())]
            against = ", ".join(more[:NAMED]) + (
                f" and {len(more) - NAMED} more" if len(more) > NAMED else ""
            )
            label = ", ".join(rule.labels[:NAMED]) or "-"
            figures = map(_share_of, (rule.coverage, rule.overlap, rule.conflict))
            table.add_row(
                *map(clean, (rule.name, label, *figures, against or "-", spell_precision(rule.precision)))
            )
        out.print(table)
        covered, several, split = map(_share, (found.covered, found.several, found.split))
        out.print(f"{found.n} texts: {covered} covered, {several} by several rules, {split} in conflict")
    lines = [_spell_origin(rule) for rule in found.by_law]
    lines += [f"never matches: {name}" for name in found.never]
    lines += [f"not tried: {name}: {why}" for name, why in found.left_out.items()]
    for line in (*lines, *found.notes, f"next: {found.next_step()}"):
        out.print(clean(line))


def _spell_origin(rule: RatifiedRule) -> str:
    by = (
        f"amendment {rule.amendment}, ratified by {', '.join(rule.ratified_by)}"
        if rule.amendment
        else "import"
    )
    held_out = spell_precision(rule.held_out)
    came = f"law: {rule.name} ({rule.says}), {by}, in force since {rule.since}; right on unseen decisions: {held_out}"
    return f"{came}; {rule.spell_repeal()}" if not rule.in_force else came


def _share(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.0%}"


def _share_of(figure: Figure) -> str:
    """A share and of how many texts it is one: each column has another number."""
    return "-" if figure.value is None else f"{_share(figure)} of {figure.n}"


def spell_precision(figure: Figure) -> str:
    """How often a rule is right, with its interval and n, however few they are."""
    if figure.value is None:
        return "-"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f}, n = {figure.n})"
