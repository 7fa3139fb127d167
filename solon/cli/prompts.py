"""`solon prompts`: the templates that agents are asked with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import JsonOption, read_config
from solon.cli.terminal import console, print_json
from solon.display.text import clean
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.prompts.library import Prompt, PromptLibrary

group = typer.Typer(no_args_is_help=True, help="The templates of the agents.", rich_markup_mode=None)
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        help="A folder with templates of your own, laid over the built-in ones; default: prompts_dir.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add `solon prompts` to the command line."""
    app.add_typer(group, name="prompts")


def _library(folder: Path | None) -> PromptLibrary:
    from solon.prompts.library import PromptLibrary

    return PromptLibrary(folder or read_config(None).prompts_dir)


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
    """Render every template with its declared variables, and show how your own differ from the built-in ones; exit 2
    names the first that fails.

    Example: solon prompts check --folder my-prompts
    """
    from solon.prompts.library import check_prompt

    library = _library(folder)
    for prompt in library:
        check_prompt(prompt)
    diffs = {name: library.diff(name) for name in sorted(library.overlaid)}
    if json:
        print_json({"checked": [prompt.name for prompt in library], "own": diffs})
        return
    for diff in diffs.values():
        typer.echo(clean(diff), nl=False)
    own = f", {len(diffs)} of them your own" if diffs else ""
    typer.echo(f"{len(list(library))} prompts render with their declared variables{own}")


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
    from solon.prompts.library import PromptLibrary

    target = folder or Path(read_config(None).prompts_dir or "prompts")
    built_in = {prompt.name: prompt for prompt in PromptLibrary()}
    for name in names:
        if name not in built_in:
            raise UsageError(
                f"there is no prompt {name!r}", next_step=f"prompts: {', '.join(sorted(built_in))}"
            )
        if (target / f"{name}.md").exists():
            raise UsageError(f"{target / name}.md is there already", next_step="remove it first, or edit it")
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        (target / f"{name}.md").write_text(built_in[name].source, encoding="utf-8")
    if json:
        print_json({"copied": names, "folder": str(target)})
    else:
        typer.echo(
            clean(
                f'{len(names)} copied to {target}; set prompts_dir = "{target}" and run `solon prompts check`'
            )
        )
