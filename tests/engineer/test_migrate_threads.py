"""A changed graph strands nobody: waiting items are replayed, decisions are attached, and what is left is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.errors import InvalidDecision
from solon.graphs import build, versions
from solon.operations.doctor import examine
from solon.operations.migrate import MigrationResult, migrate_threads
from solon.project import Project
from solon.store import tables
from solon.store.database.writer import insert_rows
from solon.store.tables import table_of
from solon.sync import run_sync

ALWAYS = {"routing": {"policy": "always"}}
SEEDS = [{"id": f"m{i}", "prompt": f"Explain in plain words what thing number {i} does"} for i in range(4)]


def rows(project: Project, name: str) -> list[dict[str, Any]]:
    with project.store.connect() as connection:
        return [dict(row) for row in connection.execute(select(table_of(getattr(tables, name)))).mappings()]


def move(project: Project, **options: Any) -> MigrationResult:
    return run_sync(migrate_threads(project.store, project.config, **options))


def waiting(project: Project) -> dict[str, Any]:
    return {project.trace(r.item_id)["seed"]["external_id"]: r for r in project.reviews()}


def _sending_elsewhere(spec: Any, old: str, new: str) -> Any:
    """A node that goes to `new` where it went to `old`."""
    before = spec.runnable.afunc

    async def renamed(state: Any, runtime: Any) -> Any:
        command = await before(state, runtime)
        if command.goto == old:
            return type(command)(update={**command.update, "next": new}, goto=new)
        return command

    ends = tuple(new if end == old else end for end in spec.ends)
    return replace(spec, runnable=type(spec.runnable)(None, renamed), ends=ends)


def forget_versions() -> None:
    versions.graph_version.cache_clear()
    versions._resumed_versions.cache_clear()
    build._compiled.cache_clear()


@pytest.fixture
def change_graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """From now on the node that waits for a person has another name."""
    make = build.build_graph

    def renamed(recipe: Any, *tracing: Any) -> Any:
        graph = make(recipe, *tracing)
        graph.nodes["ask_a_person"] = graph.nodes.pop("review")
        graph.edges = {
            tuple("ask_a_person" if end == "review" else end for end in edge) for edge in graph.edges
        }
        for name, node in graph.nodes.items():
            if "review" in node.ends:
                graph.nodes[name] = _sending_elsewhere(node, "review", "ask_a_person")
        return graph

    def change() -> None:
        for module in ("solon.graphs.build", "solon.graphs.versions"):
            monkeypatch.setattr(f"{module}.build_graph", renamed)
        forget_versions()

    yield change
    monkeypatch.undo()
    forget_versions()


def test_waiting_items_are_replayed_without_a_call(
    open_project: Any, change_graph: Any, folder: Path
) -> None:
    project = open_project(**ALWAYS)
    project.run("preference", SEEDS)
    calls, before = len(rows(project, "Call")), waiting(project)
    assert versions.outdated_threads(project.store, project.recipes) == 0
    change_graph()
    assert versions.outdated_threads(project.store, project.recipes) == 4
    told = examine(project.config.model_copy(update={"store": project.store.url}), offline=True)
    (note,) = [check for check in told if check.name == "threads"]
    assert (note.state, "migrate-threads" in note.next_step) == ("note", True)
    assert move(project, dry_run=True).items == 4
    made = move(project)
    assert (made.items, made.waiting, made.calls, made.left) == (4, 4, 0, [])
    assert len(rows(project, "Call")) == calls
    after = waiting(project)
    assert {k: [c.text for c in r.candidates] for k, r in after.items()} == {
        k: [c.text for c in r.candidates] for k, r in before.items()
    }
    assert not {r.id for r in after.values()} & {r.id for r in before.values()}
    assert versions.outdated_threads(project.store, project.recipes) == 0
    assert move(project).items == 0
    for review in after.values():
        project.decide(review, "prefer", review.candidates[0])
    assert project.resume().accepted == 4


def test_decisions_of_the_old_schema_are_attached(open_project: Any, change_graph: Any) -> None:
    project = open_project(**ALWAYS)
    project.run("preference", SEEDS)
    asked = waiting(project)
    first = asked["m0"].candidates[0]
    project.decide(asked["m0"], "prefer", first, rationale="so")
    project.decide(asked["m1"], "tie")
    decisions = tables.decisions
    reviews = tables.reviews
    with project.store.transaction() as connection:
        connection.execute(update(decisions).values(response_schema="pair@0"))
        connection.execute(update(reviews).values(response_schema="pair@0"))
        gone = decisions.c.review_id == asked["m1"].id
        connection.execute(update(decisions).where(gone).values(choice="coin_toss"))
    change_graph()
    with pytest.raises(InvalidDecision, match="pair@0"):
        project.decide(asked["m2"], "tie")
    made = move(project)
    assert (made.items, made.attached, made.waiting, made.ended, made.calls) == (4, 1, 3, 1, 0)
    (left,) = made.left
    assert left["item"] == asked["m1"].item_id
    assert "asked again" in left["why"]
    (record,) = [row for row in rows(project, "Record") if row["superseded_at"] is None]
    texts = {row["id"]: row["text_id"] for row in rows(project, "Candidate")}
    assert texts[record["chosen_id"]] == texts[first.id]
    assert project.summarize().decisions_to_apply == 0
    for review in project.reviews():
        project.decide(review, "tie")
    assert project.resume().pending_review == 0


def test_resume_alone_never_resumes_an_old_thread(open_project: Any, change_graph: Any) -> None:
    project = open_project(**ALWAYS)
    project.run("preference", SEEDS[:1])
    (review,) = project.reviews()
    project.decide(review, "prefer", review.candidates[1])
    change_graph()
    assert project.resume().accepted == 1
    (item,) = rows(project, "Item")
    assert item["graph_version"] == versions.graph_version(project.recipe("preference"))[0]


def test_what_people_left_goes_along_and_leases_are_respected(open_project: Any, change_graph: Any) -> None:
    from solon.store.reviewing.drafts import write_draft
    from solon.store.reviewing.reviews import set_escalated

    project = open_project(**ALWAYS)
    project.run("preference", SEEDS[:2])
    asked = waiting(project)
    reviews = tables.reviews
    at = {"opened_at": 1.0, "expires_at": 2.0}
    with project.store.transaction() as connection:
        for state in ("skipped", "expired"):
            row = {
                "id": state,
                "review_id": asked["m0"].id,
                "actor": "expert:1",
                "state": state,
                "token": state,
            }
            insert_rows(connection, [(tables.Assignment, {**row, **at})])
        write_draft(connection, "expired", asked["m0"].id, {"candidate": asked["m0"].candidates[1].id})
        set_escalated(connection, asked["m0"].id)
        connection.execute(update(reviews).where(reviews.c.id == asked["m1"].id).values(leased=True))
    change_graph()
    made = move(project)
    assert (made.waiting, len(made.left)) == (1, 1)
    assert "in hand" in made.left[0]["why"]
    review = waiting(project)["m0"]
    assert {row["review_id"] for row in rows(project, "Assignment")} == {review.id}
    (draft,) = [row for row in rows(project, "Text") if (row["body"] or "").startswith('{"candidate"')]
    assert json.loads(draft["body"]) == {"candidate": review.candidates[1].id}
    assert next(row for row in rows(project, "Review") if row["id"] == review.id)["escalated"]


def test_a_gap_in_the_journal_is_said_and_filled_by_resume(open_project: Any, change_graph: Any) -> None:
    project = open_project(**ALWAYS)
    project.run("preference", SEEDS[:2])
    item = waiting(project)["m0"].item_id
    calls, texts = (tables.calls, tables.texts)
    with project.store.transaction() as connection:
        lost = select(calls.c.answer_id).where(calls.c.item_id == item, calls.c.role == "judge")
        connection.execute(update(texts).where(texts.c.id.in_(lost)).values(body=None))
    change_graph()
    made = move(project)
    assert (made.waiting, made.calls) == (1, 0)
    (left,) = made.left
    assert (left["item"], "gap" in left["why"]) == (item, True)
    assert project.resume().pending_review == 2


def test_command_line(command: Any, folder: Path, change_graph: Any) -> None:
    (folder / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n[routing]\npolicy = "always"\n'
    )
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS))
    assert command("run", "preference", "--seeds", "seeds.jsonl")[0] == 3
    assert command("migrate-threads")[0] == 0
    change_graph()
    code, _, err = command("resume")
    assert (code, "4 waiting items stand in an older graph: solon migrate-threads" in err) == (3, True)
    code, out, err = command("migrate-threads", "--json")
    assert code == 0, err
    assert json.loads(out.splitlines()[-1])["waiting"] == 4
    assert "older graph" not in command("resume")[2]
