"""Sources: several items a seed, examples out of a pool that grows, passages of documents."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from solon import Project
from solon.errors import ConfigError, SeedError
from solon.formats.seed_rows import SeedRow
from solon.prompts.library import PromptLibrary
from solon.recipes import Accept, Answer, Documents, Instruct, Pair, Pool, Recipe, Seeds, Source
from solon.recipes.sources import cut_passages
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.reviewing.drawn_questions import drawn_questions
from solon.store.runs.runs import item_random_seed
from solon.store.tables import items
from solon.store.tables.runs import Meta

Make = Callable[..., Any]
SEEDS: list[Any] = [{"id": f"s{i}", "prompt": f"Explain thing number {i}."} for i in range(6)]
NEVER = {"policy": "never"}


def pairs(source: Source) -> Recipe:
    return Recipe(
        "mine",
        record="preference",
        source=source,
        maker=Answer(),
        question=Pair(),
        steps=("draft", "judge", "review"),
    )


def tasks(source: Source) -> Recipe:
    return Recipe(
        "tasks",
        record="instruction",
        source=source,
        maker=Instruct(),
        question=Accept(),
        steps=("draft", "judge", "review"),
    )


def write_unlike(question: Any) -> Any:
    """No two tasks are alike, and all are good."""
    if question.schema_name == "InstructionDraft":
        return {
            "instruction": f"task {question.seed} {question.seed + 1}",
            "response": f"answer {question.seed}",
        }
    return None


def open_project(
    folder: Path, recipe: Recipe, chat: Any = None, name: str = "own", **sections: Any
) -> Project:
    config: dict[str, Any] = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0},
        "instruction": {"accept_score": 1.0},
        **sections,
    }
    models = {} if chat is None else {"default": chat}
    return Project(f"sqlite:///{folder}/{name}.db", config=config, recipes=[recipe], models=models)


def rows(project: Project, query: str) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.exec_driver_sql(query).all())


def drawn_of(project: Project) -> list[Any]:
    """Id, place and examples of every item, in their order."""
    columns = (items.c.id, items.c.position, items.c.examples)
    with project.store.connect() as connection:
        return list(connection.execute(select(*columns).order_by(items.c.position)).all())


# Several items a seed --------------------------------------------------------------------------------------------


def test_each_item_of_a_seed_draws_and_pays_for_itself(tmp_path: Path) -> None:
    with open_project(tmp_path, pairs(Seeds(expand=3))) as project:
        summary = project.run("mine", SEEDS[:2])
        assert summary.items == 6
        found = rows(project, "SELECT id, run_id, seed_id, number, random_seed FROM items ORDER BY position")
        assert [row[3] for row in found] == [0, 1, 2, 0, 1, 2]
        assert len({row[4] for row in found}) == 6
        for item_id, run_id, seed_id, number, _ in found:
            assert item_id == (hash_id(run_id, seed_id, number) if number else hash_id(run_id, seed_id))
        drafts = rows(project, "SELECT item_id, content_key FROM calls WHERE role = 'generator'")
        assert set(Counter(row[0] for row in drafts).values()) == {2}
        assert len({row[1] for row in drafts}) == 12
        calls = rows(project, "SELECT count(*) FROM calls")
        again = project.run("mine", SEEDS[:2])
        assert (again.run_id, rows(project, "SELECT count(*) FROM calls")) == (summary.run_id, calls)


def test_the_first_item_of_a_seed_is_what_it_always_was() -> None:
    assert item_random_seed(7, "a") == item_random_seed(7, "a", 0) == int(hash_id(7, "a")[:12], 16)
    assert item_random_seed(7, "a", 1) != item_random_seed(7, "a", 2)


def test_a_seed_is_one_group_as_large_as_its_items(tmp_path: Path) -> None:
    routing = {"policy": "pilot", "pilot": 9, "pilot_share": 1.0, "audit_share": 0.0}
    with open_project(tmp_path, pairs(Seeds(expand=3)), routing=routing) as project:
        run_id = project.run("mine", SEEDS[:3]).run_id
        with project.store.connect() as connection:
            questions = drawn_questions(connection, run_id)
        assert {question.size for question in questions} == {3}
        assert len({question.group for question in questions}) == 3
    with open_project(tmp_path, pairs(Seeds(expand=3)), name="split") as project:
        project.run("mine", SEEDS)
        project.export("jsonl", str(tmp_path / "out.jsonl"), test_fraction=0.5)
        train, test = (
            {json.loads(line)["seed_id"] for line in (tmp_path / f"out.{n}.jsonl").read_text().splitlines()}
            for n in ("train", "test")
        )
        assert train
        assert test
        assert not train & test


# A pool ----------------------------------------------------------------------------------------------------------


def test_a_pool_shows_what_was_accepted_in_the_batches_before(make_desk: Make, tmp_path: Path) -> None:
    desk = make_desk(answer=write_unlike)
    seen: list[tuple[str, str]] = []
    desk.answer = lambda question: seen.append((question.role, question.prompt)) or write_unlike(question)
    recipe = tasks(Pool(examples=2, batch=2))
    with open_project(tmp_path, recipe, desk.chat) as project:
        assert project.run("tasks", SEEDS).accepted == 6
        drafts = [prompt for role, prompt in seen if role == "generator"]
        first = [
            prompt
            for prompt in drafts
            if "number 0." in prompt.split("there already")[0]
            or "number 1." in prompt.split("there already")[0]
        ]
        assert all("1. Explain thing number" in prompt for prompt in first)
        assert all("1. task " in prompt for prompt in drafts if prompt not in first)
        shown = drawn_of(project)
        places = {
            row[0]: row[1]
            for row in rows(
                project, "SELECT records.id, position FROM records JOIN items ON items.id = item_id"
            )
        }
        for _, position, examples in shown:
            drawn = [one["record_id"] for one in examples]
            assert len(drawn) == len(set(drawn)) == 2 or position < 2
            assert all(places[name] < position // 2 * 2 for name in drawn if name)
        item = project.trace(shown[3][0])["item"]
        assert item["examples"] == shown[3][2]


def test_a_batch_begins_when_nothing_of_the_one_before_runs(make_desk: Make, tmp_path: Path) -> None:
    """Neither the pilot nor many workers at once mix batches; with any number of workers the same is drawn."""
    found = []
    for concurrency in (1, 32):
        desk = make_desk()
        order: list[int] = []

        def note(question: Any, order: list[int] = order) -> Any:
            if question.role == "generator":
                order.append(int(question.prompt.split("Explain thing number ")[1].split(".")[0]) // 2)
            return write_unlike(question)

        desk.answer = note
        url = f"sqlite:///{tmp_path}/n{concurrency}.db"
        with Store(url, create=True) as store, store.transaction() as connection:
            connection.execute(update(Meta).where(Meta.name == "key").values(value="ab" * 32))  # type: ignore[arg-type]
        recipe = tasks(Pool(examples=2, batch=2, expand=2))
        routing = {"policy": "pilot", "pilot": 4, "pilot_share": 1.0, "audit_share": 0.0}
        run = {"concurrency": concurrency}
        with open_project(
            tmp_path, recipe, desk.chat, f"n{concurrency}", run=run, routing=routing
        ) as project:
            project.run("tasks", SEEDS)
            assert order == sorted(order)
            found.append(
                rows(
                    project,
                    "SELECT position, body FROM items JOIN candidates ON candidates.item_id = items.id "
                    "JOIN texts ON texts.id = candidates.prompt_text_id ORDER BY position",
                )
            )
        desk.close()
    assert found[0] == found[1]
    assert len(found[0]) == 12


def test_a_failure_before_any_answer_does_not_hold_up_the_batches(make_desk: Make, tmp_path: Path) -> None:
    from solon.errors import ModelUnavailable

    desk = make_desk()
    failed: list[str] = []

    def fail_once(question: Any) -> Any:
        if not failed:
            failed.append(question.prompt)
            return ModelUnavailable("the server is busy", model="default")
        return write_unlike(question)

    desk.answer = fail_once
    with open_project(tmp_path, tasks(Pool(batch=2)), desk.chat) as project:
        summary = project.run("tasks", SEEDS)
        assert (summary.accepted, summary.queued) == (5, 0)
        assert project.resume().accepted == 6


WORKER = """
import json, sys
from solon import Project
from solon.recipes import Accept, Instruct, Pool, Recipe

url, log = sys.argv[1:3]
recipe = Recipe("tasks", record="instruction", source=Pool(examples=2, batch=3, expand=2), maker=Instruct(),
                question=Accept(), steps=("draft", "judge", "review"))
config = {
    "models": {"default": {"model": "scripted:default", "options": {"latency": 0.03, "log": log}}},
    "routing": {"policy": "always", "audit_share": 0.0},
    "run": {"concurrency": 3},
}
with Project(url, config=config, recipes=[recipe]) as project:
    seeds = [{"id": f"s{i}", "prompt": f"Explain in plain words how thing number {i} works."} for i in range(12)]
    print("ready", flush=True)
    project.run("tasks", seeds)
    print("done", flush=True)
"""


def waits(url: str) -> bool:
    """Whether something waits for a person, so that more can be accepted while no worker lives."""
    with Project(url, create=False) as project:
        return bool(project.reviews())


def test_killed_items_are_shown_the_same_again(tmp_path: Path) -> None:
    """While no worker lives more is accepted: a draw that was not kept would be another one."""
    url, log = f"sqlite:///{tmp_path}/store.db", tmp_path / "calls.jsonl"
    log.touch()
    draw, kills, before = random.Random(3), 0, -1
    while True:
        words = [sys.executable, "-c", WORKER, url, str(log)]
        worker = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        until, before = time.monotonic() + 300, len(log.read_text().splitlines())
        while kills < 4 and worker.poll() is None:
            called = len(log.read_text().splitlines()) >= before + 6
            if called and (kills == 0 or waits(url)):
                break
            assert time.monotonic() < until
            time.sleep(0.005)
        if kills < 4:
            time.sleep(draw.uniform(0, 0.1))
            worker.send_signal(signal.SIGKILL)
        ended = "done" in worker.stdout.read()
        worker.stdout.close()
        worker.wait()
        if ended:
            break
        kills += 1
        with Project(url, create=False) as project:
            waiting = project.reviews()
            for review in draw.sample(waiting, (len(waiting) + 1) // 2):
                project.decide(review, "accept")
    assert kills == 4
    with Project(url, create=False) as project:
        made = [json.loads(line)["key"] for line in log.read_text().splitlines()]
        kept = {row[0].removeprefix("scripted-") for row in rows(project, "SELECT request_id FROM calls")}
        assert set(made) == kept, "a call that was lost was made again with another prompt"
        assert len(kept) == rows(project, "SELECT count(*) FROM calls")[0][0]
        twice = (
            "SELECT item_id FROM calls WHERE role = 'generator' GROUP BY item_id, round HAVING count(*) > 1"
        )
        assert not rows(project, twice), "an item was drafted again with another prompt"
        examples = [row.examples for row in drawn_of(project)]
        assert len(examples) == 24
        assert sum(bool(one["record_id"]) for drawn in examples for one in drawn) > 0


def test_what_is_forgotten_is_shown_by_no_prompt(
    make_desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # beside a PostgreSQL store tombstones lie in the folder of the process
    desk = make_desk(answer=write_unlike)
    with open_project(tmp_path, tasks(Pool(examples=3, batch=2)), desk.chat) as project:
        project.run("tasks", SEEDS)
        of_seed = "SELECT body FROM texts JOIN seeds ON seeds.id = texts.seed_id WHERE external_id = 's0'"
        own = [row[0] for row in rows(project, of_seed) if row[0].startswith("task ")] + ["thing number 0."]
        assert len(own) == 2
        shown = [
            row[0] for row in rows(project, "SELECT body FROM texts") if any(text in row[0] for text in own)
        ]
        assert any(
            "there already" in body and "number 0." not in body.split("there already")[0] for body in shown
        )
        told = project.forget("s0", dry_run=True)
        made = project.forget("s0")
        assert made.shown_to_others == told.shown_to_others > 0
        assert not [
            row
            for row in rows(project, "SELECT body FROM texts")
            if row[0] and any(text in row[0] for text in own)
        ]
        assert len(project.records()) == 5, "what others were made of stays"
        assert project.run("tasks", SEEDS[1:], new_run=True).accepted == 5


def test_recipes_without_a_pool_are_pinned_to_the_prompts_that_they_had() -> None:
    whole, without = PromptLibrary(), PromptLibrary().for_recipe()
    assert {p.name for p in whole} - {p.name for p in without} == {
        "answer.check",
        "critic.grounded",
        "generator.contrast",
        "generator.edit",
        "generator.evolve",
        "generator.pool",
        "generator.quoted",
        "generator.request",
        "generator.rewrite",
        "generator.slots",
        "generator.spans",
        "generator.user",
        "judge.dialogue",
        "judge.label",
        "judge.label_informed",
        "judge.pair_informed",
        "judge.rule",
        "judge.score_informed",
        "legislator.rubric",
        "legislator.rules",
        "resolver.outcome",
    }
    assert whole["generator.instruction"].version == "2"
    assert "examples" not in whole["generator.instruction"].variables


# Documents -------------------------------------------------------------------------------------------------------

DOCUMENT = (
    "The first paragraph says one thing. It says it twice.\r\n\r\n"
    "The second paragraph, a na\u00efve one, says another thing. \u201cReally?\u201d it asks. Then it ends.\n\n"
    "The third is short."
)


def test_passages_are_the_documents_own_bytes(tmp_path: Path) -> None:
    seeds = [
        {"id": "d1", "prompt": DOCUMENT, "page": 4},
        {"id": "d2", "prompt": "Summarise.", "input": DOCUMENT},
    ]
    with open_project(tmp_path, pairs(Documents(size=70, overlap=20))) as project:
        summary = project.run("mine", seeds)
        assert summary.accepted == summary.items == 6
        out = tmp_path / "out.jsonl"
        project.export("jsonl", str(out))
        kept = [json.loads(line) for line in out.read_text().splitlines()]
        assert len(kept) == summary.items
        for row in kept:
            place = row["metadata"]["passage"]
            text = DOCUMENT[place["start"] : place["end"]]
            assert row["seed_id"] == f"{place['document']}#{place['start']}-{place['end']}"
            assert row["group"] == place["document"]
            assert (row["input"] if place["document"] == "d2" else row["prompt"]).encode() == text.encode()
            assert project.trace(row["lineage"]["item"])["seed"]["metadata"]["passage"] == place
        assert {row["metadata"]["page"] for row in kept if row["group"] == "d1"} == {4}
        assert project.run("mine", seeds).run_id == summary.run_id
        assert len(project.forget(group="d1").seeds) == sum(row["group"] == "d1" for row in kept)


@given(
    st.text(alphabet="ab .!\n\u3002\u00e9", max_size=300),
    st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n // 2))),
)
def test_passages_leave_nothing_out_but_space(text: str, numbers: tuple[int, int]) -> None:
    size, overlap = numbers
    last, covered = -1, 0
    for start, end in cut_passages(text, size, overlap):
        assert last < start < end <= start + size
        assert text[start:end] == text[start:end].strip()
        assert not text[covered:start].strip()
        assert covered - start <= overlap
        assert end > covered
        last, covered = start, end
    assert not text[covered:].strip()


def test_a_passage_ends_where_a_paragraph_does_else_a_sentence() -> None:
    found = [DOCUMENT[start:end] for start, end in cut_passages(DOCUMENT, 70)]
    assert found[0] == "The first paragraph says one thing. It says it twice."
    assert found[1] == "The second paragraph, a na\u00efve one, says another thing. \u201cReally?\u201d"
    assert cut_passages("word " * 30, 12)[0] == (0, 9)
    cells = [end - start for start, end in cut_passages("Cell\n\n" + "word " * 30, 80)]
    assert min(cells) >= 8, "a short paragraph is no passage of its own"
    assert cut_passages("x" * 25, 10) == [(0, 10), (10, 20), (20, 25)]


def test_a_document_brings_no_answers(tmp_path: Path) -> None:
    with (
        open_project(tmp_path, pairs(Documents())) as project,
        pytest.raises(SeedError, match="leave them out"),
    ):
        project.run("mine", [{"prompt": DOCUMENT, "responses": ["An answer."]}])


# What is refused -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Twice(Source):
    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        return [row, row]


@dataclass(frozen=True)
class Broken(Source):
    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        raise ValueError(row.prompt)


@dataclass(frozen=True)
class Stranger(Source):
    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        return [row.prompt]  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        (Twice(), SeedError, "row 1"),
        (Broken(), ConfigError, "row 1.*ValueError"),
        (Stranger(), ConfigError, "a str, no SeedRow"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_before_there_is_a_run(
    tmp_path: Path, source: Source, error: type[Exception], told: str
) -> None:
    with open_project(tmp_path, pairs(source)) as project:
        with pytest.raises(error, match=told) as raised:
            project.run("mine", SEEDS)
        assert raised.value.next_step  # type: ignore[attr-defined]
        assert rows(project, "SELECT count(*) FROM runs") == [(0,)]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: pairs(Seeds(expand=0)), "expand=0"),
        (lambda: tasks(Pool(examples=0)), "examples=0"),
        (lambda: tasks(Pool(batch=0)), "batch=0"),
        (lambda: tasks(Pool(start=Seeds(expand=2))), "start="),
        (lambda: pairs(Pool()), "Answer shows none"),
        (lambda: pairs(Documents(size=100, overlap=80)), "overlap=80"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_where_the_recipe_is_written(
    make: Callable[[], Recipe], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        make()
