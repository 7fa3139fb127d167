"""Every surface that counts says what the tables of the store hold, counted here by hand in SQL.

The store has what makes counting hard: a plug-in judge, a run that was stopped half-way with parked items and resumed,
decisions, forgotten seeds, the same seeds under another policy, and a panel that was recorded elsewhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from solon.agents.models.scripted import ScriptedChat
from solon.config import parse_config
from solon.display.progress import ProgressDisplay
from solon.errors import ModelUnavailable
from solon.eval.material import gather
from solon.eval.report.page import render_page
from solon.eval.report.report import Report, build_report
from solon.eval.suites import compare
from solon.graphs.runner import Progress
from solon.operations import forget
from solon.operations.compare import compare_runs
from solon.operations.planning import make_plan
from solon.operations.recipes import planned_calls
from solon.project import Project
from solon.recipes.preference import PREFERENCE
from solon.review.kept import Kept
from solon.review.statistics import run_statistics
from solon.store.privacy.forgetting import Wanted
from solon.store.records.exporting import export_rows
from solon.store.records.overview import Failure, failure_reasons, spell_failures
from solon.sync import run_sync

SEEDS = [
    {"id": f"s{i:02}", "prompt": f"Explain in plain words what thing number {i} does"} for i in range(16)
]
RECORDED = [
    {
        "id": f"r{i}",
        "prompt": f"Is {i} even?",
        "responses": ["yes", "no"],
        "verdicts": [{"judge": "elsewhere", "verdict": "A", "p": 0.9}],
    }
    for i in range(3)
]
MODULE = """
from solon import judge

@judge("brevity", "1")
def brevity(a: str, b: str) -> str:
    return "A" if len(a) <= len(b) else "B"
"""
FILE = """
[models.default]
model = "scripted:default"
[models.spare]
model = "scripted:never-asked"
[models.default.price]
input = 1.0
output = 4.0
[generator]
revise = false
[[judges]]
model = "default"
[[judges]]
python = "judge_of_counts:brevity"
[routing]
policy = "threshold"
threshold = 0.4
audit_share = 0.0
"""
TEAM = {"experts": 1, "minutes": 30, "days": 20}


@dataclass
class Counted:
    """The store with its runs, and the counts that were shown while the first of them was worked on."""

    folder: Path
    first: str
    budget: str
    recorded: str
    shown: list[tuple[str, dict[str, int]]] = field(default_factory=list)

    def open(self) -> Project:
        return Project(f"sqlite:///{self.folder}/solon.db", config=self.folder / "solon.toml")

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with self.open() as project, project.store.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def states(self, run_id: str) -> Counter[str]:
        query = f"SELECT state, count(*) FROM items WHERE run_id = '{run_id}' GROUP BY state"
        return Counter(dict(self.sql(query)))


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    folder = tmp_path_factory.mktemp("counts")
    (folder / "judge_of_counts.py").write_text(MODULE)
    (folder / "solon.toml").write_text(FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield _make(Counted(folder, "", "", ""))


@pytest.fixture(autouse=True)
def at_home(counted: Counted, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(counted.folder)


def _make(made: Counted) -> Counted:
    down = {"thing number 2 ", "thing number 5 "}
    chat = ScriptedChat(
        respond=lambda question: (
            ModelUnavailable("no answer", next_step="wait")
            if any(name in question.prompt for name in down)
            else None
        )
    )
    with made.open() as project:
        project.models["default"] = chat

        def watch(label: str, stop_at: int | None = None) -> Callable[[Progress], None]:
            def show(progress: Progress) -> None:
                made.shown.append((label, dict(progress.counts)))
                done = sum(progress.counts.get(state, 0) for state in ("accepted", "waiting", "parked"))
                if stop_at is not None and done >= stop_at:
                    project.stop()

            return show

        project.config = project.config.model_copy(
            update={"run": project.config.run.model_copy(update={"concurrency": 2})}
        )
        stopped = project.run("preference", SEEDS, on_progress=watch("stopped", 6))
        made.first = stopped.run_id
        assert stopped.queued
        assert stopped.parked
        down.clear()
        project.resume(on_progress=watch("resumed"))
        for review in list(project.reviews(run_id=made.first))[:2]:
            project.decide(review, "prefer", review.candidates[0])
        project.resume(on_progress=watch("decided"))
        routing = project.config.routing.model_copy(update={"policy": "budget", "budget": 2})
        project.config = project.config.model_copy(update={"routing": routing})
        budget = project.run("preference", SEEDS, new_run=True, reuse=made.first, on_progress=watch("budget"))
        made.budget = budget.run_id
        made.recorded = project.run("preference", RECORDED, on_progress=watch("recorded")).run_id
        for seed in (_seed_that_is(made, "accepted"), _seed_that_is(made, "waiting")):
            run_sync(forget.forget(project.store, Wanted(seed=seed), actor="test", by="Dr. Weiss"))
    return made


def _seed_that_is(made: Counted, state: str) -> str:
    query = (
        "SELECT external_id FROM seeds JOIN items ON items.seed_id = seeds.id "
        f"WHERE run_id = '{made.first}' AND state = '{state}' ORDER BY position"
    )
    return str(made.sql(query)[0][0])


def test_the_states_of_every_run_sum_to_its_items(counted: Counted) -> None:
    for run_id, items in ((counted.first, 16), (counted.budget, 16), (counted.recorded, 3)):
        assert counted.states(run_id).total() == items
    assert counted.states(counted.first)["forgotten"] == counted.states(counted.budget)["forgotten"] == 2
    assert counted.states(counted.first)["rejected"] == 0


def test_progress_counts_every_item_once_at_every_moment(counted: Counted) -> None:
    labels = {label for label, _ in counted.shown}
    assert labels == {"stopped", "resumed", "decided", "budget", "recorded"}
    for label, counts in counted.shown:
        assert sum(counts.values()) == (3 if label == "recorded" else 16), (label, counts)
        assert min(counts.values()) >= 0, (label, counts)
    last = {label: {k: n for k, n in counts.items() if n} for label, counts in counted.shown}
    assert last["stopped"]["parked"] == 2
    assert set(last["resumed"]) == {"accepted", "waiting"}
    before = counted.states(counted.first)
    before.update(Counter({"accepted": 1, "waiting": 1, "forgotten": -2}))
    assert last["decided"] == {state: number for state, number in before.items() if number}


def test_a_line_of_progress_names_every_state() -> None:
    meter = SimpleNamespace(
        calls=1, input_tokens=1, output_tokens=1, unknown_cost=0, cost=0.0, away="", batches="", stopping=""
    )
    counts = {
        "accepted": 1,
        "rejected": 2,
        "waiting": 3,
        "failed": 4,
        "parked": 5,
        "forgotten": 6,
        "queued": 7,
    }
    display = ProgressDisplay(quiet=True)
    display.show(cast(Any, SimpleNamespace(meter=meter, counts=counts, round="")))
    told = display.describe()
    for part in ("21/28 items", "4 failed", "5 parked", "6 forgotten"):
        assert part in told


def test_status_runs_and_the_runs_page(counted: Counted, capfd: pytest.CaptureFixture[str]) -> None:
    from solon.cli import main

    assert main(["status", "--json"]) == 0
    told = {run["run_id"]: run for run in json.loads(capfd.readouterr().out.splitlines()[-1])["runs"]}
    with counted.open() as project:
        listed = {run.run_id: run for run in project.runs()}
        room = cast(Any, SimpleNamespace(project=project, spent=Kept(60, most=9)))
        with project.store.connect() as connection:
            page = {run.id: run for run in run_statistics(room, connection)}
        html = listed[counted.first]._repr_html_()
    for run_id in (counted.first, counted.budget, counted.recorded):
        states, summary = counted.states(run_id), told[run_id]
        [(calls, tokens)] = counted.sql(
            "SELECT count(*), coalesce(sum(input_tokens + output_tokens), 0) FROM calls "
            f"WHERE attempts > 0 AND run_id = '{run_id}'"
        )
        assert summary["accepted"] == page[run_id].accepted == states["accepted"]
        assert summary["rejected"] == page[run_id].rejected == states["rejected"]
        assert summary["pending_review"] == page[run_id].waiting == states["waiting"]
        assert summary["forgotten"] == page[run_id].forgotten == states["forgotten"]
        assert summary["model_calls"] == page[run_id].calls == calls
        assert summary["tokens"] == page[run_id].tokens == tokens
        names = ("accepted", "rejected", "pending_review", "failed", "queued", "forgotten")
        assert sum(summary[name] for name in names) == summary["items"] == states.total()
        assert {name: getattr(listed[run_id], name) for name in names} == {
            name: summary[name] for name in names
        }
    assert "forgotten:</span> 2" in html
    assert main(["status", counted.first]) == 0
    assert "2 forgotten" in capfd.readouterr().out


def test_the_report_names_who_judged_and_counts_what_is_there(counted: Counted) -> None:
    report = _report(counted)
    for run in report.runs:
        assert run.states == dict(counted.states(run.id))
        verdicts = counted.sql(
            "SELECT DISTINCT seat, judge FROM verdicts JOIN items ON items.id = verdicts.item_id "
            f"AND items.attempt = verdicts.attempt WHERE call_id IS NOT NULL AND run_id = '{run.id}'"
        )
        assert set(run.judges) == {f"{seat} [{judge}]" for seat, judge in verdicts}
        [(imported,)] = counted.sql(
            "SELECT count(*) FROM verdicts JOIN items ON items.id = verdicts.item_id "
            f"WHERE call_id IS NULL AND run_id = '{run.id}'"
        )
        assert run.recorded == imported
    first, budget, recorded = (next(r for r in report.runs if r.id == name)
                               for name in (counted.first, counted.budget, counted.recorded))  # fmt: skip
    assert any("python:brevity@1" in judge for judge in first.judges)
    assert "scripted:default" in first.models["generator"]
    # every call of this run was made by the first one, and the policy `budget` asks no resolver
    assert budget.models == {role: model for role, model in first.models.items() if role != "resolver"}
    assert (recorded.judges, recorded.recorded) == ((), 3)
    assert "never-asked" not in render_page(report)  # in the configuration, but no role asks it
    [(calls,)] = counted.sql("SELECT count(*) FROM calls JOIN runs ON runs.id = run_id WHERE attempts > 0")
    assert report.costs.calls == calls
    [(records,)] = counted.sql("SELECT count(*) FROM records WHERE superseded_at IS NULL")
    assert report.records + report.standing_back == records == sum(run.records for run in report.runs)


def _report(counted: Counted) -> Report:
    with counted.open() as project:
        return build_report(gather(project.store))


def test_a_diff_says_another_way_only_of_items_that_went_one(counted: Counted) -> None:
    with counted.open() as project:
        counts = compare_runs(project.store, counted.first, counted.budget).counts()
    both = (
        "FROM items a JOIN items b ON a.seed_id = b.seed_id "
        f"WHERE a.run_id = '{counted.first}' AND b.run_id = '{counted.budget}' "
    )
    other = "AND (a.state != b.state OR coalesce(a.route, '') != coalesce(b.route, '')) "
    [(seeds,)] = counted.sql(f"SELECT count(*) {both}")
    [(moved,)] = counted.sql(f"SELECT count(*) {both} {other} AND a.state != 'forgotten'")
    assert counts["seeds"] == seeds
    assert counts["route"] == moved < seeds
    assert counts["texts"] == counts["winner"] == 0
    assert counts["forgotten"] == 2
    # both runs ask about the same items, by the rules of two policies: that alone is no other way
    assert counts["same"] == seeds - 2 - moved


def test_two_runs_are_compared_without_what_was_forgotten(counted: Counted) -> None:
    with counted.open() as project:
        found = compare.evaluate(gather(project.store, [counted.first, counted.budget]))
    assert found.n == 14
    assert found.states_a == dict(counted.states(counted.first))
    assert any(counted.budget in note and "took over calls" in note for note in found.notes)


def test_exports_and_reasons_tell_forgotten_from_rejected(counted: Counted) -> None:
    with counted.open() as project:
        left_out, rows = export_rows(project.store, run_id=counted.first)
        written = len(list(rows))
        reasons = failure_reasons(project.store, counted.first)
    states = counted.states(counted.first)
    assert left_out == {"forgotten": states["forgotten"], "pending": states["waiting"]}
    assert written == states["accepted"]
    assert reasons == []


def test_doctor_counts_reviews(counted: Counted, capfd: pytest.CaptureFixture[str]) -> None:
    from solon.cli import main

    main(["doctor", "--offline", "--json"])
    checks = json.loads(capfd.readouterr().out.splitlines()[-1])["checks"]
    [told] = [check["told"] for check in checks if check["name"] == "reviews"]
    by_hand = counted.sql("SELECT state, count(*) FROM reviews GROUP BY state ORDER BY state")
    assert told == ", ".join(f"{number} {state}" for state, number in by_hand)


def test_a_plan_is_measured_by_runs_with_functions(
    counted: Counted, capfd: pytest.CaptureFixture[str]
) -> None:
    from solon.cli import main

    asked = ["plan", "--items", "100", "--experts", "1", "--minutes", "30", "--days", "20"]
    assert main([*asked, "--json"]) == 0
    made = json.loads(capfd.readouterr().out.splitlines()[-1])
    per_item = [row[0] for row in counted.sql(
        "SELECT sum(CASE WHEN attempts > 0 THEN 1 ELSE 0 END) FROM calls JOIN items ON items.id = calls.item_id "
        f"WHERE calls.run_id = '{counted.first}' AND state IN ('accepted', 'rejected', 'waiting') GROUP BY items.id"
    )]  # fmt: skip
    assert made["measured_items"] == len(per_item) == 14
    assert made["calls"]["likely"] == pytest.approx(100 * sum(per_item) / len(per_item))


def test_a_plan_with_functions_that_are_not_here_says_so(counted: Counted) -> None:
    config = parse_config({"judges": [{"python": "no_such_module_here:f"}]})
    made = make_plan(config, items=5, **TEAM)
    assert [note for note in made.notes if "no_such_module_here" in note]
    assert [note for note in made.notes if "were not measured" in note]


def test_calls_that_a_run_announces_leave_functions_out() -> None:
    models = {"models": {"default": {"model": "scripted:default"}}}
    mixed = parse_config(
        {**models, "generator": {"n": 2, "python": ["a:b"]}, "judges": [{"python": "a:b"}, {}]}
    )
    # one draft by the model, two critiques, two revisions, one judge in both orders
    assert planned_calls(PREFERENCE, mixed) == (7, 7)
    functions = parse_config(
        {
            "generator": {"models": [], "python": ["a:b"]},
            "critic": {"python": "a:b"},
            "judges": [{"python": "a:b"}],
        }
    )
    assert planned_calls(PREFERENCE, functions) == (0, 0)


def test_a_stopped_run_is_told_as_it_stands(counted: Counted) -> None:
    stopped = [counts for label, counts in counted.shown if label == "stopped"][-1]
    assert stopped["running"] == 0
    assert stopped["queued"] > 0
    assert re.fullmatch(r"[0-9a-f]+", counted.first)


def test_more_reasons_than_are_told_are_counted() -> None:
    found = [Failure("rejected", f"why {n}", n, "x") for n in range(9, 0, -1)]
    *told, rest = spell_failures(found)
    assert told == [f"rejected: {n} x why {n}" for n in range(9, 4, -1)]
    assert rest == "and 10 more, for 4 other reasons"
    assert spell_failures(found[:5])[-1] == "rejected: 5 x why 5"
