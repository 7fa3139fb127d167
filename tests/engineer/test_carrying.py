"""A decision over the same candidates is carried into the next run, and says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.graphs import context
from solon.graphs.context import ItemContext
from solon.project import Project
from solon.store.learning.adoption import send_again
from solon.store.learning.evidence import JudgedItem
from solon.store.tables import table_of
from solon.store.tables.law import Precedent
from solon.store.tables.people import Decision, Event, Review
from solon.store.tables.work import Record

RESPONSES = [{"text": "the first answer", "source": "x"}, {"text": "a second answer", "source": "y"}]
SEEDS = [{"id": f"c{i}", "prompt": f"Which of {i}?", "responses": RESPONSES} for i in range(4)]
GIVEN = {"generator": {"revise": False}, "routing": {"policy": "always"}}


def rows(project: Project, table: Any) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(select(table_of(table))))


def test_carried_by_a_later_run_and_only_there(open_project: Any) -> None:
    project = open_project(**GIVEN)
    project.run("preference", SEEDS)
    waiting = {project.trace(r.item_id)["seed"]["external_id"]: r for r in project.reviews()}
    second = next(c for c in waiting["c0"].candidates if c.text == "a second answer")
    given = project.decide(
        waiting["c0"], "prefer", second, rationale="it is right", flags={second.id: ["outdated"]}
    )
    project.decide(waiting["c1"], "edit", waiting["c1"].candidates[0], text="a better one", rationale="so")
    project.decide(waiting["c2"], "tie")
    with project.store.transaction() as connection:  # as an answer that was changed after a check leaves it
        first = {"choice": "tie", "candidate": None, "flags": {}, "scores": {}}
        checked = {"first": first, "blind": True, "at": 1.0, "said": [], "changed": ["choice"]}
        connection.execute(update(table_of(Decision)).values(checked=checked, suggestion={"seen": True}))
    assert project.resume().pending_review == 1
    # another panel over the same candidates: the question is the same
    other = open_project(**GIVEN, judges=[{"persona": "someone else"}])
    run = other.run("preference", SEEDS, new_run=True)
    assert (run.carried, run.accepted, run.pending_review) == (3, 3, 1)
    records = {r["seed"]["external_id"]: r for r in _traces(other, run.run_id)}
    (decision,) = records["c0"]["decisions"]
    assert decision["channel"] == "carried"
    assert decision["carried_from"] == given
    assert decision["rationale"] == "it is right"
    texts = {c["id"]: c["text"] for c in records["c0"]["candidates"]}
    assert texts[decision["candidate_id"]] == "a second answer"
    assert decision["flags"] == {decision["candidate_id"]: ["outdated"]}
    assert texts[records["c0"]["record"]["chosen_id"]] == "a second answer"
    edited = records["c1"]
    assert {c["id"]: c["text"] for c in edited["candidates"]}[edited["record"]["chosen_id"]] == "a better one"
    carried = [row for row in rows(other, Decision) if row.channel == "carried"]
    assert not any(row.counts or row.checked or row.suggestion for row in carried), "it is evidence once"
    assert not {row.id for row in carried} & {row.decision_id for row in rows(other, Precedent)}
    assert sum(row.kind == "decision.carried" for row in rows(other, Event)) == 3
    # a third run carries the first answers, not the carried ones
    third = other.run("preference", SEEDS, new_run=True)
    assert third.carried == 3
    assert {row.carried_from for row in rows(other, Decision) if row.carried_from} == {
        row.id for row in rows(other, Decision) if row.channel != "carried"
    }


def test_audits_are_drawn_anew_in_each_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "asks_call_by_call", lambda _: True)

    def drawn(attempt: int, which: Any = ItemContext.is_audited) -> set[int]:
        consensus = SimpleNamespace(stop="settled", debate=False)
        config = SimpleNamespace(routing=SimpleNamespace(audit_share=0.2), consensus=consensus)
        case = SimpleNamespace(mark="5a5a5a", config=config)
        recipe = SimpleNamespace(steps=(), question=None)
        items = (SimpleNamespace(random_seed=n, attempt=attempt, pilot=False) for n in range(400))
        contexts: Any = (SimpleNamespace(case=case, item=item, recipe=recipe) for item in items)
        return {n for n, one in enumerate(contexts) if which.fget(one)}

    first, again = drawn(0), drawn(1)
    asked: Any = ItemContext.asks_all
    assert drawn(0, asked) == drawn(1, asked) == first, "what is routed again makes no call anew"
    assert first == drawn(0)
    assert all(50 <= len(found) <= 110 for found in (first, again))
    assert len(again - first) > 30, (
        "an item whose first record was not audited may be drawn when it is accepted again"
    )


def test_an_item_whose_audit_was_answered_is_not_audited_again(open_project: Any) -> None:
    project = open_project(**{**GIVEN, "routing": {"policy": "never", "audit_share": 0.5}})
    expert = project.add_expert("Ada")
    seeds = [{**SEEDS[0], "id": f"c{n}", "prompt": f"Which of {n}?"} for n in range(16)]
    project.run("preference", seeds)
    answered = {review.item_id for review in project.reviews()[:4]}
    for review in project.reviews()[:4]:
        project.decide(review, "tie", expert=expert)
    for _ in range(3):
        with project.store.transaction() as connection:
            for item_id in {row.item_id for row in rows(project, Record) if row.superseded_at is None}:
                judged = JudgedItem(item_id, 0, "accepted", pilot=False)
                assert send_again(connection, judged, {}, why="a test")
        project.resume()
    audits = [row for row in rows(project, Review) if row.kind == "audit"]
    assert {row.attempt for row in audits if row.item_id in answered} == {0}, "it counts once"
    assert {row.attempt for row in audits} == {0, 1, 2, 3}, "others are drawn in their place"
    assert {row.attempt for row in audits if row.state == "waiting"} == {3}


def _traces(project: Project, run_id: str) -> list[dict[str, Any]]:
    from solon.store.runs.items import list_items

    with project.store.connect() as connection:
        found = list_items(connection, run_id)
    return [project.trace(row["id"]) for row in found]


def test_asking_again_is_explicit_and_an_event(open_project: Any) -> None:
    project = open_project(**GIVEN)
    project.run("preference", SEEDS[:1])
    project.decide(project.reviews()[0], "tie")
    project.resume()
    again = project.run("preference", SEEDS[:1], new_run=True, ask_again=True)
    assert (again.carried, again.pending_review) == (0, 1)
    (event,) = [row for row in rows(project, Event) if row.kind == "run.ask_again"]
    assert event.subject == again.run_id
    assert event.actor.startswith("local:")


def test_other_candidates_are_another_question(open_project: Any) -> None:
    project = open_project(**GIVEN)
    project.run("preference", SEEDS[:1])
    project.decide(project.reviews()[0], "tie")
    project.resume()
    changed = [{**SEEDS[0], "responses": [RESPONSES[0], {"text": "a third answer", "source": "y"}]}]
    assert project.run("preference", changed).pending_review == 1


def test_where_experts_disagreed_a_person_is_asked(open_project: Any) -> None:
    project = open_project(**GIVEN)
    project.run("preference", SEEDS[:1])
    project.decide(project.reviews()[0], "tie")
    project.resume()
    (row,) = rows(project, Decision)
    from solon.store.tables import decisions as table

    with project.store.transaction() as connection:  # as an overlapped pilot answer leaves it
        other = {**row._mapping, "id": "other", "choice": "both_bad", "ordinal": -2}
        connection.execute(table.insert().values(other))
    run = project.run("preference", SEEDS[:1], new_run=True)
    assert (run.carried, run.pending_review) == (0, 1)


def test_a_withdrawn_answer_is_not_carried(open_project: Any) -> None:
    project = open_project(**GIVEN)
    project.run("preference", SEEDS[:1])
    project.decide(project.reviews()[0], "tie")
    project.resume()
    from solon.store.tables import decisions as table

    with project.store.transaction() as connection:
        connection.execute(update(table).values(undone_at=1.0))
    assert project.run("preference", SEEDS[:1], new_run=True).pending_review == 1


def test_command_line_says_it(command: Any, folder: Any) -> None:
    import json

    (folder / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n[routing]\npolicy = "always"\n[generator]\nrevise = false\n'
    )
    (folder / "seeds.jsonl").write_text(json.dumps(SEEDS[0]) + "\n")
    start = ("run", "preference", "--seeds", "seeds.jsonl")
    assert command(*start)[0] == 3
    review = json.loads(command("review", "list", "--json")[1].splitlines()[-1])["reviews"][0]
    code, _, err = command("review", "decide", review["id"], "tie")
    assert code == 0, err
    assert command("resume")[0] == 0
    code, out, _ = command(*start, "--new-run")
    assert code == 0
    assert "1 decisions carried over" in out
    assert command(*start, "--new-run", "--ask-again")[0] == 3
