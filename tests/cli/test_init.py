"""`solon init`: a folder that runs, for every recipe and field; it asks, or takes options, and writes over nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from solon.cli.init import FIELDS, PRIVACY
from solon.cli.seeds import starters_path
from solon.config import Config, load_config
from solon.law.documents import load_constitution, load_rubric
from solon.presets import PRESETS
from solon.recipes.registry import SHIPPED, Recipes

Cli = Callable[..., Any]
SCRIPTED = ("--model", "scripted:default", "--privacy", "synthetic")


def test_every_recipe_can_be_begun_with() -> None:
    assert {preset.recipe for preset in PRESETS.values()} == set(SHIPPED)


def test_a_preset_has_its_part_of_the_configuration() -> None:
    assert all(name == preset.name for name, preset in PRESETS.items())
    assert all(preset.guidelines or not preset.seeds for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("preset", "field"),
    [(name, field) for name, one in PRESETS.items() for field in (FIELDS if one.seeds is None else ["law"])],
)
def test_the_folder_runs_as_its_readme_says(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, preset: str, field: str
) -> None:
    made = solon("init", preset, "--field", field, *SCRIPTED, "--json").json
    home = folder / (preset if PRESETS[preset].seeds else f"{field}-{preset}")
    assert made["folder"] == home.name
    assert sorted(made["files"]) == sorted(path.name for path in home.iterdir())
    monkeypatch.chdir(home)
    assert solon("config", "check").code == 0
    assert load_config().routing.pilot_size == 120, "as it comes, which is what the pages speak of"
    run, _, export = [line.split("  #")[0].split()[1:] for line in commands_of(home / "README.md")]
    summary = solon(*run, "--limit", "3", "--json")
    assert summary.code in (0, 3), summary
    made_of_each = Recipes(Config()).get(PRESETS[preset].recipe).source.expand
    assert summary.json["items"] == 3 * made_of_each
    assert summary.json["failed"] == 0
    assert summary.json["bad_rows"] == 0
    assert solon(*export).code == 0
    law = load_config().law
    assert load_constitution(law.constitution).name == FIELDS[field].law
    assert load_rubric(law.rubric).name == load_rubric(PRESETS[preset].rubric or FIELDS[field].law).name


def commands_of(readme: Path) -> list[str]:
    return readme.read_text().split("```sh\n")[1].split("\n```")[0].splitlines()


@pytest.mark.parametrize("field", FIELDS)
def test_the_ten_seeds_of_a_field_pass_the_scan_of_its_class(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    assert solon("init", "--field", field, "--yes", "--model", "scripted:default").code == 0
    monkeypatch.chdir(folder / f"{field}-preference")
    assert load_config().privacy.class_ == FIELDS[field].privacy
    assert len(Path("seeds.jsonl").read_text().splitlines()) == 10
    summary = solon("run", "preference", "--seeds", "seeds.jsonl", "--json").json
    assert summary["items"] == 10
    assert summary["held"] == 0


def test_options_are_in_the_file_and_the_key_is_not(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUR_KEY", raising=False)
    options = ("--model", "openai:ours", "--key-env", "OUR_KEY", "--base-url", "http://127.0.0.1:8000/v1")
    told = solon("init", "preference", *options, "--privacy", "personal", "--folder", "a b")
    assert "export OUR_KEY=..." in told.out
    assert "cd 'a b'" in told.out
    read = load_config(folder / "a b" / "solon.toml")
    model = read.models["default"]
    assert (model.model, model.api_key_env, model.base_url) == (
        "openai:ours",
        "OUR_KEY",
        "http://127.0.0.1:8000/v1",
    )
    assert read.privacy.class_ == "personal"


def test_the_key_variable_is_that_of_the_provider(solon: Cli, folder: Path) -> None:
    for model, variable in (
        ("openai:m", "OPENAI_API_KEY"),
        ("anthropic:m", "ANTHROPIC_API_KEY"),
        ("ollama:m", None),
    ):
        name = model.partition(":")[0]
        assert solon("init", "--yes", "--model", model, "--folder", name).code == 0
        assert load_config(folder / name / "solon.toml").models["default"].api_key_env == variable


def test_it_asks_where_somebody_sits_there(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    answers = iter(["instruction", "law", "anthropic:ours", "OUR_KEY", "personal"])

    def answer(question: str, default: str, **_options: Any) -> str:
        asked.append((question.partition(" ")[0], default))
        return next(answers)

    monkeypatch.setattr(typer, "prompt", answer)
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    told = solon("init")
    assert told.code == 0
    assert asked == [
        ("preset", "preference"),
        ("field", "general"),
        ("model,", "openai:gpt-5-mini"),
        ("environment", "ANTHROPIC_API_KEY"),
        ("privacy", "deidentified"),
    ]
    assert all(name in told.err for name in PRIVACY)
    assert load_config(folder / "law-instruction" / "solon.toml").models["default"].api_key_env == "OUR_KEY"


def test_where_nobody_can_be_asked_it_says_what_is_missing(solon: Cli, folder: Path) -> None:
    before = set(folder.iterdir())
    solon("init").fails(2, "--model, --privacy", "--yes")
    solon("init", "--model", "openai:m", "--json").fails(2, "not given: --privacy")
    solon("init", "label").fails(2, "not given: --privacy")  # no model takes part
    assert set(folder.iterdir()) == before


def test_nothing_is_written_over(solon: Cli, folder: Path) -> None:
    solon("init", "--yes", "--folder", ".").fails(2, "solon.toml", "--folder")
    assert not (folder / "seeds.jsonl").exists()
    (folder / "file").write_text("in the way")
    solon("init", "--yes", "--folder", "file").fails(2, "file", "--folder")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("other",), ("preset 'other'", "preference, preference-scored, preference-active")),
        (("--field", "other"), ("field 'other'", "general, medical, law, education, code")),
        (("--privacy", "other"), ("privacy 'other'", "synthetic, deidentified, personal")),
        (("--model", "gpt"), ("--model", "'gpt' names no provider", "openai:gpt")),
        (("--model", "builtin:other"), ("no built-in model 'other'", "builtin:smollm2")),
        (("--model", "nobody:m"), ("unknown provider 'nobody'", "take one of")),
        (("--model", "openai:"), ("names no model",)),
        (("--key-env", "sk-123 4"), ("api_key_env", "no name of an environment variable")),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    solon: Cli, folder: Path, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    before = set(folder.iterdir())
    solon("init", "--yes", *options).fails(2, *parts)
    assert set(folder.iterdir()) == before


def test_the_seeds_ship_for_every_field() -> None:
    for field in FIELDS:
        rows = [json.loads(line) for line in (starters_path() / f"{field}.jsonl").read_text().splitlines()]
        assert len({row["prompt"] for row in rows}) == 10


def test_a_folder_given_as_an_argument_is_told_its_option(solon: Cli) -> None:
    told = solon("init", "preference", ".")
    assert told.code == 2
    assert "--folder DIR" in told.err
