"""`solon demo`: to its end, with real examples, and with commands that work as printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.agents.models.weights import find_builtin_model

Cli = Callable[..., Any]


@pytest.mark.sqlite("the files beside its store")
def test_the_demo_shows_the_loop_and_its_next_commands_work(solon: Cli, folder: Path, rules: str) -> None:
    told = solon("demo", "--model", rules)
    assert told.code == 0
    for part in (
        "seed:",
        "draft",
        "critique of",
        "verdict:",
        "A review that waits",
        "A record that came out",
    ):
        assert part in told.out, part
    assert told.out.count("shown first") == 2
    assert '[models.default]\nmodel = "openai:' in told.out
    commands = [line.strip() for line in told.out.split("Next\n")[1].splitlines()]
    assert [shlex.split(command)[1] for command in commands] == [
        "review",
        "review",
        "resume",
        "show",
        "export",
    ]
    for command in commands:
        assert solon(*shlex.split(command)[1:]).code in (0, 3), command
    rows = [json.loads(line) for line in (folder / "solon-demo" / "pairs.jsonl").read_text().splitlines()]
    summary = solon("demo", "--model", rules, "--json").json
    assert len(rows) == summary["accepted"]


def test_the_honest_words_belong_to_the_built_in_model(solon: Cli) -> None:
    from solon.cli import demo

    assert "at chance" in demo._HONESTLY
    assert "one model under two personas" in demo._HONESTLY
    assert "at chance" not in solon("demo", "--model", "scripted:default").out


def test_missing_weights_are_fetched_after_saying_so(solon: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from solon.agents.models import weights
    from solon.errors import ConfigError

    def refuse() -> Path:
        raise ConfigError("no network in a test", next_step="go on")

    monkeypatch.setattr(weights, "find_builtin_model", lambda: None)
    monkeypatch.setattr(weights, "fetch_builtin_model", refuse)
    told = solon("demo")
    told.fails(2, "no network in a test")
    assert told.err.index("98 MB") < told.err.index("error:")


def test_a_folder_that_cannot_be_made(solon: Cli, folder: Path) -> None:
    (folder / "solon-demo").write_text("a file is in the way")
    solon("demo", "--model", "scripted:default").fails(2, "solon-demo", "--store")


@pytest.mark.builtin
@pytest.mark.skipif(
    find_builtin_model() is None, reason="the built-in model is not installed: solon model fetch"
)
def test_one_seed_on_the_built_in_model(solon: Cli) -> None:
    told = solon("demo", "--limit", "1")
    assert told.code == 0, told
    assert "judges at chance" in " ".join(told.out.split())
    assert "1 items:" in told.out
