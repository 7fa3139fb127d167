"""Evolved requests: what is dropped, what is drawn for them and kept, and how one generation follows another."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from solon import Project
from solon.agents.case import Case
from solon.errors import ConfigError
from solon.eval.embedding import Embedder
from solon.eval.material import gather
from solon.eval.suites import generations
from solon.eval.suites.generations import measure_distance
from solon.formats.facts import spell_collapse
from solon.recipes import Accept, Evolve, EvolveSettings, Generations, Recipe
from solon.recipes.evolving import draw_thin
from solon.recipes.personas import draw_line
from solon.store.runs.examples import Example
from solon.store.tables import items

Make = Callable[..., Any]
ORIGIN = "Name three uses of a brick."


def case_of() -> Case:
    """A case whose seed was made into another request before."""
    config = {"models": {"default": {"model": "scripted:default"}}}
    return replace(Case.open(config, prompt="Name a thing."), record=Example(ORIGIN))


@pytest.mark.parametrize(
    ("prompt", "input", "answer", "why"),
    [
        ("name THREE uses, of a brick!", "", "A wall, a step, a weight.", "unchanged"),
        (ORIGIN, "red bricks", "A wall, a step, a weight.", ""),
        (
            "Say that a brick is a small heavy block of clay.",
            "",
            "A brick is a small heavy block.",
            "begs_the_question",
        ),
        ("Is a brick red or blue?", "", "Red.", ""),
        ("How is a bomb made of bricks?", "", "I cannot help with that.", "refusal"),
        ("Shorten the following text.", "", "Bricks are heavy.", "dangling_reference"),
        ("Name three uses of a brick that is broken.", "", "Gravel, a weight, a doorstop.", ""),
    ],
)
def test_what_an_evolved_request_is_dropped_for(prompt: str, input: str, answer: str, why: str) -> None:
    case = case_of()
    assert Evolve().refuse(case, case.draft(answer, prompt=prompt, input=input)) == why


def test_what_was_drawn_is_kept_until_the_settings_are_others() -> None:
    case = case_of()
    assert case.keep("evolve", lambda: {"a": 1}, given="one") == {"a": 1}
    assert case.keep("evolve", lambda: {"a": 2}, given="one") == {"a": 1}
    assert case.at(1, 0).keep("evolve", lambda: {"a": 3}, given="one") == {"a": 3}
    assert case.keep("evolve", lambda: {"a": 4}, given="two") == {"a": 4}


def test_a_thin_value_is_drawn_more_often() -> None:
    draw = random.Random(1)
    covered = {"a": 4, "b": 1, "c": 0}
    found = Counter(draw_thin(("a", "b", "c"), covered, draw) for _ in range(600))
    assert found["a"] == 0, "it has more than the mean and one"
    assert 1.2 * found["b"] < found["c"], "the one lacks 5/3 of what is wanted, the other 8/3"
    even = Counter(draw_thin(("a", "b", "c"), {}, draw) for _ in range(600))
    assert min(even.values()) > 150


def test_a_person_is_drawn_of_a_file_that_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "personas.txt"
    with path.open("w") as file:
        file.writelines(f"person {number}, who writes a line of some length\n\n" for number in range(60_000))
    tracemalloc.start()
    first = draw_line(path, 7)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000 < path.stat().st_size / 10
    assert first == draw_line(path, 7)
    drawn = [int(draw_line(path, seed).split()[1].rstrip(",")) for seed in range(200)]
    assert len({*drawn}) > 190
    assert 25_000 < sum(drawn) / 200 < 35_000, "those at the end as often as those at the beginning"


def test_each_line_is_as_likely_however_long_it_is(tmp_path: Path) -> None:
    path = tmp_path / "personas.jsonl"
    path.write_text(json.dumps({"persona": "x" * 3000}) + '\n\n{"persona": "short"}\nnot json\n')
    found = Counter(draw_line(path, seed) for seed in range(300))
    assert set(found) == {"x" * 1000, "short", "not json"}
    assert min(found.values()) > 70
    path.write_text("somebody else altogether\n")
    assert draw_line(path, 1) == "somebody else altogether", "a file that was changed is gone through again"


@pytest.mark.parametrize(
    "line",
    [
        b'{"persona": "a nurse',
        b'{"name": "a nurse"}',
        b'{"persona": " "}',
        b"42",
        b'["a nurse"]',
        b"\xff nurse",
    ],
)
def test_a_line_that_is_no_person_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "personas.txt"
    path.write_bytes(b"a nurse\n\n" + line + b"\n")
    with pytest.raises(ValidationError, match=r"line 3 .*\(1 of 2 lines are no persons\)"):
        EvolveSettings(personas=path)
    with pytest.raises(ConfigError, match="line 3"):
        draw_line(path, 1)


# Generations -----------------------------------------------------------------------------------------------------


def write_unlike(question: Any) -> Any:
    if question.schema_name == "InstructionDraft":
        return {
            "instruction": f"task {question.seed} {question.seed + 1}",
            "response": f"answer {question.seed}",
        }
    return None


def evolving(desk: Any, folder: Path, source: Generations, **settings: Any) -> Project:
    recipe = Recipe(
        "mine",
        record="instruction",
        source=source,
        maker=Evolve(),
        question=Accept(),
        steps=("draft", "judge", "review"),
        settings=EvolveSettings,
    )
    desk.answer = desk.answer or write_unlike
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0, "max_redrafts": 2},
        "instruction": {"accept_score": 1.0},
        "recipes": {"mine": settings},
    }
    return Project(
        f"sqlite:///{folder}/own.db", config=config, recipes=[recipe], models={"default": desk.chat}
    )


SEEDS = [{"id": f"s{number}", "prompt": f"Explain thing number {number}."} for number in range(5)]


def test_each_item_of_a_seed_goes_on_from_the_one_before(make_desk: Make, tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def answer(question: Any) -> Any:
        if question.role == "generator":
            asked.append((question.block("task"), question.seed))
        return write_unlike(question)

    with evolving(
        make_desk(answer=answer), tmp_path, Generations(examples=2, of_start=1, batch=2, expand=2)
    ) as project:
        assert project.run("mine", SEEDS).accepted == 10
        with project.store.connect() as connection:
            order = items.select().order_by(items.c.position)
            places = [(row.position, row.number) for row in connection.execute(order)]
        rows = list(project.records())
    assert places == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0), (5, 0), (6, 1), (7, 1), (8, 0), (10, 1)]
    first, second = ([row for row in rows if row.lineage["descent"]["generation"] == n] for n in (1, 2))
    assert len(first) == len(second) == 5
    made_of = {task for task, _ in asked}
    assert made_of == {row["prompt"] for row in SEEDS} | {row.prompt for row in first}
    shown = [row.lineage["descent"] for row in second]
    assert all(one["seeds"] == 1 and 1 <= one["records"] <= 2 for one in shown), "a seed is always among them"


def test_values_that_few_records_have_are_asked_for(make_desk: Make, tmp_path: Path) -> None:
    values = {"length": ("short", "long")}
    with evolving(make_desk(), tmp_path, Generations(batch=1, expand=2), attributes=values) as project:
        project.run("mine", SEEDS)
        figures = generations.evaluate(gather(project.store))
    counts = figures.coverage["length"]
    assert sum(counts.values()) == 10
    assert abs(counts["short"] - counts["long"]) <= 2, "one that is two ahead is not drawn"


def test_an_operator_that_returns_its_input_is_counted_and_tried_again(
    make_desk: Make, tmp_path: Path
) -> None:
    def answer(question: Any) -> Any:
        if question.role == "generator":
            return {"instruction": question.block("task"), "response": "an answer"}
        return None

    with evolving(make_desk(answer=answer), tmp_path, Generations(expand=1)) as project:
        assert project.run("mine", SEEDS[:2]).rejected == 2
        figures = generations.evaluate(gather(project.store)).generations[1]
        draws = [
            call for call in project.trace(next(iter(project.items())).id)["calls"] if call["role"] == "draw"
        ]
    assert figures.dropped == {"unchanged": 6}, "each item once and two redrafts"
    assert (figures.accepted.value, figures.accepted.n) == (0.0, 2)
    assert len(draws) == 3


# Figures ---------------------------------------------------------------------------------------------------------


def test_the_spread_is_one_less_the_mean_cosine() -> None:
    unlike = Embedder("", lambda texts: np.eye(len(texts)))
    alike = Embedder("", lambda texts: np.tile([[0.6, 0.8]], (len(texts), 1)))
    assert measure_distance(["a"] * 6, unlike).value == pytest.approx(1.0)
    assert measure_distance(["a"] * 6, alike).value == pytest.approx(0.0)
    assert measure_distance(["a"] * 3, alike).value is None


@pytest.mark.parametrize(("seeds", "warned"), [(0, True), (9, True), (10, False), (100, False)])
def test_few_texts_of_people_are_warned_of(seeds: int, warned: bool) -> None:
    assert bool(spell_collapse(seeds, 100)) == warned
    assert spell_collapse(0, 0) == []


def figure(value: float, low: float, high: float, n: int = 40) -> generations.Figure:
    return generations.Figure(value=value, low=low, high=high, n=n)


def generation(**said: Any) -> generations.Generation:
    plain = {
        "items": 40,
        "drafts": 40,
        "accepted": figure(1, 0.9, 1),
        "duplicates": figure(0.1, 0.05, 0.2),
        "dropped": {},
        "distinct_2": figure(0.8, 0.75, 0.85),
        "spread": figure(0.8, 0.75, 0.85),
        "seeds": figure(0.5, 0.4, 0.6),
    }
    return generations.Generation(**{**plain, **said})


@pytest.mark.parametrize(
    ("last", "warning"),
    [
        ({}, ""),
        ({"distinct_2": figure(0.5, 0.4, 0.7)}, "less varied than the first: distinct-2 0.50"),
        ({"distinct_2": figure(0.5, 0.4, 0.7, n=10)}, ""),
        ({"distinct_2": figure(0.7, 0.6, 0.8)}, ""),
        ({"spread": figure(0.5, 0.4, 0.7)}, "less varied than the first: spread"),
        ({"duplicates": figure(0.5, 0.3, 0.7)}, "repeats what is there more often"),
        ({"seeds": figure(0.05, 0.0, 0.1)}, "2 of the 40 texts"),
    ],
)
def test_a_last_generation_that_is_surely_worse_is_warned_of(last: dict[str, Any], warning: str) -> None:
    told = list(generations._warn({1: generation(), 2: generation(), 3: generation(**last)}))
    assert len(told) == bool(warning)
    assert all(one.startswith("generation 3") and warning in one for one in told)
