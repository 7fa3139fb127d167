"""Answers that led nowhere: found by `doctor`, brought in by its repair, replayed at no cost, exported right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from solon.operations.doctor import Check, examine
from solon.store import tables
from solon.store.reviewing import deliveries
from solon.store.reviewing.strays import find_strays
from solon.store.tables import table_of

Make = Callable[..., Any]
ALWAYS = {"routing": {"policy": "always"}}
ITEMS, REVIEWS, OUTBOX = (table_of(table) for table in (tables.Item, tables.Review, tables.Outbox))
BY_MISTAKE = {
    "state": "failed",
    "reason": "internal error: BrokenPipeError: [Errno 32] Broken pipe",
    "finished_at": 1.0,
}


def write(desk: Any, *statements: Any) -> None:
    with desk.project.store.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def doctor(desk: Any, **options: bool) -> list[Check]:
    config = desk.project.config.model_copy(update={"store": desk.url})
    return [check for check in examine(config, offline=True, **options) if check.name == "items"]


def test_items_that_a_broken_pipe_failed_are_brought_in(
    store_url: str, make_desk: Make, tmp_path: Path
) -> None:
    """What an older Solon left: items failed while their reviews wait, and answers to those marked as applied."""
    desk = make_desk(store_url, **ALWAYS)
    run = desk.project.run("preference", [f"Explain topic {i}." for i in range(5)]).run_id
    write(desk, update(ITEMS).values(**BY_MISTAKE))
    answered = desk.project.reviews()[:2]
    for review in answered:
        desk.project.decide(review, "prefer", review.candidates[0])
    write(desk, update(OUTBOX).values(applied_at=1.0))
    assert desk.project.resume().accepted == 0, "nothing tells that they wait"
    found = doctor(desk)
    assert {check.state for check in found} == {"broken"}
    assert {check.told for check in found} == {
        f"3 items of run {run} failed although their review waits",
        f"2 items of run {run} failed although they were answered",
    }
    assert all("doctor --repair" in check.next_step for check in found)
    repaired = doctor(desk, repair=True)
    assert [check.state for check in repaired] == ["note", "note"]
    assert f"solon resume {run}" in repaired[0].next_step
    calls = desk.chat.calls
    summary = desk.project.resume()
    assert (summary.accepted, summary.pending_review, summary.failed) == (2, 3, 0)
    assert (summary.decisions_to_apply, desk.chat.calls) == (0, calls)
    records = desk.rows("Record")
    assert {row["decision_id"] for row in records} == {row["id"] for row in desk.rows("Decision")}
    assert len(desk.project.reviews()) == 3
    desk.project.export("jsonl", tmp_path / "out.jsonl")
    exported = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(exported) == 2
    assert doctor(desk) == []


def decided(desk: Any, choice: str = "prefer", **answer: Any) -> None:
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    desk.project.decide(review, choice, review.candidates[0] if choice == "prefer" else None, **answer)


def strays(desk: Any) -> list[str]:
    return [stray.why for stray in desk.read(find_strays)]


def test_an_answer_is_not_settled_by_an_item_that_failed(make_desk: Make) -> None:
    """The older code took an item that had ended, in whatever way, as proof that its answer had arrived."""
    desk = make_desk(**ALWAYS)
    decided(desk)
    write(desk, update(ITEMS).values(**BY_MISTAKE))
    summary = desk.project.resume()
    assert (summary.failed, summary.decisions_to_apply) == (1, 1)
    assert strays(desk) == ["failed although they were answered"]
    doctor(desk, repair=True)
    assert desk.project.resume().accepted == 1


def test_an_item_that_waits_although_it_was_answered(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS)
    decided(desk)
    write(desk, update(OUTBOX).values(applied_at=1.0))
    assert desk.project.resume().pending_review == 1, "it would wait for ever"
    assert strays(desk) == ["wait although they were answered"]
    doctor(desk, repair=True)
    assert (desk.project.resume().accepted, desk.count("Record")) == (1, 1)


@pytest.mark.parametrize("state", ["withdrawn", "opening"])
def test_an_item_that_waits_for_a_review_that_nobody_can_answer(make_desk: Make, state: str) -> None:
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    write(desk, update(REVIEWS).values(state=state))
    assert strays(desk) == ["wait for a review that nobody can answer"]
    doctor(desk, repair=True)
    calls = desk.chat.calls
    assert desk.project.resume().pending_review == 1
    assert desk.chat.calls == calls
    (review,) = desk.project.reviews()
    desk.project.decide(review, "tie")
    assert desk.project.resume().accepted == 1
    assert strays(desk) == []


def test_an_item_that_ended_as_its_answer_did_not_say(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS)
    decided(desk)
    desk.project.resume()
    write(desk, update(tables.records).values(decision_id=None))
    assert strays(desk) == ["ended without the answer they were given"]
    doctor(desk, repair=True)
    assert desk.project.resume().accepted == 1
    (record,) = [row for row in desk.rows("Record") if row["superseded_at"] is None]
    assert record["decision_id"] == desk.rows("Decision")[0]["id"]


def test_a_redraft_that_fails_by_the_graph_is_no_stray(make_desk: Make) -> None:
    """An answer after which the graph goes on names no end; a graph may also fail by itself."""
    desk = make_desk(**ALWAYS)
    decided(desk, "redraft", guidance="shorter")
    desk.project.resume()
    assert strays(desk) == []
    (review,) = desk.project.reviews()
    desk.project.decide(review, "prefer", review.candidates[0])
    desk.project.resume()
    assert (strays(desk), desk.states()) == ([], {"accepted": 1})
    write(desk, update(ITEMS).values(state="failed", reason="too_long: nothing was sent"))
    assert strays(desk) == ["failed although they were answered"]


def test_an_answer_that_was_taken_back_is_no_stray(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS)
    decided(desk)
    write(desk, update(tables.decisions).values(undone_at=1.0))
    write(
        desk, update(ITEMS).values(state="rejected", route="consensus"), update(OUTBOX).values(applied_at=1.0)
    )
    assert strays(desk) == []


@pytest.mark.parametrize("choice", ["prefer", "redraft"])
def test_an_answer_is_applied_in_the_transaction_that_names_it(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    """A process may die right after any commit: no state names a decision whose delivery is still open, nor the
    other way round."""
    desk = make_desk(**ALWAYS)
    decided(desk, choice, **({"guidance": "shorter"} if choice == "redraft" else {}))
    seen: list[tuple[str, bool]] = []
    mark = deliveries.mark_applied

    def noting(connection: Any, decision_id: str) -> None:
        mark(connection, decision_id)
        if decision_id:
            state = connection.execute(ITEMS.select()).mappings().one()["state"]
            seen.append(
                (state, connection.execute(OUTBOX.select()).mappings().one()["applied_at"] is not None)
            )

    for module in ("solon.store.reviewing.reviews", "solon.graphs.nodes.finish"):
        monkeypatch.setattr(f"{module}.mark_applied", noting)
    desk.project.resume()
    assert seen == [("accepted" if choice == "prefer" else "waiting", True)]


def test_progress_of_items_that_begin_again_adds_up(make_desk: Make) -> None:
    """An item that is replayed and ends is counted once."""
    desk = make_desk(**ALWAYS)
    decided(desk)
    write(desk, update(ITEMS).values(**BY_MISTAKE), update(OUTBOX).values(applied_at=1.0))
    doctor(desk, repair=True)
    counts: list[dict[str, int]] = []
    desk.project.resume(on_progress=lambda progress: counts.append(dict(progress.counts)))
    assert {sum(seen.values()) for seen in counts} == {1}
    assert {name: n for name, n in counts[-1].items() if n} == {"accepted": 1}
