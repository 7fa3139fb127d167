"""Templates that come with a recipe of one's own, and what a part asks with them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import select

from solon import Project
from solon.errors import ConfigError
from solon.operations.recipes import list_recipes
from solon.recipes import Accept, Maker, Recipe
from solon.recipes.registry import Recipes
from solon.store.tables import calls, candidates, texts

RECIPE = """\
from dataclasses import dataclass

from solon.recipes import Maker, Pair, Recipe


@dataclass(frozen=True)
class Styled(Maker):
    def count(self, config):
        return 2

    async def make(self, case, index, *, round, guidance, findings):
        return case.draft(await case.ask("styled.answer", style=("in short", "at length")[index]))


STYLED = Recipe(
    "styled", record="preference", maker=Styled(), question=Pair(), steps=("draft", "judge", "review")
)
"""
TEMPLATE = """\
---
name: styled.answer
version: "1"
output: text
variables: [constitution, prompt, style]
trusted: [constitution, style]
---
# system
Principles:
{{ constitution }}

# user
{{ prompt | fence("request", mark) }}
Answer the request {{ style }}.
"""
CONFIG = """\
[models.default]
model = "scripted:default"
[routing]
policy = "always"
audit_share = 0.0
[recipes.styled]
use = "styled_by_template:STYLED"
"""


@pytest.fixture
def place(folder: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in the working folder, with a template beside it."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "styled_by_template", raising=False)
    (folder / "styled_by_template.py").write_text(RECIPE)
    (folder / "prompts").mkdir()
    (folder / "prompts" / "styled.answer.md").write_text(TEMPLATE)
    (folder / "solon.toml").write_text(CONFIG)
    return folder


def test_a_template_beside_a_recipe_is_asked_with_fenced_pinned_and_listed(place: Path, command: Any) -> None:
    (place / "seeds.jsonl").write_text(json.dumps({"prompt": "Say what a heron is."}) + "\n")
    code, out, err = command("run", "styled", "--seeds", "seeds.jsonl", "--json")
    assert code == 3, err
    run_id = json.loads(out)["run_id"]
    with Project(f"sqlite:///{place}/solon.db", config="solon.toml") as project:
        asked = select(calls.c.id, calls.c.template, calls.c.seat, calls.c.sample, texts.c.body).join(
            texts, texts.c.id == calls.c.prompt_id
        )
        with project.store.connect() as connection:
            drafted = connection.execute(asked.where(calls.c.role == "generator")).all()
            made = set(connection.execute(select(candidates.c.call_id)).scalars())
        assert {(one.template, one.seat) for one in drafted} == {("styled.answer@1", "styled.answer")}
        assert {one.sample for one in drafted} == {0, 1}
        assert made == {one.id for one in drafted}, "a candidate knows the call that it comes from"
        assert all("[request " in one.body and "Say what a heron is." in one.body for one in drafted)
        assert {"in short" in one.body for one in drafted} == {True, False}
        # Editing the file changes no run that is under way, and a run that goes on asks nothing again.
        path = place / "prompts" / "styled.answer.md"
        path.write_text(TEMPLATE.replace("Answer the", "Please answer the"))
        before = project.summarize(run_id).model_calls
        assert project.resume(run_id).model_calls == before
    code, out, _ = command("prompts", "list", "--recipe", "styled", "--json")
    assert (code, "styled.answer" in [one["name"] for one in json.loads(out)["prompts"]]) == (0, True)
    assert "styled.answer" not in command("prompts", "list")[1]
    assert "Please answer" in command("prompts", "show", "styled.answer", "--recipe", "styled")[1]
    assert command("prompts", "check", "--recipe", "styled")[0] == 0
    path.write_text("no head")
    code, _, err = command("config", "check")
    assert (code, "styled.answer.md" in err) == (2, True)


def test_prompts_dir_can_change_a_template_that_comes_with_a_recipe(place: Path) -> None:
    mine = place / "mine"
    mine.mkdir()
    (mine / "styled.answer.md").write_text(TEMPLATE.replace("Answer the", "Please answer the"))
    config = {"recipes": {"styled": {"use": "styled_by_template:STYLED"}}, "prompts_dir": str(mine)}
    with Project(f"sqlite:///{place}/own.db", config=config) as project:
        assert "Please answer" in project.prompts.show("styled.answer", recipe="styled").source


BAD = [
    ('| fence("request", mark) ', "", "line 13: `prompt` stands without `fence`"),
    ("{{ style }}", "{{ stile }}", "line 14: `stile` is none of its variables"),
    ("{{ style }}", "{{ style", "line 14: "),
    ("{{ style }}", "{{ style // 0 }}", "line 14: "),
    ("trusted: [constitution, style]", "trusted: [constitution]", "line 14: `style` stands without"),
    ('version: "1"\n', "", "has no 'version'"),
    ("output: text", "output: [", "line 4"),
    ("# user", "# people", "it needs the parts"),
    (
        "variables: [constitution, prompt, style]",
        "variables: [constitution, prompt, style, schema]",
        "can be called 'schema'",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), BAD)
def test_a_bad_template_is_refused_with_file_and_line_before_anything_is_stored(
    place: Path, old: str, new: str, told: str
) -> None:
    path = place / "prompts" / "styled.answer.md"
    assert old in TEMPLATE
    path.write_text(TEMPLATE.replace(old, new))
    with Project(f"sqlite:///{place}/own.db", config="solon.toml") as project:
        with pytest.raises(ConfigError) as refused:
            project.run("styled", ["Say what a heron is."])
        assert str(path) in refused.value.cause
        assert told in refused.value.cause
        assert not project.runs()
        known = list_recipes(Recipes(project.config), project.config)
        assert told in next(one.problem for one in known if one.name == "styled")


class Task(BaseModel):
    task: str
    answer: str


@dataclass(frozen=True)
class Tasks(Maker):
    """A task with its answer, in a schema of its own."""

    def count(self, config: Any) -> int:
        return 1

    async def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        written = await case.ask("judge.explain", schema=Task, persona="", first="a", second="b", verdict="A")
        return case.draft(written.answer, prompt=written.task)


@dataclass(frozen=True)
class Mistyped(Tasks):
    async def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        return case.draft(await case.ask("judge.explane"))


@dataclass(frozen=True)
class Forgetful(Tasks):
    async def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        return case.draft(await case.ask("judge.explain", persona=""))


@dataclass(frozen=True)
class Plain(Tasks):
    """Made by code alone."""

    async def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        return case.draft("A heron is a bird.", prompt="Say what a heron is.")


def project_of(folder: Path, maker: Maker) -> Project:
    mine = Recipe(
        "mine", record="instruction", maker=maker, question=Accept(), steps=("draft", "judge", "review")
    )
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    return Project(f"sqlite:///{folder}/own.db", config=config, recipes=[mine])


def test_an_answer_in_a_schema_becomes_a_task_with_its_response(folder: Path) -> None:
    with project_of(folder, Tasks()) as project:
        assert project.run("mine", ["A seed."]).pending_review == 1
        with project.store.connect() as connection:
            (made,) = connection.execute(select(candidates)).all()
        assert made.prompt_text_id
        assert made.call_id


def test_what_code_alone_makes_comes_from_no_call(folder: Path) -> None:
    with project_of(folder, Plain()) as project:
        assert project.run("mine", ["A seed."]).pending_review == 1
        with project.store.connect() as connection:
            made = connection.execute(select(candidates.c.call_id, candidates.c.author)).all()
        assert made == [(None, "code")]


@pytest.mark.parametrize(
    ("maker", "told", "next_step"),
    [
        (Mistyped(), "there is no template 'judge.explane'", "judge.explain"),
        (Forgetful(), "declared and given variables differ in first, second, verdict", ""),
    ],
)
def test_a_template_that_is_asked_wrongly_stops_the_run_before_it_is_paid(
    folder: Path, maker: Maker, told: str, next_step: str
) -> None:
    with project_of(folder, maker) as project:
        with pytest.raises(ConfigError, match=told) as refused:
            project.run("mine", ["A seed."])
        assert next_step in refused.value.next_step
        with project.store.connect() as connection:
            assert not connection.execute(select(calls.c.id)).all()
