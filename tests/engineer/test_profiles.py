"""A profile is laid over the file, the environment over both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.config import load_config, parse_config
from solon.config.pinned import config_of_run
from solon.errors import ConfigError, UsageError

FILE = """
[models.default]
model = "scripted:default"
max_tokens = 100
[[judges]]
persona = "one"
[profiles.cheap]
generator.n = 3
models.default.max_tokens = 50
judges = [{ persona = "two" }, { persona = "three" }]
[profiles.wrong]
generator.m = 3
"""


@pytest.fixture(autouse=True)
def toml(folder: Path) -> None:
    (folder / "solon.toml").write_text(FILE)


def test_tables_are_merged_and_lists_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, cheap = load_config(), load_config(profile="cheap")
    assert (plain.generator.n, plain.models["default"].max_tokens, len(plain.judges)) == (2, 100, 1)
    assert (cheap.generator.n, cheap.models["default"].max_tokens) == (3, 50)
    assert cheap.models["default"].model == "scripted:default"
    assert [seat.persona for seat in cheap.judges] == ["two", "three"]
    monkeypatch.setenv("SOLON_PROFILE", "cheap")
    monkeypatch.setenv("SOLON_GENERATOR__N", "4")
    assert load_config().generator.n == 4
    assert load_config().models["default"].max_tokens == 50


def test_wrong_profiles_are_named() -> None:
    with pytest.raises(ConfigError, match="there is no profile 'dear'") as error:
        load_config(profile="dear")
    assert "cheap" in error.value.next_step
    with pytest.raises(ConfigError, match=r"generator\.m: unknown key"):
        load_config(profile="wrong")


def test_on_the_command_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from solon.cli import main

    def planned(*first: Any) -> float:
        arguments = ("plan", "--items", "10", "--experts", "1", "--minutes", "1", "--days", "1", "--json")
        assert main([*first, *arguments]) == 0
        return float(json.loads(capfd.readouterr().out.splitlines()[-1])["calls"]["low"])

    assert planned() == 10 * (2 + 2 + 2)
    assert planned("--profile", "cheap") == 10 * (3 + 3 + 2 * 3 + 4), (
        "three drafts are scored by two seats first"
    )
    assert main(["--profile", "dear", "status"]) == 2


def test_no_secret_is_stored_with_a_run_and_resume_takes_it_from_the_session() -> None:
    values: dict[str, Any] = {
        "store": "postgresql://solon:hunter2@db.example/solon",
        "models": {"default": {"model": "openai:m", "options": {"headers": {"X-Key": "hunter2"}}}},
    }
    config = parse_config(values)
    stored = config.effective()
    assert "hunter2" not in str(stored)
    assert stored["store"] == "postgresql://solon@db.example/solon"
    resumed = config_of_run(stored, config, "r")
    assert resumed.models["default"].options["headers"] == {"X-Key": "hunter2"}
    with pytest.raises(UsageError, match="'X-Key'"):
        config_of_run(stored, parse_config({}), "r")
