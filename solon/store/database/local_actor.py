"""Who acts where nobody gave a token. Imports no database, so that a command can name its user before it opens one."""

from __future__ import annotations

import getpass


def local_actor() -> str:
    """The name under which the log notes what is done on this machine without an expert's token: `local:USER`."""
    try:
        return f"local:{getpass.getuser()}"
    except (OSError, KeyError):
        return "local:unknown"
