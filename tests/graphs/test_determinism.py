"""The same seeds and configuration give the same records, however many items are in flight, and however often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from solon.store.database.store import Store
from solon.store.tables.runs import Meta

Make = Callable[..., Any]
SEEDS: list[Any] = [{"id": f"s{i}", "prompt": f"Explain thing number {i}."} for i in range(12)]


def unlike(question: Any) -> Any:
    """Of two near-duplicates the first one wins, whichever that is: so no two instructions are alike here."""
    if question.schema_name != "InstructionDraft":
        return None
    return {"instruction": f"task {question.seed} {question.seed + 1}", "response": f"answer {question.seed}"}


@pytest.mark.parametrize("recipe", ["preference", "instruction"])
def test_concurrency_changes_nothing(make_desk: Make, tmp_path: Path, recipe: str) -> None:
    """Two stores with one key (it decides the markers around texts), at 1 and at 64 items at once."""
    found = []
    for concurrency in (1, 64):
        url = f"sqlite:///{tmp_path / f'store{concurrency}.db'}"
        with Store(url, create=True) as store, store.transaction() as connection:
            connection.execute(update(Meta).where(Meta.name == "key").values(value="ab" * 32))  # type: ignore[arg-type]
        desk = make_desk(url, unlike, run={"concurrency": concurrency}, routing={"policy": "never"})
        run = desk.project.run(recipe, SEEDS, new_run=True)
        items = {row["id"] for row in desk.rows("Item") if row["run_id"] == run.run_id}
        mine = [row for row in desk.rows("Record") if row["item_id"] in items]
        texts = {row["id"]: row["body"] for row in desk.rows("Text")}
        candidates = {row["id"]: texts[row["text_id"]] for row in desk.rows("Candidate")}
        seeds = {row["id"]: row["seed_id"] for row in desk.rows("Item")}
        found.append(
            sorted(
                (seeds[r["item_id"]], r["kind"], candidates[r["chosen_id"]], r["margin"], r["confidence"])
                for r in mine
            )
        )
        desk.close()
    assert found[0] == found[1]
    assert found[0]


def test_going_on_with_a_finished_run_calls_nobody(make_desk: Make) -> None:
    desk = make_desk()
    first = desk.project.run("preference", SEEDS)
    records, calls = desk.record_texts(), desk.chat.calls
    second = desk.project.run("preference", SEEDS)
    assert second.run_id == first.run_id
    assert desk.chat.calls == calls
    assert desk.record_texts() == records


def test_reuse_pays_for_no_equal_call(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "never"})
    first = desk.project.run("preference", SEEDS)
    calls, records = desk.chat.calls, desk.record_texts()
    second = desk.project.run("preference", SEEDS, new_run=True, reuse=first.run_id)
    assert second.run_id != first.run_id
    assert desk.chat.calls == calls
    assert second.accepted == first.accepted
    both = desk.record_texts()
    assert sorted(both) == sorted(records * 2)


def test_a_text_that_no_database_can_hold_is_the_same_in_a_replay(make_desk: Make) -> None:
    """NUL and lone surrogates are replaced before anybody reads them, so that a replay asks the same questions."""
    desk = make_desk(
        answer=lambda q: f"odd \x00 and \ud800 number {q.seed}" if q.role == "generator" else None,
        routing={"policy": "always"},
        generator={"revise": False},
    )
    desk.project.run("preference", SEEDS[:1])
    (review,) = desk.project.reviews()
    assert all("\x00" not in c.text and "\ufffd" in c.text for c in review.candidates)
    calls = desk.chat.calls
    from solon.store.runs import items

    with desk.project.store.transaction() as connection:
        items.next_attempt(connection, review.item_id)
        connection.execute(items.items.update().values(state="queued"))
    desk.project.resume()
    assert desk.chat.calls == calls
