"""Options that many commands share, and how a project is opened from them."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperCommand

from solon.errors import UsageError

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
MatchOption = Annotated[
    Literal["prefer", "require"] | None,
    typer.Option(
        "--match", help="Prefer or require reviews of an expert's own fields; default: `[review] match`."
    ),
]
AllRunsOption = Annotated[bool, typer.Option("--all-runs", help="Every record of every run.")]


TEXTS = ("text", "guidance", "rationale")
"""Options whose value is a person's words: the form of the review says whether they may be blank."""


class Command(TyperCommand):
    """A command that refuses a blank value, such as an empty shell variable gives. A blank names nothing, and
    must not be taken for "everything" or "the newest". Where a blank is the option's own default it says the
    same."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command line, and refuse a value that is blank."""
        empty = "" in args and not {".", "./"} & set(args)
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            value = ctx.params.get(parameter.name)
            if parameter.name in TEXTS or parameter.default == "":
                continue
            for one in value if isinstance(value, list | tuple) else (value,):
                path = isinstance(one, Path)
                if isinstance(one, str | Path) and (
                    not str(one).strip() or (path and empty and one == Path())
                ):
                    refuse_blank(parameter)
        return rest


def refuse_blank(parameter: Any) -> NoReturn:
    """Refuse a blank value of a parameter.

    Raises:
        UsageError: always; names the option or argument.
    """
    option = parameter.param_type_name == "option"
    name = parameter.opts[0] if option else (parameter.metavar or parameter.name.upper()).strip("[].")
    raise UsageError(
        f"{name} is blank", next_step="give it a value, or leave it out where the command allows that"
    )


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
    recipe: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    read_only: bool = False,
) -> Project:
    """The project of a command. Only commands that may begin a store say `create`, with the recipe that it is begun
    for: where there is no such recipe, or it is set wrongly, no store is begun."""
    from solon.project import Project
    from solon.recipes.registry import Recipes, read_settings

    config = read_config(file, store, overrides)
    if recipe is not None:
        read_settings(Recipes(config).get(recipe), config)
    return Project(config=config, create=create, read_only=read_only)
