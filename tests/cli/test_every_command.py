"""What holds for every command there is: each is called, also one that is added tomorrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from solon.cli.app import command_tree
from solon.cli.options import TEXTS
from solon.errors import UsageError
from solon.store.database.store import Store

Cli = Callable[..., Any]

NEEDED = {
    "repository": "nobody/nothing",
    "recipe": "preference", "seeds": "seeds.jsonl", "format": "jsonl", "output": "out", "target": "sqlite:///t.db",
    "experts": "2", "minutes": "2", "days": "2", "choice": "tie", "purpose": "golden", "trust": "0.9",
    "file": "seeds.jsonl", "review export format": "argilla", "eval suite name": "audit", "plan items": "5",
}  # fmt: skip
"""Values of what a command must have, or wants anyway; every other argument gets a name that nothing has."""
ENDLESS = {"demo", "mcp"}
"""`demo` asks the built-in model, and keeps its store in a folder of its own; `mcp` opens one when an agent asks."""


def every_command() -> Iterator[tuple[str, Any]]:
    """The words of each command, and what typer knows of it."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield " ".join(words), command
            return
        for name, part in command.commands.items():
            yield from walk(part, (*words, name))

    yield from walk(command_tree(), ())


COMMANDS = dict(every_command())


def line(name: str, /, **changed: str) -> list[str]:
    """A command line with everything that the command must have, and what is given here."""
    words = name.split()
    for parameter in COMMANDS[name].params:
        own = NEEDED.get(f"{name} {parameter.name}")
        if parameter.name not in changed and not parameter.required and own is None:
            continue
        value = changed.get(parameter.name, own or NEEDED.get(parameter.name, "nothing-of-this-name"))
        words += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return words


@pytest.fixture
def newer(solon: Cli, five_seeds: Path, folder: Path) -> Path:
    """A store whose schema this Solon does not know, under the name that commands take by themselves."""
    assert solon("run", "preference", "--seeds", five_seeds).code in (0, 3)
    path = folder / "solon.db"
    with Store(f"sqlite:///{path}") as store, store.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    return path


OPENING = [
    name
    for name, command in COMMANDS.items()
    if name not in ENDLESS
    and not name.startswith("config")
    and any(p.name == "store" for p in command.params)
    and name != "restore"  # it reads its backup first, and opens no store without one
]


def test_a_store_of_a_newer_solon_is_named_by_every_command(solon: Cli, newer: Path) -> None:
    before = newer.read_bytes()
    for name in OPENING:
        result = solon(*line(name))
        assert result.code == 1, (name, result)
        assert "made by a newer Solon" in " ".join((result.out + result.err).split()), (name, result)
    assert newer.read_bytes() == before


NAMING = [
    (name, parameter)
    for name, command in COMMANDS.items()
    for parameter in command.params
    if any(kind in str(parameter.type_descriptor.annotation) for kind in ("str", "Path"))
    and parameter.name not in TEXTS
    and parameter.default != ""
]


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_name_is_refused_by_every_command(solon: Cli, folder: Path, blank: str) -> None:
    assert len(NAMING) > 150
    for name, parameter in NAMING:
        words = line(name, **{parameter.name: blank})[len(name.split()) :]
        named = parameter.opts[0] if parameter.param_type_name == "option" else "[A-Z_]+"
        with pytest.raises(UsageError, match=f"^{named} is blank"):
            COMMANDS[name].make_context(name, words)
    solon("show", blank).fails(2, "ID is blank")
    solon("--profile", blank, "status").fails(2, "--profile is blank")
    assert not (folder / "solon.db").exists()


def test_a_text_may_be_blank_and_an_option_may_repeat_its_default(
    solon: Cli, waiting: list[dict[str, Any]]
) -> None:
    review = waiting[0]["id"]
    assert solon("review", "decide", review, "tie", "--rationale", "").code == 0
    solon("forget", "nothing-of-this-name", "--by", "").fails(2, "nothing that stands in the store")
