"""Functions as judges, critics and generators: journalled, bound to their source, never a score when they fail."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import critic, generator, judge
from solon.display.text import escape_html
from solon.errors import ConfigError, UsageError
from solon.plugins import BadAnswer, load_plugin, read_opinion
from solon.project import Project

SEEDS = [{"id": f"p{i}", "prompt": f"Name the parts of thing {i}"} for i in range(2)]


@judge("shorter", "1")
def shorter(a: str, b: str) -> dict[str, Any]:
    return {"verdict": "A" if len(a) <= len(b) else "B", "rationale": "it is shorter", "confidence": 0.9}


@judge("first", "1")
async def first(a: str, b: str) -> float:
    return 0.75


@judge("broken", "1")
def broken(a: str, b: str) -> str:
    raise ValueError("no such thing")


@judge("slow", "1", timeout=0.05)
def slow(a: str, b: str) -> str:
    time.sleep(1.0)
    return "A"


@judge("mad", "1")
def mad(prompt: str, a: str, b: str) -> str:
    return "the left one"


@critic("fussy", "1")
def fussy(answer: str, principles: list[str]) -> list[dict[str, str]]:
    return [{"severity": "minor", "principle": principles[0], "quote": answer[:4], "suggestion": "shorter"}]


@generator("echo", "2")
def echo(prompt: str, index: int) -> str:
    return f"Draft {index} about: {prompt}"


def rows(project: Project) -> list[Any]:
    from solon.store.tables import calls as table

    with project.store.connect() as connection:
        return list(connection.execute(select(table).where(table.c.model.startswith("python:"))))


def test_every_role_in_one_run(open_project: Any) -> None:
    mine = [shorter, first, broken, slow, mad, fussy, echo]
    project = open_project(plugins=mine, routing={"policy": "always"})
    run = project.run("preference", SEEDS)
    found = project.trace(project.reviews()[0].item_id)
    by_name = {p.identity: [v for v in found["verdicts"] if v["judge"] == p.identity] for p in mine}
    texts = {c["id"]: c["text"] for c in found["candidates"]}
    for verdict in by_name[shorter.identity]:  # the same candidate, whatever order was seen
        a, b = texts[verdict["a_id"]], texts[verdict["b_id"]]
        assert verdict["outcome"] == ("A" if len(a) <= len(b) else "B")
        assert verdict["rationale"] == "it is shorter"
    assert [(v["order"], v["outcome"], v["p"]) for v in by_name[first.identity]] == [
        ("AB", "A", 0.75),
        ("BA", "B", 0.25),
    ]
    for plugin, why in ((broken, "raised"), (slow, "timeout"), (mad, "bad_output")):
        assert {(v["outcome"], v["abstained"]) for v in by_name[plugin.identity]} == {("abstain", why)}
    assert {c["worst"] for c in found["critiques"]} == {"minor"}
    assert all(c["principles"] for c in found["critiques"])
    assert echo.identity in {c["author"] for c in found["candidates"]}
    told = {one.model: (one.role, one.texts, one.asked) for one in run.unusable}
    assert told == {plugin.identity: ("judge", 2, 2) for plugin in (broken, slow, mad)}
    line = next(line for line in run.spell_unusable() if mad.identity in line)
    assert f"judge {mad.identity} gave nothing usable on 2 of 2 texts; first: bad_output: " in line
    assert escape_html(line) in run._repr_html_()
    made = rows(project)
    assert {row.cost for row in made} == {0.0}
    assert {(row.input_tokens, row.output_tokens, row.attempts) for row in made} == {(0, 0, 0)}
    assert run.model_calls == sum(1 for c in found["calls"] if not c["model"].startswith("python:")) * 2


def test_answers_come_from_the_journal(open_project: Any) -> None:
    asked: list[str] = []

    @judge("counting", "1")
    def counting(a: str, b: str) -> str:
        asked.append(a)
        return "tie"

    project = open_project(plugins=[counting])
    run = project.run("preference", SEEDS)
    assert len(asked) == 4
    again = project.run("preference", SEEDS, new_run=True, reuse=run.run_id)
    assert len(asked) == 4
    assert again.model_calls == 0


def test_a_changed_function_is_another_judge(open_project: Any, folder: Path) -> None:
    code = 'from solon import judge\n\n\n@judge("mine", "1")\ndef mine(a, b):\n    return "%s"\n'
    (folder / "my_judges.py").write_text(code % "A")
    judges = [{"python": "my_judges:mine"}, {"persona": "a reader"}]
    project = open_project(judges=judges, routing={"policy": "always"})
    run = project.run("preference", SEEDS)
    _forget_module()
    (folder / "my_judges.py").write_text(code % "tie")
    changed = open_project(judges=judges, routing={"policy": "always"})
    with pytest.raises(UsageError, match=r"made differently: plugins\.my_judges:mine was"):
        changed.run("preference", SEEDS)
    with pytest.raises(ConfigError, match="the run was begun with python:mine@1"):
        changed.resume(run.run_id)
    assert changed.run("preference", SEEDS, new_run=True).pending_review == 2
    _forget_module()
    (folder / "my_judges.py").write_text(code % "A")
    assert open_project(judges=judges).resume(run.run_id).pending_review == 2


def _forget_module() -> None:
    import importlib
    import sys

    sys.modules.pop("my_judges", None)
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True


def test_a_single_candidate_is_scored(open_project: Any) -> None:
    @judge("lengthy", "1")
    def lengthy(answer: str, criteria: list[str]) -> dict[str, float]:
        return dict.fromkeys(criteria, 5.0)

    @judge("doubtful", "1")
    def doubtful(answer: str) -> float:
        return 0.25

    @generator("pairs", "1")
    def pairs(prompt: str, seed: int) -> dict[str, str]:
        return {"instruction": f"Say what {seed} has to do with it", "response": "Nothing at all."}

    project = open_project(plugins=[lengthy, doubtful, pairs], routing={"policy": "always"})
    project.run("instruction", SEEDS)
    found = project.trace(project.reviews()[0].item_id)
    said = {v["judge"]: (v["outcome"], v["p"]) for v in found["verdicts"]}
    assert said[lengthy.identity] == ("accept", None)
    assert said[doubtful.identity] == ("reject", 0.25)


def test_only_functions_of_ones_own_draft(open_project: Any, folder: Path) -> None:
    (folder / "my_drafts.py").write_text(
        'from solon import generator\n\n\n@generator("own", "1")\ndef own(index, seed):\n'
        '    return f"draft {index} {seed}"\n'
    )
    project = open_project(generator={"models": [], "python": "my_drafts:own"}, routing={"policy": "always"})
    project.run("preference", SEEDS)
    found = project.trace(project.reviews()[0].item_id)
    assert {c["author"].split("+")[0] for c in found["candidates"]} == {"python:own@1"}


def test_wrong_plugins_are_refused_by_name(open_project: Any) -> None:
    with pytest.raises(UsageError, match="a judge is given no 'answers'"):
        judge("x", "1")(lambda answers: "A")
    with pytest.raises(UsageError, match="letters, digits"):
        judge("a name", "1")
    with pytest.raises(ConfigError, match="a judge is wanted, and this is a critic"):
        load_plugin("x:y", "judge", {"x:y": fussy})
    with pytest.raises(ConfigError, match="ModuleNotFoundError"):
        open_project(judges=[{"python": "no_such_module:f"}]).run("preference", SEEDS)
    with pytest.raises(UsageError, match="there is one critic"):
        open_project(plugins=[fussy, fussy])


def test_the_doctor_finds_a_function_that_is_none(open_project: Any) -> None:
    project = open_project(judges=[{"python": "no_such_module:f"}, {"model": "default"}], plugins=[fussy])
    found = {(check.name, check.state) for check in project.doctor(offline=True)}
    assert {("judge", "broken"), ("critic", "ok")} <= found
    (told,) = (check for check in project.doctor(offline=True) if check.name == "judge")
    assert "no_such_module" in told.told
    assert told.next_step


@pytest.mark.parametrize("value", [True, float("nan"), 1.5, "C", ["A"], {"verdict": "A", "sure": 1}])
def test_answers_outside_the_contract(value: Any) -> None:
    with pytest.raises(BadAnswer):
        read_opinion(value, ("A", "B"))


def test_a_plugin_stays_callable() -> None:
    assert shorter("a", "bb")["verdict"] == "A"
    assert shorter.identity.startswith("python:shorter@1+")


def test_a_function_that_ends_the_program_only_abstains(open_project: Any) -> None:
    @judge("quits", "1")
    def quits(a: str, b: str) -> str:
        raise SystemExit(3)

    @judge("quits-later", "1")
    async def quits_later(a: str, b: str) -> str:
        raise SystemExit(3)

    project = open_project(plugins=[quits, quits_later])
    assert project.run("preference", SEEDS).failed == 0
    assert {row.outcome for row in rows(project)} == {"raised"}


@pytest.mark.parametrize("decorator", [judge, critic, generator])
def test_a_decorator_without_its_name_or_version_says_how_it_is_written(decorator: Any) -> None:
    def plain(answer: str) -> str:
        return answer

    for attempt in (
        lambda: decorator(plain),
        lambda: decorator("x")(plain),
        lambda: decorator(3, "1")(plain),
    ):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert f'@{decorator.__name__}("shorter", "1")' in (caught.value.next_step or "")
