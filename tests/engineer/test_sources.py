"""What plans, previews, lists and comparisons say of recipes whose seeds are several items, or passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from solon import Project
from solon.operations.preview import preview
from solon.operations.recipes import list_recipes
from solon.recipes import Documents, Pool, Recipe, Seeds
from solon.recipes.instruction import INSTRUCTION
from solon.recipes.preference import PREFERENCE

SEEDS = [{"id": f"s{i}", "prompt": f"Explain in plain words what thing number {i} does"} for i in range(6)]
THREE = replace(PREFERENCE, name="three", source=Seeds(expand=3), steps=("draft", "judge", "review"))
ONE = replace(THREE, name="one", source=Seeds())
TEAM: dict[str, Any] = {"experts": 2, "minutes": 30.0, "days": 5}


def open_project(folder: Path, recipes: Sequence[Recipe], **routing: Any) -> Project:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0, **routing},
    }
    return Project(f"sqlite:///{folder}/sources.db", config=config, recipes=recipes)


def test_plans_and_lists_count_every_item(folder: Path) -> None:
    with open_project(folder, [ONE, THREE], policy="always") as project:
        one, three = (project.plan(recipe=name, items=4, **TEAM) for name in ("one", "three"))
        assert (one.items, three.items) == (4, 12)
        assert three.calls.likely == 3 * one.calls.likely
        assert three.wanted_reviews.likely == 12
        of_file = project.plan(recipe="three", seeds=SEEDS, **TEAM)
        assert (of_file.items, sum(group.items for group in of_file.groups)) == (18, 18)
        short = project.plan(recipe="three", items=4000, **TEAM)
        (fewer,) = [way for way in short.ways_out if "--limit" in way.paste]
        assert 3 * int(fewer.paste.rpartition(" ")[2]) <= short.affordable_reviews.likely
        facts = {fact.name: fact.calls for fact in list_recipes(project.recipes, project.config)}
        assert facts["three"] == tuple(3 * number for number in facts["one"])


def test_a_preview_takes_the_first_item_of_each_seed(folder: Path) -> None:
    with open_project(folder, [THREE]) as project:
        found = preview("three", SEEDS, project, n=2, draw=1)
        assert (len(found.items), found.seeds) == (2, 6)
        mean = sum(item.calls for item in found.items) / 2
        assert found.whole["calls"].likely == mean * 18
        before = found.calls_made
        summary = project.run("three", SEEDS)
        assert summary.items == 18
        assert summary.model_calls == 18 * mean - before, "what the preview paid for is not paid again"


def test_a_preview_of_a_pool_leaves_its_draws_to_be_found_again(folder: Path) -> None:
    grow = replace(INSTRUCTION, name="grow", source=Pool(examples=2), steps=("draft", "judge", "review"))
    with open_project(folder, [grow]) as project:
        preview("grow", SEEDS, project, n=4, draw=1)
        with project.store.connect() as connection:
            drawn = "SELECT external_id FROM seeds JOIN items ON seeds.id = items.seed_id WHERE examples IS NOT NULL"
            shown = list(connection.exec_driver_sql(drawn).scalars())
        assert len(shown) == 4
        assert project.forget(shown[0]).shown_to_others > 0


def test_the_items_of_a_seed_are_told_apart_in_comparisons(folder: Path) -> None:
    with open_project(folder, [THREE]) as project:
        first = project.run("three", SEEDS[:2]).run_id
        second = project.run("three", SEEDS[:2], new_run=True).run_id
        made = project.diff(first, second)
        assert sorted(change.seed for change in made.changes) == [
            "s0",
            "s0 (2)",
            "s0 (3)",
            "s1",
            "s1 (2)",
            "s1 (3)",
        ]
        assert project.evaluate("compare", runs=[first, second]).n == 6


def test_a_plan_reads_passages(folder: Path) -> None:
    passages = replace(ONE, name="passages", source=Documents(size=40))
    text = "One sentence is here. Another one is there. A third one ends it."
    with open_project(folder, [passages]) as project:
        assert project.plan(recipe="passages", seeds=[{"prompt": text}], **TEAM).items == 3
