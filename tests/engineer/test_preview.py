"""A preview goes the real way and leaves nothing but finished calls; a diff says per seed what changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from solon.config import parse_config
from solon.operations.compare import compare_runs, mark_words, render_page
from solon.operations.preview import preview
from solon.project import Project
from solon.store import tables
from solon.store.tables import table_of

SEEDS = [{"id": f"s{i}", "prompt": f"Explain in plain words what thing number {i} does"} for i in range(6)]
SCRIPTED: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default", "price": {"input": 1.0, "output": 4.0}}},
    "routing": {"policy": "threshold", "audit_share": 0.0},
}


def count(project: Project, name: str) -> int:
    table = table_of(getattr(tables, name))
    with project.store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_without_a_store_nothing_is_made(folder: Path) -> None:
    found = preview("preference", SEEDS, parse_config(SCRIPTED), n=2, draw=1)
    assert len(found.items) == 2
    assert found.seeds == 6
    assert [path.name for path in folder.iterdir()] == []


def test_shows_the_whole_way_and_opens_no_review(open_project: Any) -> None:
    project = open_project(routing={"policy": "always"})
    found = preview("preference", SEEDS, project, n=3, draw=7)
    assert found.destinations() == {"expert": 3}
    for item in found.items:
        assert item.why[0] == "policy: every item"
        drafts = [c for c in item.candidates if c["kind"] == "draft"]
        assert len(drafts) == 2
        assert all(c["text"] for c in drafts)
        assert len(item.critiques) == 2
        assert sorted(v["order"] for v in item.verdicts) == ["AB", "AB", "BA", "BA"]
        assert item.calls >= 8
        assert item.tokens > 0
        assert item.cost
        assert item.cost > 0
    for name in ("Review", "Record", "Verdict", "Candidate", "Decision"):
        assert count(project, name) == 0
    assert project.reviews() == []
    # cost is extrapolated from the items seen to the whole file
    costs = [item.cost or 0.0 for item in found.items]
    assert found.whole["cost"].low == min(costs) * 6
    assert abs(found.whole["cost"].likely - sum(costs) / 3 * 6) < 1e-12
    assert found.cost is not None
    assert abs(found.cost - sum(costs)) < 1e-12


def test_draws_at_random_and_again_by_number(open_project: Any) -> None:
    config = parse_config(SCRIPTED)
    rows = [{"id": f"r{i}", "prompt": f"What is {i}?", "responses": ["a b", "c d"]} for i in range(60)]
    rows = [{**row, "responses": [{"text": t, "source": "x"} for t in row["responses"]]} for row in rows]
    first = [i.seed for i in preview("preference", rows, config, n=2, draw=5).items]
    assert first == [i.seed for i in preview("preference", rows, config, n=2, draw=5).items]
    assert first != ["r0", "r1"]


def test_calls_are_shared_both_ways(open_project: Any) -> None:
    project = open_project()
    first = preview("preference", SEEDS, project, n=2, draw=1)
    assert first.calls_made > 0
    assert first.calls_reused == 0
    again = preview("preference", SEEDS, project, n=2, draw=1)
    assert again.calls_made == 0
    assert again.calls_reused == first.calls_made
    assert [i.cost for i in again.items] == pytest.approx([i.cost for i in first.items])
    # a changed judge asks again, the drafts and critiques stand
    judges = [{"persona": "a sceptic"}]
    changed = preview("preference", SEEDS, open_project(judges=judges), n=2, draw=1)
    assert 0 < changed.calls_made <= 2 * (2 + 3)
    assert changed.calls_reused >= 8
    # the run that follows makes no call that a preview made; the run before it saves the preview's
    run = project.run("preference", SEEDS)
    whole = preview("preference", SEEDS, project, n=6, draw=2)
    assert run.model_calls == sum(item.calls for item in whole.items) - first.calls_made
    assert whole.calls_made == 0
    runs = [row.id for row in _all(project)]
    assert runs == [run.run_id]
    assert run.items == 6


def _all(project: Project) -> list[Any]:
    from solon.store.runs.runs import all_runs

    with project.store.connect() as connection:
        return all_runs(connection)


def test_goes_where_the_run_sends_it(open_project: Any) -> None:
    project = open_project(routing={"policy": "pilot", "pilot": 2, "audit_share": 0.0})
    seen = preview("preference", SEEDS, project, n=6, draw=3)
    run = project.run("preference", SEEDS)
    compared = preview("preference", SEEDS, project, n=6, draw=3, against=run.run_id).against
    assert compared is not None
    assert compared.counts()["same"] == 6
    where = {item.seed: item.where for item in seen.items}
    waits = {r.item_id for r in project.reviews()}
    names = {project.trace(item)["seed"]["external_id"] for item in waits}
    assert {seed for seed, place in where.items() if place == "expert"} == names
    assert sum(item.pilot for item in seen.items) == 1  # a quarter of six, rounded down


def test_diff_tells_texts_winner_and_route(open_project: Any, folder: Path) -> None:
    responses = [
        {"text": "short one", "source": "x"},
        {"text": "a somewhat longer <b>one</b>", "source": "y"},
    ]
    rows = [{**SEEDS[0], "responses": responses}, {**SEEDS[1], "responses": responses}]
    settings = {"generator": {"revise": False}}
    project = open_project(**settings, routing={"policy": "always"})
    first = project.run("preference", rows)
    same = project.run("preference", rows, new_run=True)
    assert compare_runs(project.store, first.run_id, same.run_id).counts()["same"] == 2
    for review in project.reviews(run_id=first.run_id):
        project.decide(review, "prefer", review.candidates[0])
    project.resume(first.run_id)
    for review in project.reviews(run_id=same.run_id):
        project.decide(review, "prefer", review.candidates[1])
    project.resume(same.run_id)
    found = compare_runs(project.store, first.run_id, same.run_id)
    assert found.counts() == {
        "seeds": 2, "same": 0, "texts": 0, "winner": 2, "route": 0, "rule": 0, "forgotten": 0, "only_before": 0,
        "only_after": 0,
    }  # fmt: skip
    page = render_page(found)
    assert "&lt;b&gt;" in page
    assert "<b>one</b>" not in page
    assert "<script" not in page
    other = project.run("preference", [SEEDS[0], SEEDS[2]])
    changed = compare_runs(project.store, first.run_id, other.run_id)
    assert changed.counts()["texts"] == 1
    assert changed.changes[0].winner == "other texts"
    assert changed.only_before == ("s1",)
    assert changed.only_after == ("s2",)
    json.dumps(changed.to_plain())


def test_words_are_aligned() -> None:
    assert list(mark_words("a b c", "a x c")) == [("same", "a "), ("gone", "b"), ("new", "x"), ("same", " c")]


def lay_down_rules(folder: Path) -> None:
    """Whatever the store's random key makes the fake draft, its critic finds one major fault in it, and no margin is
    wide enough: the lines looked for below are in every output."""
    finding = {
        "principle": "answers-question",
        "quote": "",
        "severity": "major",
        "suggestion": "answer it first",
    }
    rules = [{"role": "critic", "answer": {"findings": [finding]}}]
    (folder / "rules.json").write_text(json.dumps(rules))
    model = '[models.default]\nmodel = "scripted:rules.json"\n'
    (folder / "solon.toml").write_text(f"{model}[routing]\nthreshold = 1.0\n")


def test_command_lines(command: Any, seed_file: Path, folder: Path) -> None:
    lay_down_rules(folder)
    code, out, err = command("preview", "preference", "--seeds", seed_file, "-n", 2, "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert len(told["items"]) == 2
    assert told["seeds"] == 6
    assert "cost" not in told["whole"]
    assert not (folder / "solon.db").exists()
    assert command("run", "preference", "--seeds", seed_file)[0] in (0, 3)
    assert command("run", "preference", "--seeds", seed_file, "--new-run")[0] in (0, 3)
    runs = json.loads(command("status", "--json")[1].splitlines()[-1])["runs"]
    code, out, err = command("preview", "preference", "--seeds", seed_file, "--against", runs[0]["run_id"])
    assert code == 0, err
    assert "is of the family that drafts" in err
    for part in (
        "judge 1",
        "saw candidate",
        "5 the same",
        "critique: major (",
        "because the first choice is ahead by",
    ):
        assert part in out, out
    first, second = runs[1]["run_id"], runs[0]["run_id"]
    code, out, _ = command("diff", first, second, "--html", "diff.html", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["same"] == 6
    assert "Nothing changed" in (folder / "diff.html").read_text()
    assert command("preview", "preference", "--seeds", "nothing.jsonl")[0] == 2
    assert command("preview", "preference", "--seeds", seed_file, "--against", "zzz")[0] == 2
