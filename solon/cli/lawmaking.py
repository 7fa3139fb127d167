"""How law changes from the command line: diff, history, import, propose, impact, ratify; for both kinds of document."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import clean, print_json

if TYPE_CHECKING:
    from solon.law.documents import Constitution, Rubric
    from solon.project import Project
    from solon.store.amendments import AmendmentRow, Standing
    from solon.store.experts import ExpertRow
    from solon.store.laws import Kind

TOKEN_VARIABLE = "SOLON_TOKEN"
AmendmentArgument = Annotated[
    str, typer.Argument(metavar="AMENDMENT", help="An amendment's id or its beginning.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the version or the vote.")]


def add_commands(group: typer.Typer, kind: Kind) -> None:
    """Give the commands to `solon constitution` or `solon rubric`."""
    _add_reading(group, kind)
    _add_writing(group, kind)


def _add_reading(group: typer.Typer, kind: Kind) -> None:
    @group.command("diff")
    def diff(
        old: Annotated[
            str, typer.Argument(help="NAME, NAME@VERSION, an id, an amendment, a starter or a file.")
        ],
        new: Annotated[str, typer.Argument(help="The same; default: the one in force.")] = "",
        store: StoreOption = None,
        config: ConfigOption = None,
        json: JsonOption = False,
    ) -> None:
        """Say what applies differently.

        Example: solon constitution diff general@1.0.0 general@1.1.0
        """
        from solon.law.documents import diff as compare

        with open_project(store, config) as project:
            changes = compare(_document(project, kind, old), _document(project, kind, new))  # type: ignore[type-var]
        if json:
            plain = [
                {name: getattr(c, name) for name in ("action", "id", "field", "old", "new")} for c in changes
            ]
            print_json({"changes": plain})
        else:
            typer.echo("\n".join(clean(change) for change in changes) or "no difference")

    @group.command("history")
    def history(
        name: Annotated[str | None, typer.Argument(help="Default: every name.")] = None,
        store: StoreOption = None,
        config: ConfigOption = None,
        json: JsonOption = False,
    ) -> None:
        """List every version that was in force, and every amendment.

        Example: solon constitution history general
        """
        from solon.store.amendments import list_amendments
        from solon.store.laws import history as versions

        with open_project(store, config) as project, project.store.connect() as connection:
            known = versions(connection, kind, name)
            drafts = [a for a in list_amendments(connection, kind=kind) if name in (None, a.name)]
        columns = ("id", "name", "version", "scope", "status", "author", "reason", "in_force_at")
        rows = [{column: getattr(v, column) for column in columns} for v in known]
        if json:
            print_json({"versions": rows, "amendments": [_plain(a) for a in drafts]})
            return
        for row in rows:
            typer.echo(
                clean("{id:.12}  {name} {version}  {status}  {scope}  {author}: {reason}".format(**row))
            )
        for a in drafts:
            typer.echo(
                clean(f"amendment {a.id}  {a.name} -> {a.document.version}  {a.state} {a.verdict or ''}")
            )

    @group.command("impact")
    def impact(
        amendment: AmendmentArgument,
        store: StoreOption = None,
        config: ConfigOption = None,
        sample: Annotated[int, typer.Option(min=1, help="Precedents at most.")] = 200,
        max_calls: Annotated[int | None, typer.Option(min=1, help="Stop after so many model calls.")] = None,
        max_cost: Annotated[float | None, typer.Option(min=0, help="Stop at this cost.")] = None,
        json: JsonOption = False,
    ) -> None:
        """Let the panel re-judge earlier decisions under a draft, and say what it would change.

        Example: solon constitution impact 0194c0 --sample 100
        """
        from solon.legislating import measure_impact
        from solon.store.amendments import visible_flips

        with open_project(store, config) as project:
            work = measure_impact(
                project.store,
                project.config,
                amendment,
                by=_proposer(project),
                sample=sample,
                max_calls=max_calls,
                max_cost=max_cost,
            )
            found = asyncio.run(work)
            with project.store.connect() as connection:
                flips = visible_flips(connection, found)
        if json:
            print_json({**_plain(found), "flips": flips})
        else:
            typer.echo(_spell(found, len(flips)))


def _add_writing(group: typer.Typer, kind: Kind) -> None:
    @group.command("import")
    def import_file(
        file: Annotated[Path, typer.Argument(help="A YAML file, or a starter's name.")],
        in_force: Annotated[
            bool,
            typer.Option("--in-force", help="Replace the version in force, unmeasured and without a vote."),
        ] = False,
        reason: ReasonOption = "",
        store: StoreOption = None,
        config: ConfigOption = None,
        json: JsonOption = False,
    ) -> None:
        """Bring a document into force: the first of its name at once, a later one only with --in-force and a reason.

        Example: solon constitution import clinic.yaml
        """
        from solon.legislating import import_law

        with open_project(store, config, create=True) as project:
            document = _load(kind, str(file))
            made = import_law(
                project.store, document, by=_proposer(project), replace_in_force=in_force, reason=reason
            )
        if json:
            print_json({"id": made.id, "name": made.name, "version": made.version})
        else:
            typer.echo(clean(f"{kind} {made.name} {made.version} is in force"))

    @group.command("propose")
    def propose(
        file: Annotated[
            Path | None,
            typer.Argument(help="Edits, or the whole next document; without: the legislator drafts."),
        ] = None,
        cite: Annotated[list[str] | None, typer.Option(help="A decision that it rests on.")] = None,
        reason: ReasonOption = "",
        amends: Annotated[
            str | None,
            typer.Option(help="What the legislator amends: NAME or an id; default: the configured one."),
        ] = None,
        model: Annotated[str | None, typer.Option(help="Who drafts; default: the resolver's model.")] = None,
        store: StoreOption = None,
        config: ConfigOption = None,
        json: JsonOption = False,
    ) -> None:
        """Draft an amendment: from a file, or let the legislator read the decisions that the law does not cover.

        Example: solon constitution propose units.yaml
        """
        from solon import legislating

        problems: list[str] = []
        with open_project(store, config) as project:
            if file is not None:
                about = {"kind": kind, "cites": cite or [], "reason": reason}
                text, by = _read(file), _proposer(project)
                made = [
                    legislating.propose(project.store, project.config, text, source=str(file), by=by, **about)
                ]
            else:
                drafted = asyncio.run(
                    legislating.legislate(project.store, project.config, kind=kind, named=amends, model=model)
                )
                made, problems = drafted.amendments, drafted.problems
        if json:
            print_json({"amendments": [_plain(a) for a in made], "problems": problems})
            return
        for amendment in made:
            typer.echo(_spell(amendment, 0))
        for problem in problems or ([] if made else ["no cluster of decisions calls for a rule"]):
            typer.echo(clean(problem))

    @group.command("ratify")
    def ratify(
        amendment: AmendmentArgument,
        against: Annotated[bool, typer.Option("--against", help="Vote against it.")] = False,
        override: Annotated[
            bool, typer.Option("--override", help="For it although its impact is not green; needs --reason.")
        ] = False,
        reason: ReasonOption = "",
        store: StoreOption = None,
        config: ConfigOption = None,
        json: JsonOption = False,
    ) -> None:
        """Vote as the lead whose token SOLON_TOKEN holds; the vote that completes the quorum brings it into force.

        Example: SOLON_TOKEN=... solon constitution ratify 0194c0
        """
        from solon.store.amendments import vote

        with open_project(store, config) as project:
            lead = _lead(project)
            with project.store.transaction() as connection:
                standing = vote(
                    project.store,
                    connection,
                    amendment,
                    lead,
                    in_favour=not against,
                    override=override,
                    reason=reason,
                    quorum=project.config.law.quorum,
                )
        if json:
            print_json(
                {name: getattr(standing, name) for name in ("state", "in_favour", "needed", "missing")}
            )
        else:
            typer.echo(clean(_told(standing)))


def _told(standing: Standing) -> str:
    return f"it still needs: {standing.missing}" if standing.missing else standing.state


def _load(kind: Kind, source: str) -> Constitution | Rubric:
    from solon.law.documents import load_constitution, load_rubric

    return load_constitution(source) if kind == "constitution" else load_rubric(source)


def _document(project: Project, kind: Kind, named: str) -> Constitution | Rubric:
    from solon.errors import UsageError
    from solon.legislating import law_in_force
    from solon.store.amendments import find_amendment
    from solon.store.laws import find_version

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


def _expert(project: Project) -> ExpertRow | None:
    from solon.errors import UsageError
    from solon.store.experts import TokenCheck

    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        return None
    found = TokenCheck(project.store).check(token)
    if found is None:
        raise UsageError(
            f"{TOKEN_VARIABLE} holds no valid token", next_step="`solon expert rotate` makes a new one"
        )
    return found


def _lead(project: Project) -> ExpertRow:
    from solon.errors import UsageError

    found = _expert(project)
    if found is None:
        raise UsageError(
            "a vote needs a lead's own token",
            next_step=f"set {TOKEN_VARIABLE} to it and run the command again",
        )
    return found


def _proposer(project: Project) -> str:
    from solon.preparing import local_actor

    found = _expert(project)
    return found.actor if found is not None else local_actor()


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
