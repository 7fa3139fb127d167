"""How law changes from the command line: diff, history, import, propose, impact, ratify; for both kinds of document."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solon.law.documents import Constitution, Rubric
    from solon.project import Project
    from solon.store.lawmaking.amendments import AmendmentRow, Standing
    from solon.store.lawmaking.splits import Belonging
    from solon.store.reviewing.experts import ExpertRow
    from solon.store.runs.laws import Kind, LawVersion

BELONGINGS_SHOWN = 20
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
    """Add the commands that change law to a group; the same functions serve `solon constitution` and `solon
    rubric`, and the group's name says which it is."""
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
    from solon.law.documents import diff as compare

    kind = _kind(context)
    with open_project(store, config) as project:
        changes = compare(_document(project, kind, old), _document(project, kind, new))  # type: ignore[type-var]
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
    from solon.store.lawmaking.amendments import list_amendments
    from solon.store.lawmaking.splits import split_notes
    from solon.store.runs.laws import history as versions

    kind = _kind(context)
    with open_project(store, config) as project, project.store.connect() as connection:
        known = versions(connection, kind, name)
        drafts = [a for a in list_amendments(connection, kind=kind) if name in (None, a.name)]
    splits = split_notes(known)
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
    from solon.lawmaking.drafting import measure_impact
    from solon.store.lawmaking.amendments import visible_flips

    with open_project(store, config) as project:
        limits: dict[str, Any] = {"sample": sample, "max_calls": max_calls, "max_cost": max_cost}
        by = project.actor()
        found = asyncio.run(measure_impact(project.store, project.config, amendment, by=by, **limits))
        with project.store.connect() as connection:
            flips = visible_flips(connection, found)
        belongs, unseen = _belongings(project, found)
    if json:
        told = {"belongs": [asdict(one) for one in belongs], "belongs_unseen": unseen}
        print_json({**_plain(found), "flips": flips, **told})
    else:
        typer.echo("\n".join([_spell(found, len(flips)), *_spell_belongings(belongs, unseen)]))


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
    from solon.lawmaking.drafting import import_law

    kind = _kind(context)
    with open_project(store, config, create=True) as project:
        document = _load(kind, str(file))
        made = import_law(
            project.store, document, by=project.actor(), replace_in_force=in_force, reason=reason
        )
    if json:
        print_json({"id": made.id, "name": made.name, "version": made.version})
    else:
        typer.echo(clean(f"{kind} {made.name} {made.version} is in force"))


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
    from solon.lawmaking import drafting

    kind, problems = _kind(context), list[str]()
    with open_project(store, config) as project:
        if file is not None:
            about: dict[str, Any] = {
                "kind": kind,
                "cites": cite or [],
                "reason": reason,
                "by": project.actor(),
            }
            text = _read(file)
            made = [drafting.propose(project.store, project.config, text, source=str(file), **about)]
        else:
            work = drafting.legislate(project.store, project.config, kind=kind, named=amends, model=model)
            drafted = asyncio.run(work)
            made, problems = drafted.amendments, drafted.problems
    if json:
        print_json({"amendments": [_plain(a) for a in made], "problems": problems})
        return
    told = problems or ([] if made else ["no cluster of decisions calls for a rule"])
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
    from solon.store.lawmaking.amendments import vote

    with open_project(store, config) as project:
        lead = _lead(project)
        about: dict[str, Any] = {"in_favour": not against, "override": override, "reason": reason}
        quorum = project.config.law.quorum
        with project.store.transaction() as connection:
            standing = vote(project.store, connection, amendment, lead, quorum=quorum, **about)
    if json:
        print_json(asdict(standing))
    else:
        typer.echo(clean(_told(standing)))


def _kind(context: typer.Context) -> Kind:
    """Which of the two groups a command was called in."""
    group = context.parent
    return "rubric" if group is not None and group.info_name == "rubric" else "constitution"


def _told(standing: Standing) -> str:
    return f"it still needs: {standing.missing}" if standing.missing else standing.state


def _load(kind: Kind, source: str) -> Constitution | Rubric:
    from solon.law.documents import load_constitution, load_rubric

    return load_constitution(source) if kind == "constitution" else load_rubric(source)


def _document(project: Project, kind: Kind, named: str) -> Constitution | Rubric:
    from solon.errors import UsageError
    from solon.lawmaking.drafting import law_in_force
    from solon.store.lawmaking.amendments import find_amendment
    from solon.store.runs.laws import find_version

    with project.store.connect() as connection:
        if not named:
            return law_in_force(connection, project.config, kind).document
        found = find_version(connection, kind, named)
        if found is not None:
            return found.document
        try:
            return find_amendment(connection, named).document
        except UsageError:
            return _load(kind, named)


def _read(file: Path) -> str:
    from solon.errors import UsageError

    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", next_step="give a YAML file") from None


def _lead(project: Project) -> ExpertRow:
    from solon.errors import UsageError
    from solon.store.reviewing.experts import TOKEN_VARIABLE

    found = project.acting_expert()
    if found is None:
        raise UsageError(
            "a vote needs a lead's own token",
            next_step=f"set {TOKEN_VARIABLE} to it and run the command again",
        )
    return found


def _belongings(project: Project, amendment: AmendmentRow) -> tuple[Sequence[Belonging], int]:
    """Decisions that cited what the draft splits, and how many more may not be told."""
    from solon.store.lawmaking.splits import belongings
    from solon.store.runs.laws import load_version

    with project.store.connect() as connection:
        base = load_version(connection, amendment.kind, amendment.base_id).document
        unseen = amendment.state == "ratified"
        return belongings(connection, base, amendment.document, unseen=unseen)


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


def _spell(amendment: AmendmentRow, flips: int) -> str:
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
        lines.append(f"  {found['verdict']}: {found['why']}")
        lines.append(
            f"  {found['calls']} calls made, {found['from_journal']} known; {flips} flips to look at"
        )
        if found["stopped"]:
            lines.append(f"  stopped early: {found['stopped']}")
    return "\n".join(clean(line) for line in lines)
