"""`solon prompts`: the templates that agents are asked with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import JsonOption
from solon.cli.terminal import clean, console, print_json
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.prompts.library import Prompt, PromptLibrary

group = typer.Typer(no_args_is_help=True, help="The templates of the agents.", rich_markup_mode=None)
FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="A folder with templates of your own, laid over the built-in ones."),
]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="prompts")


def _library(folder: Path | None) -> PromptLibrary:
    from solon.prompts import PromptLibrary

    return PromptLibrary(folder)


@group.command("list")
def list_prompts(folder: FolderOption = None, json: JsonOption = False) -> None:
    """List the templates with version, fingerprint and variables.

    Example: solon prompts list
    """
    from rich.table import Table

    prompts = list(_library(folder))
    if json:
        print_json({"prompts": [_facts(prompt) for prompt in prompts]})
        return
    table = Table("name", "version", "sha", "answer", "variables", box=None)
    for prompt in prompts:
        table.add_row(
            *map(clean, (prompt.name, prompt.version, prompt.sha, prompt.output)), ", ".join(prompt.variables)
        )
    console().print(table)


def _facts(prompt: Prompt) -> dict[str, object]:
    return {
        "name": prompt.name,
        "version": prompt.version,
        "sha": prompt.sha,
        "output": prompt.output,
        "variables": list(prompt.variables),
    }


@group.command("show")
def show(
    name: Annotated[str, typer.Argument(help="E.g. judge.pair; see `solon prompts list`.")],
    folder: FolderOption = None,
    json: JsonOption = False,
) -> None:
    """Print the source of a template.

    Example: solon prompts show judge.pair
    """
    library = {prompt.name: prompt for prompt in _library(folder)}
    if name not in library:
        raise UsageError(f"there is no prompt {name!r}", next_step=f"prompts: {', '.join(sorted(library))}")
    if json:
        print_json({**_facts(library[name]), "source": library[name].source})
    else:
        typer.echo(clean(library[name].source), nl=False)


@group.command("check")
def check(folder: FolderOption = None, json: JsonOption = False) -> None:
    """Render every template with its declared variables; exit 2 names the first that fails.

    Example: solon prompts check --folder my-prompts
    """
    checked = []
    for prompt in _library(folder):
        # Twice: with every variable filled and with every one empty, so that both sides of an `if` are seen.
        prompt.render(mark="abc123", **{name: f"<{name}>" for name in prompt.variables})
        prompt.render(mark="abc123", **dict.fromkeys(prompt.variables, ""))
        checked.append(prompt.name)
    if json:
        print_json({"checked": checked})
    else:
        typer.echo(f"{len(checked)} prompts render with their declared variables")
