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

    from solon.law.documents import Constitution, Rubric

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


def _load(kind: Kind, source: str) -> Constitution | Rubric:
    from solon.law.documents import load_constitution, load_rubric

    return load_constitution(source) if kind == "constitution" else load_rubric(source)


def _in_force(kind: Kind, file: Path | None, store: str | None = None) -> str:
    law = read_config(file, store).law
    return law.constitution if kind == "constitution" else law.rubric


def _show(kind: Kind, name: str | None, store: str | None, file: Path | None, json: bool) -> None:
    from solon.law.documents import dump_yaml

    document = _from_store(kind, name, store, file) or _load(kind, name or _in_force(kind, file))
    if json:
        print_json({"fingerprint": document.fingerprint(), **document.model_dump(mode="json")})
    else:
        typer.echo(clean(dump_yaml(document)), nl=False)


def _from_store(
    kind: Kind, name: str | None, store: str | None, file: Path | None
) -> Constitution | Rubric | None:
    """The version that the store has of a name, or in force of the configured one; None where it has none."""
    from solon.errors import NoStore
    from solon.store.database.store import Store
    from solon.store.runs.laws import find_version

    wanted = name or _load(kind, _in_force(kind, file)).name
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

    rows = _rows(kind, store, file)
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


def _rows(kind: Kind, store: str | None, file: Path | None) -> list[dict[str, Any]]:
    from solon.law.documents import starter_names

    chosen = _in_force(kind, file, store)
    sources = starter_names("constitutions" if kind == "constitution" else "rubrics")
    if chosen not in sources:
        sources.append(chosen)
    rows = []
    for source in sources:
        document = _load(kind, source)
        rows.append(
            _row(document, "starter" if source != chosen or "/" not in source else source, source == chosen)
        )
    known = {row["fingerprint"][:24] for row in rows}
    for stored in _stored(kind, store, file):
        if stored["id"] not in known:
            rows.append(
                {
                    "name": stored["name"],
                    "version": stored["version"],
                    "fingerprint": stored["id"],
                    "source": "store",
                    "in_force": False,
                }
            )
    return rows


def _row(document: Constitution | Rubric, source: str, in_force: bool) -> dict[str, Any]:
    return {
        "name": document.name,
        "version": document.version,
        "fingerprint": document.fingerprint(),
        "source": source,
        "in_force": in_force,
    }


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
