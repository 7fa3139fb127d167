"""`solon agent-context`, the skill and llms.txt are true: every public name, command, key and page stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.cli.agent_context import API, write_skill
from solon.cli.app import command_tree
from solon.config import Config
from solon.project import Project

Cli = Callable[..., Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_skill(tmp_path_factory.mktemp("skills"), command_tree())


@pytest.fixture(scope="module")
def context(skill: Path) -> str:
    """What `solon agent-context` prints, by its parts."""
    return "".join(file.read_text() for file in sorted((skill / "references").iterdir()))


def test_it_names_what_the_reference_names(context: str) -> None:
    pages = [
        (ROOT / "docs" / "reference" / f"{name}.md").read_text()
        for name in ("python", "plugins", "evaluation")
    ]
    named: set[str] = set()
    for home, options in re.findall(r"^::: ([\w.]+)\n((?:    .*\n)*)", "\n".join(pages), re.MULTILINE):
        members = re.search(r"members: \[(.*)\]", options)
        named |= set(members.group(1).split(", ")) if members else {home.rpartition(".")[2]}
    named -= {"errors"}
    assert len(named) > 30
    assert named <= {name for names in API.values() for name in names}
    for name in named:
        assert re.search(rf"(class|def) {name}\b", context), name


def test_it_has_every_command_method_key_and_error(context: str) -> None:
    def walk(command: Any, *words: str) -> None:
        if not hasattr(command, "commands"):
            assert f"### `{' '.join(('solon', *words))}" in context
            for option in (one for one in command.params if one.param_type_name == "option"):
                assert option.opts[0] in context
            return
        for name, part in command.commands.items():
            walk(part, *words, name)

    walk(command_tree())
    for name in vars(Project):
        if not name.startswith("_"):
            assert f"Project.{name}(" in context or f"- `.{name}`" in context, name
    for key in Config.model_fields.keys() - {
        "plugins",
        "recipes",
        "import_",
        "store",
        "prompts_dir",
        "judges",
    }:
        assert f"\n[{key}" in context or f"\n[[{key}" in context or f"\n# [[{key}" in context, key
    assert "AlreadyDecided" in context


def test_nothing_in_it_differs_by_process_or_machine(context: str) -> None:
    assert not re.search(r" at 0x|<class|<function|frozenset\(|\bself\b(?=[,)])", context)
    assert str(Path.home()) not in context


def test_the_skill_is_one_and_its_example_runs(skill: Path) -> None:
    home = skill
    text = (home / "SKILL.md").read_text()
    _, head, body = text.split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["name"] == home.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fields["name"])
    assert 0 < len(fields["description"]) <= 1024
    assert len(fields["compatibility"]) <= 500
    assert len(body.splitlines()) < 500
    linked = set(re.findall(r"\]\((references/[\w.]+)\)", body))
    assert linked == {f"references/{file.name}" for file in (home / "references").iterdir()}
    for line in re.findall(r"`solon ([^`]+)`", body):
        words = [word for word in line.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
        assert words[0] in command_tree().commands, line  # type: ignore[attr-defined]
        for option in re.findall(r"--[a-z-]+", line):
            assert f"`{option}" in (home / "references" / "commands.md").read_text(), line
    [example] = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    exec(example, {})


def test_the_command_prints_a_part(solon: Cli, folder: Path, skill: Path) -> None:
    assert solon("agent-context", "errors").out == (skill / "references" / "errors.md").read_text()
    solon("agent-context", "--skill", folder / "solon.toml").fails(2, "solon.toml")
    solon("agent-context", "nothing").fails(2, "nothing")
