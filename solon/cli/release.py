"""`solon release`: frozen exports that can be rebuilt and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from solon.cli.export import (
    AsOfOption,
    ConstitutionOption,
    DropOption,
    RequireCleanOption,
    name_runs,
    spell_left_out,
    tell_cautions,
)
from solon.cli.options import (
    AllRunsOption,
    ConfigOption,
    JsonOption,
    OneRunOption,
    StoreOption,
    open_project,
)
from solon.cli.terminal import DONE, FAILED, WAITING, print_json
from solon.display.text import clean

releases = typer.Typer(
    no_args_is_help=True, help="Frozen exports that can be rebuilt and compared.", rich_markup_mode=None
)
FOLDER = Path("releases")
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A release in releases/, or the folder of one.")
]
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add `solon release` to the command line."""
    app.add_typer(releases, name="release")


@releases.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, once and for all.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    format: Annotated[str, typer.Option("--format", "-f", help="As of `solon export`.")] = "jsonl",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Default: releases/NAME.")
    ] = None,
    run: OneRunOption = None,
    all_runs: AllRunsOption = False,
    recipe: Annotated[str | None, typer.Option(help="Records of this recipe only.")] = None,
    constitution: ConstitutionOption = None,
    as_of: AsOfOption = None,
    min_margin: Annotated[
        float | None, typer.Option(help="Leave out records with a smaller margin, and those that have none.")
    ] = None,
    certified_only: Annotated[
        bool, typer.Option("--certified-only", help="Leave out provisional records.")
    ] = False,
    extra_column: Annotated[
        list[str] | None, typer.Option(help="As of `solon export`; may be given again.")
    ] = None,
    test_fraction: Annotated[
        float, typer.Option(help="Split off this share of the seed groups as NAME.test.EXT.")
    ] = 0.0,
    require_clean: RequireCleanOption = None,
    drop_contaminated: DropOption = False,
    promise: Annotated[
        float | None,
        typer.Option(help="Promise that this share of the records agrees with the experts, e.g. 0.95."),
    ] = None,
    confidence: Annotated[float, typer.Option(help="With a promise: how sure it is.")] = 0.9,
    slips: Annotated[
        int, typer.Option(help="With a promise: disagreements that its first sample leaves room for.")
    ] = 2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With a promise: only say what would be asked.")
    ] = False,
    settle: Annotated[
        bool,
        typer.Option(
            "--settle",
            help="With a smaller promise than was planned: write it, though open answers could show the larger one.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Freeze what an export would write now: ids, hashes, versions, certificates, prompts, models, the log's head.

    With --promise the set is frozen, a random sample of what experts have not decided is put to them, and the same
    command writes the release once that is answered.

    Example: solon release create 2026-11 --format trl-preference --promise 0.95 --confidence 0.9
    """
    with open_project(store, config) as project:
        manifest = project.releases.create(
            name,
            output,
            format=format,
            run_id=run,
            recipe=recipe,
            all_runs=all_runs,
            constitution=constitution,
            as_of=as_of,
            min_margin=min_margin,
            certified_only=certified_only,
            extra_columns=extra_column or (),
            test_fraction=test_fraction,
            require_clean=require_clean or (),
            drop_contaminated=drop_contaminated,
            promise=promise,
            confidence=confidence,
            slips=slips,
            dry_run=dry_run,
            settle=settle,
        )
    if "export" not in manifest:
        _tell_asked(manifest, json=json)
    name_runs(manifest["export"]["runs"], manifest["export"]["left_out"])
    tell_cautions(manifest["export"]["cautions"])
    if json:
        print_json({**manifest, "folder": str(output or FOLDER / name)})
        return
    for file in manifest["export"]["files"]:
        typer.echo(clean(f"{file['path']}: {file['rows']} rows, sha256 {file['sha256']}"))
    for line in spell_left_out(manifest["export"]["left_out"]):
        typer.echo(f"  {line}")
    typer.echo(clean(f"  {manifest['rows']['records']} records frozen in {output or FOLDER / name}"))
    if "promise" in manifest:
        for line in (manifest["promise"]["sentence"], *manifest["promise"]["arithmetic"]):
            typer.echo(clean(f"  {line}"))


def _tell_asked(found: dict[str, Any], *, json: bool) -> NoReturn:
    """Say what a promise waits for, and end with the code of waiting; of a dry run, that it is done."""
    asked = found["promise"]
    code = WAITING if asked["state"] == "asked" else DONE
    if json:
        print_json(found)
        raise typer.Exit(code)
    for line in asked["told"]:
        typer.echo(clean(f"  {line}"))
    if code == WAITING:
        typer.echo(
            f"  frozen {asked['frozen_at']}: {asked['answered']} of {asked['asked']} answered, {asked['slips']} "
            f"disagree; {asked['waiting']} wait for experts: `solon review serve`, then the same command again"
        )
    raise typer.Exit(code)


@releases.command("withdraw")
def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the set that is frozen.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Give up a set that is frozen for a promise; its open reviews leave the queue.

    Example: solon release withdraw 2026-11
    """
    with open_project(store, config) as project:
        withdrawn = project.releases.withdraw(name)
    if json:
        print_json({"name": name, "withdrawn": withdrawn})
    else:
        typer.echo(clean(f"{name}: given up, {withdrawn} reviews left the queue"))


@releases.command("sign")
def sign(
    name: NameArgument, store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Sign, as a lead by the token in SOLON_TOKEN, for what a release promises.

    Example: solon release sign 2026-11
    """
    with open_project(store, config) as project:
        signature = project.releases.sign(name)
    if json:
        print_json(signature)
        return
    typer.echo(clean(f"signed by {signature['name']}, {signature['at']}: {signature['sentence']}"))
    typer.echo("  It does not say")
    for line in signature["does_not_say"]:
        typer.echo(clean(f"  - {line}"))


@releases.command("verify")
def verify(
    name: NameArgument, store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Check the seal and the hashes, rebuild every file from the store without network or model, compare the bytes.

    Example: solon release verify 2026-11
    """
    with open_project(store, config) as project:
        found = project.releases.verify(name)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        for check in found.checks:
            typer.echo(clean(f"{'ok    ' if check.passed else 'FAILED'}  {check.name}: {check.told}"))
    raise typer.Exit(DONE if found.passed else FAILED)


@releases.command("push")
def push(
    name: NameArgument,
    repository: Annotated[
        str, typer.Argument(metavar="REPOSITORY", help="OWNER/NAME of the data set on the hub.")
    ],
    store: StoreOption = None,
    config: ConfigOption = None,
    public: Annotated[
        bool, typer.Option("--public", help="Everyone may read it; otherwise it is private.")
    ] = False,
    existing: Annotated[
        bool, typer.Option("--existing", help="Add to a repository that is there, in place of making one.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent: files, sizes, card, repository.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Send a release that verifies to the Hugging Face Hub, with the token in HF_TOKEN. Needs solon[hub].

    What a hub has is out of reach of `solon forget`.

    Example: solon release push 2026-11 my-org/preferences --dry-run
    """
    from solon.eval.releases.hub import check_repository

    check_repository(repository)
    with open_project(store, config) as project:
        found = project.releases.push(name, repository, public=public, existing=existing, dry_run=dry_run)
    if json:
        print_json(found.model_dump(mode="json"))
        return
    kind = "private" if found.private else "public"
    typer.echo(clean(f"{found.release} {'to' if dry_run else 'is in'} the {kind} data set {found.url}"))
    for file in found.files:
        typer.echo(clean(f"  {file.path}: {file.bytes} bytes"))
    typer.echo(clean(found.card) if dry_run else clean(f"  commit {found.commit}"))
    if dry_run:
        typer.echo("nothing was sent; without --dry-run it is")


@releases.command("diff")
def diff(
    a: NameArgument,
    b: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Another release; default: the store as it is now.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the rows added, dropped and changed, with reasons.

    Example: solon release diff 2026-10 2026-11
    """
    with open_project(store, config) as project:
        found = project.releases.diff(a, b)
    if json:
        print_json(found.model_dump(mode="json"))
        return
    typer.echo(
        clean(
            f"{found.a} -> {found.b}: {len(found.added)} added, {len(found.dropped)} dropped, "
            f"{len(found.changed)} changed, {found.same} the same"
        )
    )
    for reason, count in found.reasons.items():
        typer.echo(clean(f"  {count} {reason}"))
    for sign, changes in (("+", found.added), ("-", found.dropped), ("~", found.changed)):
        _list(sign, changes)


def _list(sign: str, changes: Any) -> None:
    for change in changes[:_SHOWN]:
        typer.echo(clean(f"{sign} {change.seed}: {'; '.join(change.reasons)}"))
    if len(changes) > _SHOWN:
        typer.echo(f"{sign} and {len(changes) - _SHOWN} more; --json lists them all")
