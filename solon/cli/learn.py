"""`solon learn`: make the next consensus version from decisions, or say what was learned so far."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import print_json
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.learning import LearningResult
    from solon.learning.growing import PilotGrowth
    from solon.project import Project


def register(app: typer.Typer) -> None:
    """Add `solon learn` to the command line."""
    app.command("learn")(learn)


def learn(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id or its beginning; default: the newest.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    status: Annotated[
        bool, typer.Option("--status", help="Learn nothing: show versions, certificates, looks and audits.")
    ] = False,
    more: Annotated[
        int | None,
        typer.Option(
            "--more",
            metavar="N",
            help="Let the pilot grow by N items or more, to the size of the next planned look; `solon resume` asks.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --more: draw them, now that it is known what they cost.")
    ] = False,
    carry: Annotated[
        bool,
        typer.Option(
            "--carry",
            help="Ask random probes that bring an earlier certificate back after a change of panel, model, prompt, law "
            "or seeds; repeat it, or `solon learn`, when they are answered.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make the next consensus version from all counted decisions and try to certify it; `solon resume` moves on.

    Example: solon learn --status
    """
    with open_project(store, config) as project:
        if more is not None:
            _agree_to_cost(project, project.extend_pilot(run, more, dry_run=True), yes=yes, asks=not json)
            grown = project.extend_pilot(run, more)
            if json:
                print_json(asdict(grown))
            else:
                typer.echo(clean(str(grown)))
            return
        if carry:
            carried = project.carry_certificate(run)
            if json:
                print_json(carried.to_json())
            else:
                typer.echo(clean(f"{carried}\nsuspended since: {carried.why}"))
            return
        if status:
            found = project.learned(run)
            if json:
                print_json(found)
            else:
                typer.echo(spell_status(found))
            return
        learned = project.learn(run)
    if json:
        print_json(learned.to_json())
    else:
        typer.echo(spell_learned(learned))


def _agree_to_cost(project: Project, grown: PilotGrowth, *, yes: bool, asks: bool) -> None:
    """Say what further questions cost the experts, and go on only where somebody agrees.

    Raises:
        UsageError: nobody agreed.
    """
    from solon.operations.planning.answers import minutes_of_growth

    minutes = minutes_of_growth(project, grown)
    low, likely, high = minutes.spell(0)
    whence = (
        "as answers took so far" if minutes.source == "measured" else "assumed by the length of the texts"
    )
    told = (
        f"{grown.asked} further questions for experts, up to {grown.look} of {grown.items} items: "
        f"about {likely} minutes of their time, second answers included ({low} to {high}, {whence})"
    )
    typer.echo(told, err=True)
    if yes or (asks and sys.stdin.isatty() and typer.confirm("draw them?", err=True)):
        return
    raise UsageError("nothing was drawn", next_step="add --yes, now that you know what it costs")


def spell_learned(learned: LearningResult) -> str:
    """What a round of learning did, in words."""
    from solon.consensus.target import read_target
    from solon.formats.records import plain_model

    lines = [clean(learned.why)]
    if learned.by_votes:
        lines.append(f"votes of people now settle {learned.by_votes} that waited")
    if learned.version is None:
        resume = f"`solon resume` carries {learned.moved_items} items on"
        return "\n".join([*lines, *([resume] if learned.moved_items else [])])
    lines.append(f"version {learned.version}: fitted on {learned.fitted_on} decisions")
    if learned.told:
        lines.append(clean(f"learned of the judges: {learned.told}"))
    if learned.refused_judges:
        named = ", ".join(plain_model(name) for name in learned.refused_judges)
        lines.append(clean(f"refused, no better than chance and without weight: {named}; see `solon judges`"))
    certificate = learned.certificate
    if certificate is None:
        waits = (
            learned.awaits or f"{learned.certified_on} decisions of the sample, no more than at the last one"
        )
        lines.append(clean(f"no look was taken: {waits}"))
    elif learned.refused:
        lines.append(f"certificate refused: {clean(learned.refused)}")
    else:
        lines.append(
            f"certificate {certificate['id']}: at least {1 - certificate['alpha']:.0%} agreement with "
            f"{read_target(certificate['target'])}, shown with confidence {1 - certificate['delta']:.0%}, "
            f"{spell_cuts(certificate)}"
        )
    lines += [clean(f"  {told}") for told in learned.strata]
    lines.append(
        f"moved: {learned.queued_adopted} queued items follow the version, {learned.settled} waiting ones are settled, "
        f"{learned.confirmed} records are confirmed"
    )
    if learned.taken_out:
        lines.append(f"out of the set: {learned.taken_out}; they are judged or asked anew")
    if learned.stopping is not None:
        lines.append(spell_more(learned.stopping))
    if learned.moved_items:
        cost = (
            ", and asks the next tier of judges where it must" if learned.tiers > 1 else ", at no model cost"
        )
        lines.append(f"`solon resume` carries {learned.moved_items} items on{cost}")
    return "\n".join(lines)


def spell_more(more: dict[str, Any]) -> str:
    """Whether more decisions pay, and why; `more` as of `consensus.stop.Stopping`."""
    pays = more.get("pays", not more["stop"])  # versions of earlier Solons did not note it
    told = "whether more decisions pay cannot be told yet"
    if pays is not None:
        told = "more decisions still pay" if pays else "more decisions stop paying"
    return f"{told}: {more['why']}"


def spell_cuts(certificate: dict[str, Any]) -> str:
    """The confidence from which a certificate accepts, in words; of a cascade for each tier."""
    tiers = certificate.get("tiers")
    if not tiers:
        return f"from confidence {certificate['threshold']:.3f} on"
    told = [
        f"tier {tier} nothing"
        if found["threshold"] is None
        else f"tier {tier} from {found['threshold']:.3f} on"
        for tier, found in enumerate(tiers)
    ]
    return ", ".join(told)


def spell_status(found: dict[str, Any]) -> str:
    """What was learned so far, in words."""
    lines = [clean(f"run {found['run_id']}: {found['recipe']}, policy {found['policy']}")]
    lines.append(f"decisions that count: {found['counted']} ({found['not_counted']} others teach nothing)")
    for version in found["versions"]:
        lines.append(
            f"  version {version['number']} {version['kind']}: {version['decisions']} decisions, {version['made_at']}"
        )
        if version["told"]:
            lines.append(clean(f"    {version['told']}"))
    if not found["versions"]:
        lines.append("  no version was learned yet: the prior is in force")
    for look in found["looks"]:
        cut = None if look["status"] == "suspended" else look["threshold"]
        shown = look["why"] if cut is None else f"from confidence {cut:.3f} on; {look['why']}"
        lines.append(
            clean(
                f"  look {look['look']} at {look['sample']} decisions, {look['status']}"
                f" (delta spent {look['spent_delta']:.4f}): {shown}"
            )
        )
    in_force = found["in_force"]
    lines.append(
        clean(f"in force: {in_force['id']}, {in_force['promise']}")
        if in_force
        else "in force: no certificate; what is accepted is provisional"
    )
    lines += [clean(f"  {told}") for told in found["strata"]]
    if found["suspended"]:
        lines.append(clean(f"  {found['suspended']['told']}"))
    audit = found["audit"]
    rate = "-" if audit["rate"] is None else f"{audit['rate']:.2f}"
    low, high = audit["always"]
    since = " since the newest certificate" if audit["certificate"] else ""
    lines.append(
        f"audits{since}: {audit['agreed']} of {audit['n']} agreed ({rate}, {low:.2f} to {high:.2f} over all looks): "
        f"{audit['state']}"
    )
    lines.append(f"  {audit['why']}")
    unsafe = found["unsafe"]
    lines.append(
        f"flagged unsafe among accepted: {unsafe['flagged']} of {unsafe['audited']} audited in the whole run,"
        f" at most {unsafe['at_most']:.1%} (exact, 95%); known: {unsafe['known']}"
    )
    lines += [clean(f"ALARM, agreement fell {told}") for told in found["fallen"]]
    more = found["more_decisions"]
    if more is not None:
        lines.append(spell_more(more))
    return "\n".join(lines)
