"""`solon review notify`: the daily digest by mail."""

from __future__ import annotations

from typing import Annotated

import typer

from solon.cli.options import ConfigOption, JsonOption, MatchOption, StoreOption, open_project
from solon.cli.terminal import print_json, say


def notify_command(
    store: StoreOption = None,
    config: ConfigOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would go, and send nothing.")
    ] = False,
    match: MatchOption = None,
    json: JsonOption = False,
) -> None:
    """Mail everybody who has an address and something waiting: counts and a link, no text of an item.

    Run it once a day, e.g. from cron. Addresses: `solon expert add --email`. Server: [mail] in solon.toml.

    Example: solon review notify --dry-run
    """
    from solon.review.notify import notify

    with open_project(store, config) as project:
        sent = notify(project.store, project.config, match=match, dry_run=dry_run, say=say)
    if json:
        print_json({"mails": sent, "dry_run": dry_run})
    else:
        say(f"{sent} mails{' would be' if dry_run else ''} sent")
