"""`solon expert add|list|test|trust|revoke|rotate|link` and `solon audit verify`: people, and what they did."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from solon.cli.options import open_project

app = typer.Typer(help="Who may answer reviews.", no_args_is_help=True)
audit_app = typer.Typer(help="The sealed log of what everyone did.", no_args_is_help=True)

StoreUrl = Annotated[str | None, typer.Option("--store", help="URL of the store", envvar="SOLON_STORE")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]


def _several(value: str) -> list[str]:
    return [part for part in value.replace(";", ",").split(",") if part.strip()]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="how leads see this person")],
    role: Annotated[str, typer.Option(help="worker (answers are votes), expert, lead or admin")] = "expert",
    specialty: Annotated[str, typer.Option(help="fields, separated by commas")] = "",
    language: Annotated[str, typer.Option(help="languages, separated by commas, e.g. en,de")] = "",
    credential: Annotated[str, typer.Option(help="e.g. MD, board certified")] = "",
    trust: Annotated[
        str, typer.Option(help="proven (answers decide) or unproven (they are votes); default: by the role")
    ] = "",
    email: Annotated[str, typer.Option(help="for the daily digest (`solon review notify`)")] = "",
    ready: Annotated[
        bool | None,
        typer.Option(
            "--ready/--new",
            help="answers at once, or begins with guidelines, practice and calibration; "
            "default: as `onboarding` in [review] says",
        ),
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a person. Their token is shown this once; it is stored hashed.

    Example: solon expert add "Dr Ada Lind" --specialty cardiology
    """
    with open_project(store, create=True) as project:
        token = project.experts.add(
            name,
            role=role,
            specialties=_several(specialty),
            languages=_several(language),
            credential=credential,
            trust=trust,
            email=email,
            ready=ready,
        )
        expert = project.acting_expert(token)
    _show_token(expert, token, "added", as_json)


@app.command("list")
def list_command(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List everyone, by name.

    Example: solon expert list
    """
    with open_project(store) as project:
        found = project.experts.list()
    if as_json:
        typer.echo(json.dumps({"experts": [_plain(expert) for expert in found]}))
        return
    for expert in found:
        fields = ", ".join(expert.specialties) or "any field"
        languages = ", ".join(expert.languages) or "any language"
        revoked = "  (revoked)" if expert.revoked_at else ""
        votes = "" if expert.believed().final else "  votes"
        revoked += f"  (in {expert.stage})" if expert.stage != "proven" else ""
        typer.echo(f"{expert.name}  {expert.role}{votes}  {fields}  {languages}{revoked}")
    if not found:
        typer.echo("nobody yet: solon expert add NAME", err=True)


@app.command("test")
def check_command(
    wanted: Annotated[
        float | None, typer.Option(help="share of right answers; default: `wanted` in [reviewers]")
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Test everybody on golden questions against a wanted level, and tell who may not read. Nobody is blocked.

    Example: solon expert test --wanted 0.85
    """
    from solon.learning.people import SIGNS

    with open_project(store) as project:
        found = project.experts.test(wanted)
    if as_json:
        people = [{**asdict(one), "verdict": one.verdict, "alarms": one.alarms} for one in found.people]
        typer.echo(json.dumps({**asdict(found), "people": people}))
        return
    for one in found.people:
        level = one.level
        low, high = level.interval
        typer.echo(
            f"{one.name}  {level.right} of {level.n} right ({low:.2f} to {high:.2f})  {one.verdict}  "
            f"power {level.power[0]:.2f} at {found.better:.2f}, {level.power[1]:.2f} at {found.worse:.2f}"
        )
        for kind in one.alarms:
            sign = one.signs[kind]
            typer.echo(f"  look: {SIGNS[kind]} ({sign.count} of {sign.n}, p {sign.p:.3f})")
    typer.echo(
        f"wanted {found.wanted:.2f}; {found.tested} tested, p-values adjusted for that (Holm)", err=True
    )


@app.command("trust")
def trust_command(
    name: str,
    trust: Annotated[str, typer.Argument(help="proven, unproven, or measured: by role and comparisons")],
    store: StoreUrl = None,
) -> None:
    """Say whether a person's decisions are final (proven) or votes (unproven).

    Example: solon expert trust "Dr Ada Lind" proven
    """
    with open_project(store) as project:
        expert = project.experts.trust(name, trust)
    final = expert.believed().final
    typer.echo(f"{expert.name}: {'decisions are final' if final else 'answers are votes'}")


@app.command("revoke")
def revoke(name: str, store: StoreUrl = None) -> None:
    """End a person's access at once. What they decided stays.

    Example: solon expert revoke "Dr Ada Lind"
    """
    with open_project(store) as project:
        expert = project.experts.revoke(name)
    typer.echo(f"{expert.name}: access revoked")


@app.command("rotate")
def rotate(name: str, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Give a person a new token; the old one ends at once. It is still the same person.

    Example: solon expert rotate "Dr Ada Lind"
    """
    with open_project(store) as project:
        token = project.experts.rotate(name)
        expert = project.acting_expert(token)
    _show_token(expert, token, "has a new token", as_json)


@app.command("link")
def link(
    name: str,
    address: Annotated[
        str | None,
        typer.Option(help="address of the review server (default: as configured, or where one ran last)"),
    ] = None,
    store: StoreUrl = None,
) -> None:
    """Print a login link that works once, for ten minutes.

    Example: solon expert link "Dr Ada Lind" --address https://reviews.example.org
    """
    with open_project(store) as project:
        typer.echo(project.experts.link(name, address=address))


@audit_app.callback()
def _group() -> None:
    """The sealed log of what everyone did."""


@audit_app.command("verify")
def verify_command(
    head: Annotated[str | None, typer.Option(help="a seal noted earlier, which must still be there")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check every seal of the audit log. Exit code 1 where something was changed, dropped or cut off.

    Example: solon audit verify
    """
    with open_project(store) as project:
        report = project.verify_audit(head)
    if as_json:
        fields = ("intact", "entries", "head", "problem", "at_entry")
        typer.echo(json.dumps({field: getattr(report, field) for field in fields}))
    elif report.intact:
        typer.echo(f"intact: {report.entries} entries, head {report.head}")
    else:
        where = f" at entry {report.at_entry}" if report.at_entry else ""
        typer.echo(f"broken{where}: {report.problem}", err=True)
    if not report.intact:
        raise typer.Exit(1)


def _show_token(expert: object, token: str, told: str, as_json: bool) -> None:
    plain = _plain(expert)
    if as_json:
        typer.echo(json.dumps({**plain, "token": token}))
        return
    typer.echo(f"{plain['name']} {told}. The token is shown this once:", err=True)
    typer.echo(token)


def _plain(expert: object) -> dict[str, object]:
    names = (
        "id",
        "name",
        "role",
        "specialties",
        "languages",
        "credential",
        "trust",
        "stage",
        "measured",
        "revoked_at",
    )
    return {name: getattr(expert, name) for name in names}
