"""Options that many commands share, and how a project is opened from them."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from solon.config import Config
    from solon.project import Project

PROFILE: ContextVar[str | None] = ContextVar("profile", default=None)
"""What stood before the command: `solon --profile NAME COMMAND`."""
GUARDED: ContextVar[bool] = ContextVar("guarded", default=False)
"""May the command's texts name people? Then what nobody foresaw is told without its own words."""

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="sqlite:///FILE or postgresql://...; default: SOLON_STORE, then `store` in solon.toml, "
        "then sqlite:///solon.db",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; default: solon.toml if it is there."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]
RunOption = Annotated[
    str | None, typer.Option("--run", metavar="RUN", help="A run's id or its beginning; default: all runs.")
]
OneRunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="Records of this run only (its id or the beginning of it); default: each item once, as a person decided "
        "it, otherwise as of the newest run.",
    ),
]
AllRunsOption = Annotated[bool, typer.Option("--all-runs", help="Every record of every run.")]


def read_config(
    file: Path | None, store: str | None = None, overrides: Mapping[str, Any] | None = None
) -> Config:
    """The configuration with what the command line overrides; None overrides nothing."""
    from solon.config import load_config

    given = {"store": store, **(overrides or {})}
    kept = {key: value for key, value in given.items() if value is not None}
    config = load_config(file, overrides=kept, profile=PROFILE.get())
    GUARDED.set(config.privacy.guarded)
    return config


def open_project(
    store: str | None,
    file: Path | None = None,
    *,
    create: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> Project:
    """The project of a command. Only commands that may begin a store say `create`."""
    from solon.project import Project

    return Project(config=read_config(file, store, overrides), create=create)
