"""`solon prompts`: the templates that agents are asked with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.options import JsonOption, read_config
from solon.cli.terminal import clean, console, print_json, say
from solon.errors import UsageError

if TYPE_CHECKING:
    from solon.prompts.library import Prompt, PromptLibrary

group = typer.Typer(no_args_is_help=True, help="The templates of the agents.", rich_markup_mode=None)
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        help="A folder with templates of your own, in place of the built-in ones of the same name; "
        "default: `prompts_dir` in solon.toml.",
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="prompts")


def _library(folder: Path | None) -> PromptLibrary:
    from solon.prompts import PromptLibrary

    return PromptLibrary.of(folder if folder is not None else read_config(None).prompts_dir)


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
    prompt = _find(_library(folder), name)
    if json:
        print_json({**_facts(prompt), "source": prompt.source})
    else:
        typer.echo(clean(prompt.source), nl=False)


@group.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="E.g. judge.pair; see `solon prompts list`.")],
    folder: FolderOption = None,
) -> None:
    """Copy a built-in template to your folder, to change it there; a file that is there already is left alone.

    Example: solon prompts copy judge.pair --folder prompts
    """
    from solon.formats.containers import write_text_at_once
    from solon.prompts import PromptLibrary

    wanted = folder if folder is not None else read_config(None).prompts_dir
    if wanted is None:
        raise UsageError(
            "there is no folder to copy to", next_step="give --folder, or set prompts_dir in solon.toml"
        )
    prompt = _find(PromptLibrary(), name)
    target = Path(wanted) / f"{prompt.name}.md"
    if target.exists():
        raise UsageError(f"{target} is there already", next_step="change it there, or move it away first")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text_at_once(target, [prompt.source])
    typer.echo(clean(target))
    if folder is not None and read_config(None).prompts_dir is None:
        say(f'make runs use it: prompts_dir = "{folder}" at the top of solon.toml')


def _find(library: PromptLibrary, name: str) -> Prompt:
    known: dict[str, Prompt] = {prompt.name: prompt for prompt in library}
    if name not in known:
        raise UsageError(f"there is no prompt {name!r}", next_step=f"prompts: {', '.join(sorted(known))}")
    return known[name]


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
