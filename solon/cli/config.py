"""`solon config`: what is in force, whether it holds, and the reference of all keys."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Literal

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.terminal import print_json
from solon.display.text import clean

group = typer.Typer(no_args_is_help=True, help="The configuration.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add `solon config` to the command line."""
    app.add_typer(group, name="config")


@group.command("show")
def show(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print the configuration in force: defaults, solon.toml, environment, options. It never holds a secret.

    Example: SOLON_MODELS__DEFAULT__MODEL=ollama:llama3.2 solon config show
    """
    values = read_config(config, store).everything()
    if json:
        print_json(values)
    else:
        typer.echo(clean(json_module.dumps(values, indent=2, ensure_ascii=False)))


@group.command("check")
def check(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check keys, types, law, prompts, hosts and models (keys in the environment, files) without a call; exit 2 says
    what is wrong.

    Example: solon config check --config solon.toml
    """
    from solon.agents.hosts import check_host
    from solon.agents.models.factory import make_chat_model
    from solon.law.documents import load_constitution, load_rubric
    from solon.operations.recipes import check_labels, configured_roles
    from solon.privacy import make_scanner
    from solon.prompts.library import PromptLibrary
    from solon.recipes.registry import SHIPPED, Recipes

    read = read_config(config, store)
    constitution, rubric = load_constitution(read.law.constitution), load_rubric(read.law.rubric)
    recipes = Recipes(read)
    for recipe in (next(iter(SHIPPED)), *read.recipes):
        PromptLibrary(read.prompts_dir, recipe=recipes.find(recipe).templates)
    check_labels(recipes, read)
    make_scanner(read.privacy)
    for name, model in read.models.items():
        check_host(read, name, make_chat_model(model), given=False)
    models = {name: model.model for name, model in read.models.items()}
    if json:
        print_json({"ok": True, "fingerprint": read.fingerprint(), "models": models})
        return
    asked = read.models_in_use(configured_roles(recipes, read))
    named = {name for name, model in read.models.items() if "model" in model.model_fields_set}
    told = (
        ", ".join(f"{name} = {model}" for name, model in models.items() if name in (*asked, *named)) or "none"
    )
    typer.echo(clean(f"the configuration holds: models {told}; judges: {len(read.judges)}"))
    typer.echo(
        clean(
            f"law: constitution {constitution.name} {constitution.version}, rubric {rubric.name} {rubric.version}"
        )
    )


@group.command("schema")
def schema(
    format: Annotated[
        Literal["json", "markdown", "toml"],
        typer.Option(
            help="JSON schema (for editors), the reference as Markdown, or a solon.toml with every key."
        ),
    ] = "json",
) -> None:
    """Print every key with its type, bounds, default and meaning.

    Example: solon config schema --format toml > solon.toml
    """
    from solon.cli.config_reference import as_markdown, as_toml
    from solon.config import Config

    if format == "json":
        print_json(Config.model_json_schema())
    else:
        typer.echo(as_markdown() if format == "markdown" else as_toml(), nl=False)
