"""`solon doctor`: is everything there that a run needs, and what to do where it is not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.terminal import FAILED, console, print_json, styled

_STYLES = {"ok": "green", "note": "yellow", "broken": "bold red"}


def register(app: typer.Typer) -> None:
    """Add `solon doctor` to the command line."""
    app.command("doctor")(doctor)


def doctor(
    store: StoreOption = None,
    config: ConfigOption = None,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Bring an older store to the current schema (copy the file first)."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Bring in answers that led nowhere; set damaged checkpoints aside."),
    ] = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Send each model three small requests or a few more: what does it not take?"
        ),
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask model servers.")] = False,
    json: JsonOption = False,
) -> None:
    """Check store, models, disk, packages and what waits; exit 1 if something is broken.

    Example: solon doctor
    """
    from solon.operations.doctor import examine

    checks = examine(read_config(config, store), migrate=migrate, offline=offline, repair=repair, probe=probe)
    broken = any(check.state == "broken" for check in checks)
    if json:
        print_json({"ok": not broken, "checks": [asdict(check) for check in checks]})
    else:
        out = console()
        for check in checks:
            out.print(
                styled(f"{check.state:>6}", _STYLES[check.state]), styled(f"{check.name}: {check.told}")
            )
            if check.next_step:
                out.print(styled(f"       -> {check.next_step}"))
    raise typer.Exit(FAILED if broken else 0)
