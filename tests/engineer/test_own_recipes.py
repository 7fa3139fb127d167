"""A recipe of one's own, found by its name everywhere, and never exchanged for another behind a run's back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon import Project
from solon.config import Config, parse_config
from solon.errors import ConfigError, OtherRecipe, UsageError
from solon.graphs.versions import outdated_threads
from solon.operations.doctor import examine
from solon.recipes import Accept, Answer, Choice, Given, Instruct, Maker, Pair, Recipe
from solon.recipes.label import LABEL
from solon.recipes.preference import PREFERENCE
from solon.recipes.registry import Recipes, identify
from solon.store.database.writer import insert_rows
from solon.store.tables import items
from solon.store.tables.runs import GraphVersion

STYLED = '''\
"""Answers in a style that is drawn for each of them."""

from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from solon.agents import generator
from solon.recipes import Maker, Pair, Recipe


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    styles: tuple[str, ...] = ("in short", "at length", "for a child")


@dataclass(frozen=True)
class Styled(Maker):
    def count(self, config):
        return config.generator.n

    async def make(self, case, index, *, round, guidance, findings):
        styles = case.settings.styles
        style = styles[case.draw("style", round, index) % len(styles)]
        styled = replace(case, prompt=f"{case.prompt}\\nAnswer {style}.")
        return await generator.draft(styled, index, round=round, guidance=guidance, findings=findings)


STYLED = Recipe(
    "styled",
    record="preference",
    maker=Styled(),
    question=Pair(),
    steps=("draft", "judge", "review"),
    settings=Settings,
)
'''
CONFIG = """\
[models.default]
model = "scripted:default"
options = { latency = 0.05, log = "calls.jsonl" }
[generator]
n = 2
[routing]
policy = "always"
audit_share = 0.0
"""
NAMED = '[recipes.styled]\nuse = "styled_answers:STYLED"\nstyles = ["in verse", "in prose", "as a list"]\n'


@pytest.fixture
def package(folder: Path) -> Path:
    """The recipe as an installed package: a module, and the entry point that an installer writes."""
    site = folder / "site"
    info = site / "styled_answers-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "styled_answers.py").write_text(STYLED)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: styled-answers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[solon.recipes]\nstyled = styled_answers:STYLED\n")
    (folder / "solon.toml").write_text(CONFIG)
    (folder / "seeds.jsonl").write_text(
        "".join(json.dumps({"id": f"s{n}", "prompt": f"Explain thing {n}."}) + "\n" for n in range(6))
    )
    return site


def start(package: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *filter(None, sys.path)])}
    return subprocess.Popen(
        [sys.executable, "-m", "solon", *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def solon(package: Path, *words: str) -> tuple[int, str, str]:
    process = start(package, *words)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def calls(folder: Path) -> list[str]:
    log = folder / "calls.jsonl"
    return [json.loads(line)["key"] for line in log.read_text().splitlines()] if log.exists() else []


def test_an_installed_recipe_is_run_killed_resumed_answered_and_exported(package: Path, folder: Path) -> None:
    code, out, err = solon(package, "recipes", "--json")
    assert code == 0, err
    [facts] = [one for one in json.loads(out)["recipes"] if one["name"] == "styled"]
    assert (facts["origin"], facts["outcomes"], facts["calls"]) == (
        "styled_answers:STYLED",
        ["A", "B"],
        [6, 6],
    )
    running = start(package, "run", "styled", "--seeds", "seeds.jsonl")
    until = time.monotonic() + 120
    while len(calls(folder)) < 8 and running.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    before = calls(folder)
    code, out, err = solon(package, "resume", "--json")
    assert code == 3, err
    again = calls(folder)[len(before) :]
    # The same styles were drawn: else the texts, and with them the keys of the calls, would be others.
    assert len(set(before) | set(again)) == 6 * 6
    for row in json.loads(solon(package, "review", "list", "--json")[1])["reviews"]:
        words = ("prefer", "--candidate", "1", "--rationale", "It says what was asked.")
        code, _, err = solon(package, "review", "decide", row["id"], *words)
        assert code == 0, err
    assert solon(package, "resume")[0] == 0
    code, out, err = solon(
        package, "export", "--format", "trl-preference", "--output", "pairs.jsonl", "--json"
    )
    assert (code, len((folder / "pairs.jsonl").read_text().splitlines())) == (0, 6), err
    assert solon(package, "report", "--output", "report.html")[0] == 0
    assert "styled" in (folder / "report.html").read_text()
    assert solon(package, "migrate-threads", "--dry-run")[0] == 0
    assert (
        solon(package, "plan", "styled", "--items", "9", "--experts", "1", "--minutes", "9", "--days", "9")[0]
        == 0
    )
    assert solon(package, "preview", "styled", "--seeds", "seeds.jsonl", "-n", "1")[0] == 0


def test_a_changed_source_is_refused_until_it_is_adopted(package: Path, folder: Path) -> None:
    (folder / "solon.toml").write_text(CONFIG + NAMED)
    assert solon(package, "run", "styled", "--seeds", "seeds.jsonl")[0] == 3
    stored = (folder / "solon.db").read_bytes()
    source = package / "styled_answers.py"
    source.write_text(source.read_text() + "\n# a comment changes nothing\n")
    assert solon(package, "resume")[0] == 3
    source.write_text(source.read_text().replace("Answer {style}.", "Please answer {style}."))
    code, _, err = solon(package, "resume")
    assert code == 2, err
    assert "styled_answers:STYLED@0+" in err
    assert "--adopt-recipe" in err
    assert stored
    assert solon(package, "status")[0] in (0, 3)
    source.unlink()
    code, _, err = solon(package, "resume")
    assert code == 2
    assert "styled_answers" in err
    source.write_text(STYLED.replace("Answer {style}.", "Please answer {style}."))
    code, _, err = solon(package, "resume", "--adopt-recipe")
    assert code == 3, err
    assert solon(package, "resume")[0] == 3


def project_of(folder: Path, *recipes: Recipe, **sections: Any) -> Project:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "always"},
        **sections,
    }
    return Project(f"sqlite:///{folder}/own.db", config=config, recipes=recipes)


def test_a_missing_recipe_stops_its_own_runs_only(folder: Path) -> None:
    mine = replace(PREFERENCE, name="mine", steps=("draft", "judge", "review"))
    with project_of(folder, mine) as project:
        first = project.run("mine", ["Explain one thing."]).run_id
        second = project.run("preference", ["Explain one thing."]).run_id
    with project_of(folder) as project:
        for review in project.reviews(state="waiting"):
            project.decide(review, "prefer", review.candidates[0], rationale="better")
        assert project.resume(second).accepted == 1
        with pytest.raises(OtherRecipe, match="mine"):
            project.resume(first)
        with pytest.raises(OtherRecipe, match="mine"):
            project.learn(first)
        told = examine(project.config.model_copy(update={"store": project.store.url}), offline=True)
        assert not [check for check in told if check.state == "broken"]
    with project_of(folder, mine) as project:
        assert project.resume(first).accepted == 1


def test_a_recipe_in_the_place_of_a_shipped_one_is_another(folder: Path) -> None:
    plain = replace(PREFERENCE, steps=("draft", "judge", "review"))
    with project_of(folder, plain) as project:
        first = project.run("preference", ["Explain one thing."]).run_id
    with project_of(folder) as project:
        with pytest.raises(OtherRecipe, match="shipped"):
            project.resume(first)
        assert project.adopt_recipe(first) == ""
        assert project.resume(first).pending_review == 1


def test_the_identity_is_that_of_the_parts_wherever_the_recipe_was_found() -> None:
    mine = Recipe("mine", record="preference", maker=Answer(), question=Pair())
    same = Recipe("mine", record="preference", maker=Answer(), question=Pair())
    assert identify(mine, "a:MINE") == identify(same, "a:MINE")
    others = (
        replace(mine, steps=("draft", "judge", "review")),
        replace(mine, version="2"),
        replace(mine, shows_reference=False),
        replace(mine, record="instruction"),
    )
    assert len({identify(one, "a:MINE") for one in (mine, *others)}) == 5


def test_labels_that_wait_in_the_graph_before_go_on_as_they_are(folder: Path) -> None:
    with project_of(folder, label={"labels": ["yes", "no"]}) as project:
        project.run("label", ["a text", "another text"])
        with project.store.transaction() as connection:
            older = {"id": LABEL.resumes[0], "recipe": "label", "shape": {}, "created_at": 0.0}
            insert_rows(connection, [(GraphVersion, older)])
            connection.execute(update(items).values(graph_version=older["id"]))
        assert outdated_threads(project.store, project.recipes) == 0
        for review in project.reviews():
            project.decide(review, "yes")
        assert project.resume().accepted == 2
        with project.store.connect() as connection:
            assert set(connection.execute(select(items.c.attempt)).scalars()) == {0}


@dataclass(frozen=True)
class Forgetful(Maker):
    def count(self, config: Config) -> int:
        return 1


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: replace(PREFERENCE, name="No Name"), "No Name"),
    (lambda: replace(PREFERENCE, record="poem"), "poem"),
    (lambda: replace(PREFERENCE, steps=("draft", "sing", "review")), "sing"),
    (lambda: replace(PREFERENCE, steps=("judge", "draft", "review")), "out of order"),
    (lambda: replace(PREFERENCE, steps=("draft", "judge")), "review"),
    (lambda: replace(PREFERENCE, steps=("draft", "revise", "judge", "review")), "critique"),
    (lambda: replace(PREFERENCE, maker="me"), "maker"),
    (lambda: replace(PREFERENCE, question=Accept()), "resolve"),
    (lambda: replace(PREFERENCE, maker=Forgetful()), "Forgetful"),
    (lambda: replace(LABEL, question=Choice(("only",))), "two"),
    (lambda: replace(LABEL, question=Choice(("same", "same"))), "same"),
    (lambda: replace(LABEL, question=Choice(("fine", "tie")), steps=("draft", "judge", "review")), "tie"),
    (lambda: replace(LABEL, maker=Instruct()), "stays as it is"),
    (lambda: replace(LABEL, maker=Given(), steps=("draft", "critique", "judge", "review")), "stays as it is"),
]


@pytest.mark.parametrize(("make", "named"), BAD)
def test_parts_that_do_not_fit_are_refused_by_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make()
    assert named in refused.value.cause
    assert refused.value.next_step


TABLES = [
    ('use = "nowhere:MINE"', "nowhere"),
    ('use = "json:dumps"', "json:dumps"),
    ('use = "solon.recipes.label:LABEL"', "'label'"),
]


@pytest.mark.parametrize(("table", "named"), TABLES)
def test_a_table_that_names_no_recipe_is_refused(folder: Path, table: str, named: str) -> None:
    key, value = table.split(" = ")
    config = parse_config({"recipes": {"mine": {key: value.strip('"')}}})
    with pytest.raises(ConfigError) as refused:
        Recipes(config).get("mine")
    assert named in refused.value.cause
    assert "mine" in refused.value.cause
    assert refused.value.next_step


def test_an_unknown_name_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(UsageError, match="no recipe 'instructions'") as refused:
        Recipes(Config()).get("instructions")
    assert "preference, instruction, label" in refused.value.next_step


def test_settings_are_checked_before_anything_is_stored(package: Path, folder: Path) -> None:
    (folder / "solon.toml").write_text(CONFIG + NAMED + "stiles = 3\n")
    code, _, err = solon(package, "run", "styled", "--seeds", "seeds.jsonl")
    assert code == 2
    assert "[recipes.styled] stiles: unknown key" in err
    assert "styles" in err
    assert not calls(folder)
    (folder / "solon.toml").write_text(CONFIG + "[recipes.preference]\nn = 3\n")
    code, _, err = solon(package, "run", "preference", "--seeds", "seeds.jsonl")
    assert code == 2
    assert "[recipes.preference] n" in err
