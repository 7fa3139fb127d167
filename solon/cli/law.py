"""`solon constitution` and `solon rubric`: the law that agents follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from solon.cli import law_figures, lawmaking
from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.terminal import console, print_json
from solon.display.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from solon.law.documents import Constitution, Rubric, RuleBook

Kind = Literal["constitution", "rubric"]
NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="NAME or NAME@VERSION of the store, a starter or a YAML file; default: the one in force.",
    ),
]
constitutions = typer.Typer(
    no_args_is_help=True, help="The principles that agents apply.", rich_markup_mode=None
)
rubrics = typer.Typer(no_args_is_help=True, help="The criteria that are scored.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add `solon constitution` and `solon rubric` to the command line."""
    lawmaking.add_commands(constitutions)
    lawmaking.add_commands(rubrics)
    law_figures.add_to(constitutions, rubrics)
    app.add_typer(constitutions, name="constitution")
    app.add_typer(rubrics, name="rubric")


@constitutions.command("show")
def show_constitution(
    name: NameArgument = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print a constitution as YAML; copy it to begin your own.

    Example: solon constitution show medical > clinic.yaml
    """
    _show("constitution", name, store, config, json)


@rubrics.command("show")
def show_rubric(
    name: NameArgument = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print a rubric as YAML; copy it to begin your own.

    Example: solon rubric show
    """
    _show("rubric", name, store, config, json)


@constitutions.command("list")
def list_constitutions(
    store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """List the constitutions that ship with Solon, the one in force, and those that runs of the store used.

    Example: solon constitution list
    """
    _list("constitution", store, config, json)


@rubrics.command("list")
def list_rubrics(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the rubrics that ship with Solon, the one in force, and those that runs of the store used.

    Example: solon rubric list
    """
    _list("rubric", store, config, json)


def _show(kind: Kind, name: str | None, store: str | None, file: Path | None, json: bool) -> None:
    from solon.law.documents import dump_yaml
    from solon.lawmaking.reading import configured_source, load_document

    configured = configured_source(read_config(file, store), kind)
    wanted = name or load_document(kind, configured).name
    document = _from_store(kind, wanted, store, file) or load_document(kind, name or configured)
    if json:
        print_json({"fingerprint": document.fingerprint(), **document.model_dump(mode="json")})
    else:
        typer.echo(clean(dump_yaml(document)), nl=False)


def _from_store(
    kind: Kind, wanted: str, store: str | None, file: Path | None
) -> Constitution | Rubric | RuleBook | None:
    """The version that the store has of a name; None where it has none."""
    from solon.errors import NoStore
    from solon.store.database.store import Store
    from solon.store.runs.laws import find_version

    try:
        with Store(read_config(file, store).store) as opened, opened.connect() as connection:
            found = find_version(connection, kind, wanted)
    except NoStore:
        if store is not None:
            raise
        return None
    return found.document if found is not None else None


def _list(kind: Kind, store: str | None, file: Path | None, json: bool) -> None:
    from rich.table import Table

    from solon.lawmaking.reading import list_documents

    rows = list_documents(read_config(file, store), kind, _stored(kind, store, file))
    if json:
        print_json({f"{kind}s": rows})
        return
    table = Table("name", "version", "fingerprint", "source", "in force", box=None)
    for row in rows:
        force = "yes" if row["in_force"] else ""
        table.add_row(
            clean(row["name"]), row["version"], row["fingerprint"][:12], clean(row["source"]), force
        )
    console().print(table)


def _stored(kind: Kind, store: str | None, file: Path | None) -> list[dict[str, Any]]:
    from solon.errors import NoStore
    from solon.store.database.store import Store
    from solon.store.records.overview import law_versions

    try:
        with Store(read_config(file, store).store) as opened:
            return law_versions(opened, kind)
    except NoStore:
        if store is not None:
            raise
        return []  # no store yet: there are the starters
