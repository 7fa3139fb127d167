"""`solon prompts`: the templates that agents are asked with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import JsonOption, read_config
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from solon.project.prompts import Prompts
    from solon.prompts.library import Prompt

group = typer.Typer(no_args_is_help=True, help="The templates of the agents.", rich_markup_mode=None)
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        help="A folder with templates of your own, laid over the built-in ones; default: prompts_dir.",
    ),
]

RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="With the templates that come with a recipe of your own."),
]


def register(app: typer.Typer) -> None:
    """Add `solon prompts` to the command line."""
    app.add_typer(group, name="prompts")


def _prompts(folder: Path | None) -> Prompts:
    from solon.project.prompts import Prompts
    from solon.recipes.registry import Recipes

    config = read_config(None)
    return Prompts(folder or config.prompts_dir, Recipes(config))


@group.command("list")
def list_prompts(folder: FolderOption = None, recipe: RecipeOption = None, json: JsonOption = False) -> None:
    """List the templates with version, fingerprint and variables.

    Example: solon prompts list
    """
    from rich.table import Table

    prompts = _prompts(folder).list(recipe)
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
    recipe: RecipeOption = None,
    json: JsonOption = False,
) -> None:
    """Print the source of a template.

    Example: solon prompts show judge.pair
    """
    prompt = _prompts(folder).show(name, recipe)
    if json:
        print_json({**_facts(prompt), "source": prompt.source})
    else:
        typer.echo(clean(prompt.source), nl=False)


@group.command("check")
def check(folder: FolderOption = None, recipe: RecipeOption = None, json: JsonOption = False) -> None:
    """Render every template with its declared variables, and show how your own differ from the built-in ones; exit 2
    names the first that fails.

    Example: solon prompts check --folder my-prompts
    """
    prompts = _prompts(folder)
    diffs, names = prompts.check(recipe), [prompt.name for prompt in prompts.list(recipe)]
    if json:
        print_json({"checked": names, "own": diffs})
        return
    for diff in diffs.values():
        typer.echo(clean(diff), nl=False)
    own = f", {len(diffs)} of them your own" if diffs else ""
    typer.echo(f"{len(names)} prompts render with their declared variables{own}")


@group.command("copy")
def copy(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="E.g. judge.pair; see `prompts list`.")
    ],
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to; default: prompts_dir, else ./prompts.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Copy built-in templates into a folder of your own, to be changed there; files that are there stay.

    Example: solon prompts copy judge.pair --folder my-prompts
    """
    target = _prompts(folder).copy(*names)
    if json:
        print_json({"copied": names, "folder": str(target)})
    else:
        typer.echo(
            clean(
                f'{len(names)} copied to {target}; set prompts_dir = "{target}" and run `solon prompts check`'
            )
        )
