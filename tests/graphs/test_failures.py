"""What goes wrong goes wrong by name: no item is lost, nothing becomes a score that is none, and `resume` goes on."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from solon.errors import InternalError, LimitReached, ModelRefused, ModelUnavailable, StoreError, TooLong
from solon.graphs.runner import GIVE_UP_AFTER

Make = Callable[..., Any]
SEEDS = [f"Explain thing number {i}." for i in range(20)]


def down(_question: Any) -> Exception:
    return ModelUnavailable("HTTP 503 on purpose", next_step="start the server")


def test_a_server_that_dies_parks_and_stops(make_desk: Make) -> None:
    """Not every item is dragged through it, what was done stays, and a resume ends the run."""
    served = 0

    def dies(question: Any) -> Any:
        nonlocal served
        served += 1
        return down(question) if served > 30 else None

    desk = make_desk(answer=dies, run={"concurrency": 4, "patience": "0"})
    with pytest.raises(ModelUnavailable, match="503") as caught:
        desk.project.run("preference", SEEDS)
    assert caught.value.next_step
    states = desk.states()
    assert sum(states.values()) == 20
    # In a row: one of the four in flight may still succeed in between, which begins the count anew.
    assert GIVE_UP_AFTER <= states["parked"] <= GIVE_UP_AFTER + 2 * 4
    assert set(states) <= {"parked", "queued", "accepted", "waiting", "rejected"}
    parked = [row["reason"] for row in desk.rows("Item") if row["state"] == "parked"]
    assert all(reason.startswith("unavailable: HTTP 503") for reason in parked)
    calls = {row["content_key"] for row in desk.rows("Call")}
    desk.answer, made = None, desk.chat.calls
    summary = desk.project.resume()
    assert summary.accepted + summary.rejected + summary.pending_review == 20
    assert desk.chat.calls - made == desk.count("Call") - len(calls), "no finished call was made again"


def test_a_single_failure_parks_one_item_and_the_rest_goes_on(make_desk: Make) -> None:
    desk = make_desk(answer=lambda q: down(q) if "number 7." in q.prompt else None)
    summary = desk.project.run("preference", SEEDS)
    assert (summary.parked, summary.failed, summary.queued) == (1, 1, 0)
    desk.answer = None
    assert desk.project.resume().failed == 0


def test_an_answer_without_end_is_of_its_item_and_stops_no_run(make_desk: Make) -> None:
    """Also where the model has answered nobody before: it has answered now."""

    def endless(_question: Any) -> Exception:
        error = down(_question)
        error.of_item = True  # type: ignore[attr-defined]
        return error

    desk = make_desk(answer=endless)
    summary = desk.project.run("preference", SEEDS[:1])
    assert (summary.parked, summary.queued) == (1, 0)
    desk.answer = None
    assert desk.project.resume().parked == 0


def test_a_refusal_at_the_first_call_stops_at_once(make_desk: Make) -> None:
    refuse = ModelRefused("HTTP 401: no such key", next_step="check the key")
    desk = make_desk(answer=lambda q: refuse, run={"concurrency": 4})
    with pytest.raises(ModelRefused, match="401"):
        desk.project.run("preference", SEEDS)
    assert desk.chat.calls <= 2 * 4
    assert desk.states() == {"queued": 20}
    desk.answer = None
    summary = desk.project.resume()
    assert summary.failed == summary.queued == 0


def test_a_judge_of_garbage_abstains_by_name(make_desk: Make) -> None:
    """One seat of the panel is broken: the other one's verdicts count, the abstention is stored with its reason."""

    def answer(question: Any) -> Any:
        if question.role == "judge" and "strict" in question.system:
            return "}}]] A? B? who knows {{"
        return None

    judges = [{"persona": "a strict one"}, {"persona": "a mild one"}]
    desk = make_desk(answer=answer, judges=judges, models={"default": {"logprobs": False}})
    desk.project.run("preference", SEEDS[:3])
    for verdict in desk.rows("Verdict"):
        broken = "strict" in verdict["seat"]
        assert (verdict["outcome"] == "abstain") == broken
        assert verdict["abstained"] == ("bad_output" if broken else None)
        assert verdict["p"] is None if broken else True


def test_without_any_verdict_an_expert_decides(make_desk: Make) -> None:
    """Also where the policy is to ask nobody: a panel that says nothing accepts nothing."""
    desk = make_desk(
        answer=lambda q: "no letter at all" if q.role == "judge" else None, routing={"policy": "never"}
    )
    summary = desk.project.run("preference", SEEDS[:3])
    assert (summary.pending_review, summary.accepted) == (3, 0)
    for review in desk.project.reviews():
        assert review.reasons[0] == "no judge gave a verdict"
    assert {row["rule"] for row in desk.rows("Review")} == {"no_verdict"}


@pytest.mark.parametrize("role", ["generator", "critic", "judge"])
def test_too_long_is_an_outcome_never_a_cut(make_desk: Make, role: str) -> None:
    long = TooLong("the prompt has 9000 tokens")
    desk = make_desk(answer=lambda q: long if q.role == role else None)
    summary = desk.project.run("preference", SEEDS[:2])
    (expected,) = {row["outcome"] for row in desk.rows("Call") if row["role"] == role}
    assert expected == "too_long"
    wanted = {"generator": summary.failed, "judge": summary.pending_review, "critic": 2 - summary.failed}
    assert wanted[role] == 2
    if role == "generator":
        assert all(row["reason"].startswith("too_long") for row in desk.rows("Item"))
        assert summary.model_calls == 0, "nothing was sent"


@pytest.mark.parametrize("kind", ["empty", "identical", "cut"])
def test_drafts_that_are_no_use_are_redrafted_then_rejected(make_desk: Make, kind: str) -> None:
    text = {"empty": "  ", "identical": "the same words", "cut": "x" * 10_000}[kind]
    desk = make_desk(answer=lambda q: text if q.role == "generator" else None)
    summary = desk.project.run("preference", SEEDS[:1])
    (item,) = desk.rows("Item")
    assert (summary.rejected, item["state"]) == (1, "rejected")
    assert kind in item["reason"]
    assert desk.count("Record") == 0
    assert {row["round"] for row in desk.rows("Call")} == {0, 1}


def test_fatal_findings_lead_to_a_redraft_that_is_told_of_them(make_desk: Make) -> None:
    prompts: list[str] = []

    def answer(question: Any) -> Any:
        if question.role == "generator":
            prompts.append(question.prompt)
        if question.role == "critic":
            rule = re.findall(r"^\[([\w.-]+)\] ", question.system, re.MULTILINE)[0]
            finding = {"principle": rule, "quote": "", "severity": "fatal", "suggestion": "name the RIVERS"}
            return {"findings": [finding]}
        return None

    desk = make_desk(answer=answer)
    desk.project.run("preference", SEEDS[:1])
    (item,) = desk.rows("Item")
    assert (item["state"], item["reason"]) == (
        "rejected",
        "all candidates have fatal findings after 2 rounds",
    )
    assert ["name the RIVERS" in prompt for prompt in prompts] == [False, False, True, True]
    assert desk.count("Verdict") == 0


def test_a_mistake_of_ours_fails_one_item_with_its_name(make_desk: Make) -> None:
    desk = make_desk(answer=lambda q: ZeroDivisionError("oops") if "number 1." in q.prompt else None)
    summary = desk.project.run("preference", SEEDS[:3])
    failed = [row["reason"] for row in desk.rows("Item") if row["state"] in ("failed", "parked")]
    assert len(failed) == summary.failed == 1
    assert "ZeroDivisionError" in failed[0]


def test_what_breaks_an_answer_that_is_known_ends_the_run_in_its_own_words(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The item waits for a person by then: it is not parked, no other worker is said to have it, and nothing hangs."""

    async def breaks(item: Any) -> bool:
        raise KeyError("seat")

    async def gives(item: Any) -> bool:
        return True

    def full(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk is full")

    desk = make_desk(routing={"policy": "always"}, run={"concurrency": 1})

    def run(answering: Any, seeds: list[str]) -> None:
        desk.project.run(
            "preference", seeds, on_runner=lambda runner: vars(runner).update(answering=answering)
        )

    with pytest.raises(InternalError, match=r"could not be given: .*KeyError.*seat"):
        run(breaks, SEEDS[:5])
    assert desk.states()["waiting"] == 1
    monkeypatch.setattr("solon.graphs.runner.review_store.claim_deliveries", full)
    with pytest.raises(StoreError, match="the disk is full"):
        run(gives, SEEDS[5:10])


# Limits and stopping -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_a_limit_on_calls_is_kept_exactly_and_resumed(make_desk: Make, limit: int) -> None:
    desk = make_desk(limits={"calls": limit}, run={"concurrency": 8})
    summary = desk.project.run("preference", SEEDS[:8])
    assert summary.model_calls == desk.chat.calls == limit
    assert f"{limit} reached" in (summary.stopped_because or "")
    assert summary.queued > 0
    assert summary.failed == 0
    again = desk.project.resume()
    assert (again.model_calls, desk.chat.calls) == (limit, limit), "the limit is of the run, not of a session"
    desk.close()
    desk.settings["limits"] = {}
    done = desk.project.resume()
    assert done.accepted + done.rejected + done.pending_review == 8
    assert desk.chat.calls == done.model_calls == desk.count("Call")
    assert done.stopped_because is None


@pytest.mark.parametrize(("name", "most"), [("tokens", 9000), ("cost", 0.01)])
def test_limits_on_tokens_and_cost_stop_within_the_calls_in_flight(
    make_desk: Make, name: str, most: float
) -> None:
    price = {"input": 1.0, "output": 2.0}
    model = {"concurrency": 2, "price": price}
    desk = make_desk(models={"default": model}, limits={name: most}, run={"concurrency": 4})
    summary = desk.project.run("preference", SEEDS)
    used = {"tokens": summary.tokens, "cost": summary.cost}[name]
    calls = desk.rows("Call")
    largest = {
        "tokens": max(row["input_tokens"] + row["output_tokens"] for row in calls),
        "cost": max(row["cost"] for row in calls),
    }[name]
    assert most <= used < most + 2 * largest
    assert summary.queued > 0
    desk.close()
    desk.settings["limits"] = {}
    assert desk.project.resume().queued == 0
    assert desk.chat.calls == desk.count("Call")


def test_an_unknown_price_is_an_unknown_cost(make_desk: Make) -> None:
    desk = make_desk()
    assert desk.project.run("preference", SEEDS[:1]).cost is None


def test_stopping_loses_no_call_and_no_item(make_desk: Make) -> None:
    """What Ctrl-C does: calls in flight are finished and kept, no new one begins, the rest stays queued."""
    runners: list[Any] = []

    def answer(question: Any) -> None:
        if desk.chat.calls == 40:
            runners[0].stop("stopped by Ctrl-C")

    desk = make_desk(answer=answer, models={"default": {"concurrency": 16}}, run={"concurrency": 8})
    desk.chat.script = desk.chat.script.model_copy(update={"latency": 0.01})
    summary = desk.project.run("preference", SEEDS, on_runner=runners.append)
    assert summary.stopped_because == "stopped by Ctrl-C"
    assert 40 <= desk.chat.calls <= 40 + 16
    assert desk.chat.calls == desk.count("Call"), "every call that was made is in the journal"
    assert summary.failed == 0
    assert summary.queued > 0
    done = desk.project.resume()
    assert (done.queued, done.items) == (0, 20)
    assert desk.chat.calls == desk.count("Call")


def test_a_run_that_is_cancelled_can_be_resumed_in_the_same_process(make_desk: Make) -> None:
    """A notebook's interrupt: the items it held are free at once."""
    begun = asyncio.Event()

    def answer(_question: Any) -> None:
        if desk.chat.calls == 30:
            begun.set()

    desk = make_desk(answer=answer, run={"concurrency": 4})
    desk.chat.script = desk.chat.script.model_copy(update={"latency": 0.01})

    async def cancel() -> None:
        task = asyncio.ensure_future(desk.project.arun("preference", SEEDS))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert desk.chat.calls < 100
    assert desk.chat.calls == desk.count("Call")
    done = desk.project.resume()
    assert done.accepted + done.rejected + done.pending_review == 20
    assert desk.chat.calls == desk.count("Call")


def test_a_decision_stopped_by_a_limit_stays_on_its_way(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "always"})
    summary = desk.project.run("preference", SEEDS[:1])
    (review,) = desk.project.reviews()
    desk.project.decide(review, "redraft", guidance="shorter")
    desk.close()
    desk.settings["limits"] = {"calls": summary.model_calls + 1}
    stopped = desk.project.resume()
    assert (stopped.failed, stopped.queued + stopped.pending_review) == (0, 1)
    desk.close()
    desk.settings["limits"] = {}
    desk.project.resume()
    (again,) = desk.project.reviews()
    assert again.id != review.id


def test_limit_reached_exits_with_four() -> None:
    assert LimitReached("x").exit_code == 4


# The disk ------------------------------------------------------------------------------------------------------------


def limit_pages(desk: Any, pages: int) -> None:
    """SQLite's own way to be full: the file may not grow beyond so many pages."""

    @event.listens_for(desk.project.store.engine, "connect")
    def _limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    desk.project.store.engine.dispose()


def intact(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return whole and connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


@pytest.mark.sqlite("a file that may not grow")
@pytest.mark.parametrize("room", [20, 40, 60])
def test_a_full_disk_stops_with_its_cause_and_leaves_the_store_whole(
    make_desk: Make, tmp_path: Path, room: int
) -> None:
    desk = make_desk(run={"concurrency": 4})
    desk.project.run("preference", SEEDS, limit=1)
    pages = desk.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    limit_pages(desk, pages + room)
    with pytest.raises(StoreError, match="full") as caught:
        desk.project.run("preference", SEEDS)
    assert "free some space" in caught.value.next_step
    desk.close()
    assert intact(tmp_path / "store.db")
    assert sum(desk.states().values()) in (1, 20)
    assert "failed" not in desk.states()
    done = desk.project.run("preference", SEEDS)
    assert (done.items, done.failed, done.queued) == (20, 0, 0)
    assert intact(tmp_path / "store.db")


@pytest.mark.sqlite("a file of checkpoints beside the store")
def test_a_full_disk_under_the_checkpoints_fails_no_item(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's file has room, the file of the checkpoints has none."""
    from solon.graphs.sqlite_saver import SqliteSaver

    real = SqliteSaver.aput

    async def full(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(SqliteSaver, "aput", full)
    desk = make_desk(run={"concurrency": 2})
    with pytest.raises(StoreError, match="full"):
        desk.project.run("preference", SEEDS[:6])
    assert "failed" not in desk.states()
    monkeypatch.setattr(SqliteSaver, "aput", real)
    calls = desk.count("Call")
    made = desk.chat.calls
    done = desk.project.resume()
    assert (done.items, done.failed, done.queued) == (6, 0, 0)
    assert desk.chat.calls - made == desk.count("Call") - calls
