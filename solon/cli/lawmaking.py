"""How law changes from the command line: diff, history, import, propose, impact, ratify; for every kind of document."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solon.project import Project
    from solon.project.law import Law
    from solon.store.lawmaking.amendments import AmendmentRow, Standing
    from solon.store.lawmaking.splits import Belonging
    from solon.store.runs.laws import LawVersion

BELONGINGS_SHOWN = 20
FREE = "next: solon rules impact {id} (it replays stored texts and verdicts, and asks no model)"
AmendmentArgument = Annotated[
    str, typer.Argument(metavar="AMENDMENT", help="An amendment's id or its beginning.")
]
OldArgument = Annotated[
    str, typer.Argument(help="NAME, NAME@VERSION, an id, an amendment, a starter or a file.")
]
NewArgument = Annotated[str, typer.Argument(help="The same; default: the one in force.")]
NameArgument = Annotated[str | None, typer.Argument(help="Default: every name.")]
LawFileArgument = Annotated[Path, typer.Argument(help="A YAML file, or a starter's name.")]
DraftArgument = Annotated[
    Path | None,
    typer.Argument(help="Edits, or the whole next document; without: the legislator drafts."),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the version or the vote.")]
SampleOption = Annotated[int, typer.Option(min=1, help="Precedents at most.")]
CallsOption = Annotated[int | None, typer.Option(min=1, help="Stop after so many model calls.")]
CostOption = Annotated[float | None, typer.Option(min=0, help="Stop at this cost.")]
InForceOption = Annotated[
    bool, typer.Option("--in-force", help="Replace the version in force, unmeasured and without a vote.")
]
CiteOption = Annotated[list[str] | None, typer.Option(help="A decision that it rests on.")]
AmendsOption = Annotated[
    str | None, typer.Option(help="What the legislator amends: NAME or an id; default: the configured one.")
]
ModelOption = Annotated[str | None, typer.Option(help="Who drafts; default: the resolver's model.")]
AgainstOption = Annotated[bool, typer.Option("--against", help="Vote against it.")]
OverrideOption = Annotated[
    bool, typer.Option("--override", help="For it although its impact is not green; needs --reason.")
]


def add_commands(group: typer.Typer) -> None:
    """Add the commands that change law to a group; the same functions serve `solon constitution`, `solon rubric` and
    `solon rules`, and the group's name says which it is."""
    for name, command in (
        ("diff", diff),
        ("history", history),
        ("impact", impact),
        ("import", import_file),
        ("propose", propose),
        ("ratify", ratify),
    ):
        group.command(name)(command)


def diff(
    context: typer.Context,
    old: OldArgument,
    new: NewArgument = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say what applies differently.

    Example: solon constitution diff general@1.0.0 general@1.1.0
    """
    with open_project(store, config) as project:
        changes = _law(context, project).diff(old, new)
    if json:
        print_json({"changes": [asdict(change) for change in changes]})
    else:
        typer.echo("\n".join(clean(change) for change in changes) or "no difference")


def history(
    context: typer.Context,
    name: NameArgument = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List every version that was in force, and every amendment.

    Example: solon constitution history general
    """
    with open_project(store, config) as project:
        found = _law(context, project).history(name)
    known, drafts, splits = found.versions, found.amendments, found.splits
    if json:
        rows = [_plain_version(version, splits.get(version.id, {})) for version in known]
        print_json({"versions": rows, "amendments": [_plain(a) for a in drafts]})
    else:
        lines = [line for v in known for line in _spell_version(v, splits.get(v.id, {}))]
        lines += [_spell_draft(amendment) for amendment in drafts]
        typer.echo("\n".join(clean(line) for line in lines))


def impact(
    context: typer.Context,
    amendment: AmendmentArgument,
    store: StoreOption = None,
    config: ConfigOption = None,
    sample: SampleOption = 200,
    max_calls: CallsOption = None,
    max_cost: CostOption = None,
    json: JsonOption = False,
) -> None:
    """Let the panel re-judge earlier decisions under a draft, and say what it would change.

    Example: solon constitution impact 0194c0 --sample 100
    """
    with open_project(store, config) as project:
        law = _law(context, project)
        found = law.impact(amendment, sample=sample, max_calls=max_calls, max_cost=max_cost)
    belongs, unseen = found.belongs, found.belongs_unseen
    if json:
        told = {"belongs": [asdict(one) for one in belongs], "belongs_unseen": unseen}
        print_json({**_plain(found.amendment), "flips": found.flips, **told})
    else:
        lines = [_spell(found.amendment, len(found.flips)), *_spell_belongings(belongs, unseen)]
        typer.echo("\n".join(lines))


def import_file(
    context: typer.Context,
    file: LawFileArgument,
    in_force: InForceOption = False,
    reason: ReasonOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Bring a document into force: the first of its name at once, a later one only with --in-force and a reason.

    Example: solon constitution import clinic.yaml
    """
    with open_project(store, config, create=True) as project:
        made = _law(context, project).import_(file, in_force=in_force, reason=reason)
    if json:
        print_json({"id": made.id, "name": made.name, "version": made.version})
    else:
        typer.echo(clean(f"{made.kind} {made.name} {made.version} is in force"))


def propose(
    context: typer.Context,
    file: DraftArgument = None,
    cite: CiteOption = None,
    reason: ReasonOption = "",
    amends: AmendsOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Draft an amendment: from a file, or let the legislator read the decisions that the law does not cover.

    Example: solon constitution propose units.yaml
    """
    with open_project(store, config) as project:
        law = _law(context, project)
        drafted = law.propose(file, cites=cite or (), reason=reason, amends=amends, model=model)
    show_drafts(drafted.amendments, drafted.problems, json=json)


def show_drafts(made: Sequence[AmendmentRow], problems: list[str], *, json: bool) -> None:
    """Print drafts, and why there are no others."""
    if json:
        print_json({"amendments": [_plain(a) for a in made], "problems": problems})
        return
    told = problems or ([] if made else ["no cluster of decisions calls for a rule"])
    told += [FREE.format(id=a.id) for a in made if a.kind == "rules"]
    typer.echo("\n".join([*(_spell(amendment, 0) for amendment in made), *(clean(p) for p in told)]))


def ratify(
    context: typer.Context,
    amendment: AmendmentArgument,
    against: AgainstOption = False,
    override: OverrideOption = False,
    reason: ReasonOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Vote as the lead whose token SOLON_TOKEN holds; the vote that completes the quorum brings it into force.

    Example: SOLON_TOKEN=... solon constitution ratify 0194c0
    """
    with open_project(store, config) as project:
        law = _law(context, project)
        standing = law.ratify(amendment, against=against, override=override, reason=reason)
    if json:
        print_json(asdict(standing))
    else:
        typer.echo(clean(_told(standing)))


def _law(context: typer.Context, project: Project) -> Law:
    """The kind of law of the group in which a command was called."""
    kinds: dict[str | None, Law] = {"rubric": project.rubrics, "rules": project.rulebook}
    return kinds.get(context.parent.info_name if context.parent else None, project.constitutions)


def _told(standing: Standing) -> str:
    return f"it still needs: {standing.missing}" if standing.missing else standing.state


def _spell_belongings(belongs: Sequence[Belonging], unseen: int) -> list[str]:
    lines = [
        clean(f"  {one.decision_id[:12]} cited {one.cited}: may belong to {' or '.join(one.may)}")
        for one in belongs[:BELONGINGS_SHOWN]
    ]
    more = len(belongs) - len(lines)
    lines += [f"  and {more} more decisions cited it; --json gives all"] if more else []
    return lines + ([f"  {unseen} decisions that cited it are held out"] if unseen else [])


def _plain_version(version: LawVersion, splits: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    columns = ("id", "name", "version", "scope", "status", "author", "reason", "in_force_at")
    return {**{column: getattr(version, column) for column in columns}, "splits": splits}


def _spell_version(version: LawVersion, splits: dict[str, tuple[str, ...]]) -> list[str]:
    v = version
    line = f"{v.id[:12]}  {v.name} {v.version}  {v.status}  {v.scope}  {v.author}: {v.reason}"
    return [line, *(f"  split {old} into {', '.join(parts)}" for old, parts in splits.items())]


def _spell_draft(amendment: AmendmentRow) -> str:
    a = amendment
    return f"amendment {a.id}  {a.name} -> {a.document.version}  {a.state} {a.verdict or ''}"


def _plain(amendment: AmendmentRow) -> dict[str, Any]:
    names = ("id", "kind", "name", "state", "verdict", "proposer", "reason", "cites", "overrules", "warnings")
    return {
        **{name: getattr(amendment, name) for name in names},
        "version": amendment.document.version,
        "impact": amendment.impact,
        "stale_records": amendment.stale_records,
    }


def _spell_rules(found: dict[str, Any]) -> list[str]:
    """The figures of each new rule and of those that go, where an amendment is of rules."""
    new, gone = found.get("rules", ()), found.get("gone", ())
    told = {rule["id"] for rule in gone}
    return [
        *(f"  rule {_spell_rule(rule)}" for rule in new),
        *(f"  repealed {_spell_rule(rule)}" for rule in gone),
        *(f"  repealed: {name}" for name in found.get("repealed", ()) if name not in told),
    ]


def _spell_rule(rule: dict[str, Any]) -> str:
    low, high = rule["precision"]
    return (
        f"{rule['id']}: matches {rule['spoke']} of {rule['n']} unseen decisions, right on {rule['right']} "
        f"({low:.2f} to {high:.2f}), against another rule on {rule['conflicts']}; {rule['says']}"
    )


def _spell(amendment: AmendmentRow, flips: int) -> str:
    from solon.store.lawmaking.precedents import WORN

    lines = [
        f"amendment {amendment.id}: {amendment.name} -> {amendment.document.version} ({amendment.state})"
    ]
    lines += [f"  {amendment.reason}", f"  rests on {len(amendment.cites)} decisions"]
    lines += [f"  look at this: {warning}" for warning in amendment.warnings]
    found = amendment.impact
    if found is not None:
        for part, figures in found["parts"].items():
            if figures["n"]:
                low, high = figures["interval"]
                lines.append(
                    f"  {part}: {figures['before']:.0%} -> {figures['after']:.0%} of {figures['n']} "
                    f"({figures['gained']} gained, {figures['lost']} lost, change {low:+.0%} to {high:+.0%})"
                )
        lines += _spell_rules(found)
        lines.append(f"  {found['verdict']}: {found['why']}")
        if worn := found.get("worn"):
            lines.append(
                f"  worn: {worn} held-out decisions measure nothing more, since {WORN} drafts were measured on each; "
                "decisions made from now on do"
            )
        lines.append(
            f"  {found['calls']} calls made, {found['from_journal']} known; {flips} flips to look at"
        )
        if found["stopped"]:
            lines.append(f"  stopped early: {found['stopped']}")
    return "\n".join(clean(line) for line in lines)
