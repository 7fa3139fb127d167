"""`solon model`: the built-in model's weights."""

from __future__ import annotations

import typer

from solon.cli.options import JsonOption
from solon.cli.terminal import print_json, say
from solon.display.text import clean

group = typer.Typer(no_args_is_help=True, help="The built-in model.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add `solon model` to the command line."""
    app.add_typer(group, name="model")


@group.command("fetch")
def fetch(json: JsonOption = False) -> None:
    """Fetch the weights of the built-in model (98 MB), once, and check their sha256.

    Example: solon model fetch
    """
    from solon.agents.models.weights import FILE, SHA256, fetch_builtin_model, find_builtin_model

    if find_builtin_model() is None:
        say("fetching SmolLM2-135M-Instruct (98 MB, Apache-2.0) ...")
    path = fetch_builtin_model()
    if json:
        print_json({"file": FILE, "path": str(path), "sha256": SHA256})
    else:
        typer.echo(f"{clean(path)}\nsha256 {SHA256}: as expected")
