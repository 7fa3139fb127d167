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
from solon.cli.review import show as show_review
from solon.cli.show import draw
from solon.config import Config, parse_config
from solon.errors import ConfigError, OtherRecipe, PartFailed, UsageError
from solon.graphs.versions import outdated_threads
from solon.operations.doctor import examine
from solon.operations.recipes import list_recipes
from solon.recipes import Accept, Answer, Choice, Given, Instruct, Maker, Pair, Recipe, Seeds
from solon.recipes.label import LABEL
from solon.recipes.preference import PREFERENCE
from solon.recipes.registry import Recipes, identify
from solon.recipes.spans import LABEL_SPANS
from solon.store.database.writer import insert_rows
from solon.store.tables import items
from solon.store.tables.runs import GraphVersion

STYLED = '''\
"""Answers in a style that is drawn for each of them."""

from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

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
        return styled.draft(await styled.ask("styled.answer"))


STYLED = Recipe(
    "styled",
    record="preference",
    maker=Styled(),
    question=Pair(),
    steps=("draft", "judge", "review"),
    settings=Settings,
)
'''
TEMPLATE = """\
---
name: styled.answer
version: "1"
output: text
variables: [prompt]
---
# system
Answer the request.
# user
{{ prompt | fence("request", mark) }}
"""
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
    (site / "prompts").mkdir()
    (site / "prompts" / "styled.answer.md").write_text(TEMPLATE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: styled-answers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[solon.recipes]\nstyled = styled_answers:STYLED\n")
    (folder / "solon.toml").write_text(CONFIG)
    (folder / "seeds.jsonl").write_text(
        "".join(json.dumps({"id": f"s{n}", "prompt": f"Explain thing {n}."}) + "\n" for n in range(3))
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
    until = time.monotonic() + 300
    while len(calls(folder)) < 5 and running.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    before = calls(folder)
    code, out, err = solon(package, "resume", "--json")
    assert code == 3, err
    again = calls(folder)[len(before) :]
    # The same styles were drawn: else the texts, and with them the keys of the calls, would be others.
    assert len(set(before) | set(again)) == 3 * 6
    for row in json.loads(solon(package, "review", "list", "--json")[1])["reviews"]:
        words = ("prefer", "--candidate", "1", "--rationale", "It says what was asked.")
        code, _, err = solon(package, "review", "decide", row["id"], *words)
        assert code == 0, err
    assert solon(package, "resume")[0] == 0
    code, out, err = solon(
        package, "export", "--format", "trl-preference", "--output", "pairs.jsonl", "--json"
    )
    assert (code, len((folder / "pairs.jsonl").read_text().splitlines())) == (0, 3), err
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
        replace(mine, source=Seeds(most_given=2)),
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


@dataclass(frozen=True)
class Slow(Maker):
    def count(self, config: Config) -> int:
        return 2

    def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        return None


@dataclass(frozen=True)
class Wordy(Answer):
    def count(self, config: Config) -> Any:
        return "two"


@dataclass(frozen=True)
class Unlucky(Answer):
    async def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        raise ValueError("no luck today")


@dataclass(frozen=True)
class Numeric(Answer):
    async def make(self, case: Any, index: int, *, round: int, guidance: str, findings: str) -> Any:
        return 42


def labelled(*labels: Any) -> Recipe:
    return replace(LABEL, question=Choice(labels))


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: replace(PREFERENCE, name="No Name"), "No Name"),
    (lambda: replace(PREFERENCE, record="poem"), "poem"),
    (lambda: replace(PREFERENCE, steps=("draft", "sing", "review")), "sing"),
    (lambda: replace(PREFERENCE, steps=("judge", "draft", "review")), "out of order"),
    (lambda: replace(PREFERENCE, steps=("draft", "judge")), "review"),
    (lambda: replace(PREFERENCE, steps=("draft", "revise", "judge", "review")), "critique"),
    (lambda: replace(PREFERENCE, maker="me"), "maker"),
    (lambda: replace(PREFERENCE, question=Accept()), "Accept makes no preference records"),
    (lambda: replace(PREFERENCE, record="label"), "Pair makes no label records"),
    (lambda: replace(LABEL_SPANS, steps=("draft", "judge", "resolve", "review")), "resolve"),
    (lambda: replace(PREFERENCE, maker=Forgetful()), "Forgetful"),
    (lambda: replace(LABEL, question=Choice(("only",))), "two"),
    (lambda: replace(LABEL, question=Choice(("same", "same"))), "same"),
    (lambda: replace(LABEL, question=Choice(("fine", "tie")), steps=("draft", "judge", "review")), "tie"),
    (lambda: labelled("skip", "other"), "'skip' can be no label"),
    (lambda: labelled("contested", "other"), "'contested' can be no label"),
    (lambda: labelled("a|b", "other"), "'a|b' can be no label"),
    (lambda: labelled("", "other"), "'' can be no label"),
    (lambda: labelled(" a", "other"), "' a' can be no label"),
    (lambda: labelled("a\nb", "other"), "can be no label"),
    (lambda: labelled("x" * 61, "other"), "can be no label"),
    (lambda: labelled(1, 2), "1 can be no label"),
    (lambda: labelled("a_b", "a b"), "twice"),
    (lambda: replace(LABEL, question=Choice("abc")), "one text"),  # type: ignore[arg-type]
    (lambda: Recipe("mine", record="preference", maker=Given(), question=Pair()), "Given(most=1)"),
    (lambda: replace(LABEL, maker=Given(most=0)), "Given(most=0)"),
    (lambda: replace(PREFERENCE, source=Seeds(most_given=-1)), "most_given=-1"),
    (lambda: replace(PREFERENCE, maker=Slow()), "Slow.make is not async"),
    (lambda: replace(PREFERENCE, settings=dict), "is no model"),
    (lambda: replace(PREFERENCE, version=2), "is no text"),
    (lambda: replace(LABEL, maker=Instruct()), "stays as it is"),
    (lambda: replace(LABEL, maker=Given(), steps=("draft", "critique", "judge", "review")), "stays as it is"),
]


@pytest.mark.parametrize(("make", "named"), BAD)
def test_parts_that_do_not_fit_are_refused_by_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make()
    assert named in refused.value.cause
    assert refused.value.next_step


def test_a_list_will_do_where_a_tuple_is_kept() -> None:
    made = replace(LABEL, question=Choice(["yes", "no"]), steps=["draft", "judge", "review"])  # type: ignore[arg-type]
    kept = replace(LABEL, question=Choice(("yes", "no")), steps=("draft", "judge", "review"))
    assert hash(made) == hash(kept)
    assert identify(made, "a:MINE") == identify(kept, "a:MINE")


@pytest.mark.parametrize(
    ("maker", "told"), [(Unlucky(), "Unlucky.make raised ValueError"), (Numeric(), "Numeric.make gave int")]
)
def test_a_maker_that_fails_is_named_and_its_item_kept(folder: Path, maker: Maker, told: str) -> None:
    mine = Recipe(
        "mine", record="preference", maker=maker, question=Pair(), steps=("draft", "judge", "review")
    )
    with project_of(folder, mine) as project:
        run_id = project.run("mine", ["Explain one thing."]).run_id
        (item,) = project.items(run_id=run_id)
        assert item.state == "parked"
        assert told in str(item.reason)
        assert f"solon resume {run_id} --adopt-recipe" in str(item.reason)
    with project_of(folder, replace(mine, maker=Answer())) as project:
        project.adopt_recipe(run_id)
        assert project.resume(run_id).pending_review == 1


def test_a_maker_that_gives_no_number_is_refused_before_the_first_call(folder: Path) -> None:
    mine = replace(PREFERENCE, name="mine", maker=Wordy())
    with project_of(folder, mine) as project:
        with pytest.raises(PartFailed, match=r"Wordy\.count gave 'two'"):
            project.run("mine", ["Explain one thing."])
        with pytest.raises(PartFailed, match=r"Wordy\.count gave 'two'"):
            project.plan(10, recipe="mine", experts=1, minutes=10, days=1)
        told = {one.name: one.problem for one in list_recipes(project.recipes, project.config)}
    assert "Wordy.count gave 'two'" in told["mine"]


def test_what_is_given_from_python_is_checked_before_a_store_is_made(folder: Path) -> None:
    mine = replace(PREFERENCE, name="mine")
    for given, told in (
        ([mine, replace(mine, version="2")], "two recipes"),
        (["mine"], "no recipe"),
        (mine, "list"),
    ):
        with pytest.raises(UsageError, match=told):
            Project(f"sqlite:///{folder}/none.db", config={}, recipes=given)  # type: ignore[arg-type]
    assert not (folder / "none.db").exists()


def test_a_module_that_refuses_itself_says_only_that(folder: Path) -> None:
    (folder / "refused.py").write_text(
        "from solon.recipes import *\n"
        'MINE = Recipe("mine", record="label", maker=Given(), question=Choice(("only",)), steps=("draft", "review"))\n'
    )
    with pytest.raises(ConfigError) as refused:
        Recipes(parse_config({"recipes": {"mine": {"use": "refused:MINE"}}})).get("mine")
    assert "'refused:MINE'" in refused.value.cause
    assert "two labels" in refused.value.cause
    assert "run from the folder" not in str(refused.value)


def test_a_table_without_use_says_what_it_lacks(folder: Path) -> None:
    with pytest.raises(ConfigError, match="does not say which recipe") as refused:
        Recipes(parse_config({"recipes": {"mine": {"many": 3}}})).get("mine")
    assert "use" in refused.value.next_step


def test_doctor_tells_of_recipes_and_of_runs_whose_recipe_changed(folder: Path) -> None:
    mine = replace(PREFERENCE, name="mine", steps=("draft", "judge", "review"))
    with project_of(folder, mine) as project:
        run_id = project.run("mine", ["Explain one thing."]).run_id
    with project_of(folder, recipes={"mine": {"use": f"{__name__}:MINE_NOW"}}) as project:
        config = project.config.model_copy(update={"store": project.store.url})
        told = [check for check in examine(config, offline=True) if check.name == "recipe"]
        with pytest.raises(UsageError, match="made differently") as refused:
            project.run("mine", ["Explain one thing."])
    assert [check.state for check in told] == ["ok", "note"]
    assert run_id in told[1].told
    assert f"solon resume {run_id} --adopt-recipe" in told[1].next_step
    assert f"solon resume {run_id} --adopt-recipe" in refused.value.next_step
    lost = config.model_copy(update={"recipes": {"mine": {"use": "nowhere:MINE"}}})
    told = [check for check in examine(lost, offline=True) if check.name == "recipe"]
    assert [check.state for check in told] == ["broken", "note"]
    assert "nowhere" in told[1].told


MINE_NOW = replace(PREFERENCE, name="mine", steps=("draft", "judge", "resolve", "review"))


def test_nothing_is_said_of_judging_ones_own_where_nothing_is_drafted(folder: Path) -> None:
    labels = replace(labelled("yes", "no"), name="mine", steps=("draft", "judge", "review"))
    with project_of(folder, labels) as project:
        plan = project.plan(10, recipe="mine", experts=1, minutes=10, days=1)
        assert not [note for note in plan.notes if "family" in note]
        assert not [note for note in project.preview("mine", ["One."], n=1).notes if "family" in note]
        plan = project.plan(10, recipe="preference", experts=1, minutes=10, days=1)
        assert [note for note in plan.notes if "family" in note]


def test_an_export_of_an_unknown_recipe_is_refused_and_a_preview_takes_no_items_away(folder: Path) -> None:
    with project_of(folder) as project:
        project.run("preference", ["Explain one thing.", "Explain another."])
        project.preview("preference", ["Explain one thing.", "Explain another."], n=2)
        with pytest.raises(UsageError, match="no run of the store is of the recipe 'nono'") as refused:
            project.export("jsonl", folder / "none.jsonl", recipe="nono")
        assert "preference" in refused.value.next_step
        assert not (folder / "none.jsonl").exists()
        assert project.export("jsonl", folder / "all.jsonl").left_out == {"pending": 2}


def test_the_lineage_of_a_label_names_it_and_its_answer_can_be_pasted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = replace(labelled("two words", "other"), name="mine")
    with project_of(folder, labels) as project:
        project.run("mine", ["One."])
        review = project.reviews()[0]
        show_review(review.id, store=project.store.url)
        shown = " ".join(capsys.readouterr().out.split())
        assert "labels: 'two words', other;" in shown
        assert f"review decide {review.id} LABEL" in shown
        project.decide(review, "two words")
        project.resume()
        record = project.records()[0]
        assert str(draw(project.trace(record.id)).label) == f"record {record.id}: label two words"


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
    names = "instruction-schema, instruction-free"
    assert names in refused.value.next_step


def test_settings_are_checked_before_anything_is_stored(package: Path, folder: Path) -> None:
    (folder / "solon.toml").write_text(CONFIG + NAMED + "stiles = 3\n")
    code, _, err = solon(package, "run", "styled", "--seeds", "seeds.jsonl")
    assert code == 2
    line = (CONFIG + NAMED).count("\n") + 1
    assert f"solon.toml, line {line}: [recipes.styled] stiles: unknown key" in err
    assert "styles" in err
    assert not calls(folder)
    (folder / "solon.toml").write_text(CONFIG + "[recipes.preference]\nn = 3\n")
    code, _, err = solon(package, "run", "preference", "--seeds", "seeds.jsonl")
    assert code == 2
    assert "[recipes.preference] n" in err
    assert f"solon.toml, line {CONFIG.count(chr(10)) + 2}: " in err
    assert not (folder / "solon.db").exists()


def test_a_mistyped_recipe_begins_no_store(folder: Path, command: Any) -> None:
    (folder / "seeds.jsonl").write_text('{"prompt": "Explain one thing."}\n')
    code, _, err = command("run", "preferense", "--seeds", "seeds.jsonl")
    assert (code, "no recipe 'preferense'" in err) == (2, True)
    assert command("golden", "import", "seeds.jsonl", "--recipe", "preferense")[0] == 2
    assert not (folder / "solon.db").exists()


def test_the_list_speaks_of_labels_only_where_they_are_asked_for(folder: Path, command: Any) -> None:
    code, out, err = command("recipes")
    assert (code, "needs labels" in out + err) == (0, False)
    own = """from dataclasses import replace
from solon.recipes.label import LABEL
MINE = replace(LABEL, name="mine_without_labels")
"""
    (folder / "labelled_without.py").write_text(own)
    with (folder / "solon.toml").open("a") as file:
        file.write('[recipes.mine_without_labels]\nuse = "labelled_without:MINE"\n')
    code, out, err = command("recipes")
    assert (code, "mine_without_labels: the recipe" in out + err) == (0, True)


def test_a_worker_that_leaves_decisions_out_says_so_and_fails(folder: Path, command: Any) -> None:
    mine = replace(PREFERENCE, name="mine", steps=("draft", "judge", "review"))
    with project_of(folder, mine) as project:
        project.run("mine", ["Explain one thing."])
        project.run("preference", ["Explain one thing."])
        for review in project.reviews(state="waiting"):
            project.decide(review, "prefer", review.candidates[0], rationale="better")
    code, _, err = command("worker", "--once", "--seconds", "0.1", "--store", f"sqlite:///{folder}/own.db")
    assert code == 1, err
    assert "begun with the recipe given:mine@0+" in err
    assert "left out" in err
    with project_of(folder) as project:
        assert {one.recipe: one.accepted for one in project.runs()} == {"mine": 0, "preference": 1}


def test_one_given_text_and_its_revision_are_a_pair() -> None:
    alone = replace(PREFERENCE, name="mine", maker=Given())
    assert alone.pairing_under(parse_config({"preference": {"pairing": "draft-revision"}})).beside
    with pytest.raises(ConfigError, match=r"Given\(most=1\) never has what a Pair shows"):
        alone.pairing_under(Config())
