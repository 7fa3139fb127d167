"""From a review to its record, in every way that there is, on both databases: decide, resume, replay."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.errors import AlreadyDecided, ModelUnavailable
from solon.graphs import runner
from solon.graphs.resuming import Threads
from solon.prompts.library import PromptLibrary
from solon.store import tables
from solon.store.database import clock
from solon.store.database.engine import checkpoint_location, sqlite_path

Make = Callable[..., Any]
ALWAYS = {"routing": {"policy": "always"}}


def forget_checkpoints(desk: Any) -> None:
    """As if the checkpoints had been lost."""
    desk.close()
    if sqlite_path(desk.url) is not None:
        for path in Path(checkpoint_location(desk.url)).parent.glob("*.checkpoints.db*"):
            path.unlink()
        return
    import psycopg

    with psycopg.connect(checkpoint_location(desk.url)) as connection:
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
            connection.execute(f"DELETE FROM {table}")


def texts_of(desk: Any, record: dict[str, Any]) -> tuple[str | None, str | None]:
    candidates = {row["id"]: row for row in desk.rows("Candidate")}
    chosen, rejected = (candidates.get(record[side]) for side in ("chosen_id", "rejected_id"))
    return tuple(desk.text(row["text_id"]) if row else None for row in (chosen, rejected))  # type: ignore[return-value]


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
@pytest.mark.parametrize("choice", ["prefer", "edit", "tie"])
def test_decided_while_nothing_ran(store_url: str, make_desk: Make, choice: str, lost: bool) -> None:
    """The decision is stored, the process ends, another one resumes; checkpoints kept or lost, no call is repeated."""
    desk = make_desk(store_url, **ALWAYS)
    summary = desk.project.run("preference", ["Why is the sky blue?", "Name three rivers."])
    assert (summary.items, summary.pending_review) == (2, 2)
    review = desk.project.reviews()[0]
    a, b = review.candidates
    answer = {"text": f"{b.text} And mended."} if choice == "edit" else {}
    flags = {b.id: ["unsafe"]}
    desk.project.decide(review, choice, None if choice == "tie" else b, flags=flags, **answer)
    desk.close()
    if lost:
        forget_checkpoints(desk)
    calls, candidates = desk.chat.calls, desk.count("Call")
    summary = desk.project.resume()
    assert (summary.accepted, summary.pending_review, summary.decisions_to_apply) == (1, 1, 0)
    assert (desk.chat.calls, desk.count("Call")) == (calls, candidates), "replayed at no cost"
    (record,) = desk.rows("Record")
    wanted = {"prefer": (b.text, a.text), "edit": (f"{b.text} And mended.", b.text), "tie": (None, None)}
    assert texts_of(desk, record) == wanted[choice]
    assert (record["kind"], record["route"], bool(record["provisional"])) == (choice, "decided", False)
    if choice == "tie":
        assert record["soft_label"] == 0.5
    if choice == "prefer":
        assert 0 <= record["soft_label"] <= 1
    [row] = desk.project.records()
    leads = None if choice != "prefer" else round(2 * record["soft_label"] - 1, 5)
    assert (row.margin if row.margin is None else round(row.margin, 5)) == leads, "signed for the chosen text"
    other = desk.project.reviews()
    assert len(other) == 1
    assert other[0].id != review.id


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_a_flagged_text_is_not_exported(make_desk: Make, tmp_path: Path, lost: bool) -> None:
    """Also where a replay gave the flagged text another id."""
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    desk.project.decide(review, "prefer", review.candidates[0], flags={review.candidates[0].id: ["unsafe"]})
    if lost:
        forget_checkpoints(desk)
    assert desk.project.resume().accepted == 1
    exported = desk.project.export("trl-sft", tmp_path / "sft.jsonl")
    assert exported.written == 0
    assert exported.left_out == {"flagged": 1}


def test_a_second_answer_changes_nothing(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    first = desk.project.decide(review, "prefer", review.candidates[0])
    for _ in range(2):
        with pytest.raises(AlreadyDecided):
            desk.project.decide(review, "tie")
        desk.project.resume()
    (record,) = desk.rows("Record")
    assert (record["decision_id"], record["kind"]) == (first, "prefer")
    assert desk.count("Decision") == 1


def test_resuming_twice_makes_one_record(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    desk.project.decide(review, "tie")
    first, calls = desk.project.resume(), desk.chat.calls
    second = desk.project.resume()
    assert (first.accepted, second.accepted) == (1, 1)
    assert desk.count("Record") == 1
    assert desk.chat.calls == calls


@pytest.mark.parametrize("choice", ["skip", "decline", "escalate"])
def test_setting_aside_does_not_resume(make_desk: Make, choice: str) -> None:
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    desk.project.decide(review, choice, rationale="not mine")
    summary = desk.project.resume()
    assert (summary.pending_review, summary.accepted, desk.count("Decision")) == (1, 0, 0)
    desk.project.decide(review, "tie")
    assert desk.project.resume().accepted == 1


def test_both_bad_shows_the_next_two_then_redrafts_then_rejects(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS, generator={"n": 4, "temperatures": [0.2, 0.5, 0.8, 1.1]})
    desk.project.run("preference", ["Why is the sky blue?"])
    shown: list[tuple[str, ...]] = []
    for _ in range(4):
        (review,) = desk.project.reviews()
        shown.append(tuple(c.text for c in review.candidates))
        desk.project.decide(review, "both_bad")
        desk.project.resume()
    assert len({text for pair in shown for text in pair}) == 8, "four drafts, then four new ones, none twice"
    rounds = [row["round"] for row in desk.rows("Candidate") if row["kind"] == "draft"]
    assert sorted(rounds) == [0] * 4 + [1] * 4
    assert desk.states() == {"rejected": 1}
    assert desk.count("Record") == 0
    assert desk.project.reviews() == []


def test_four_candidates_are_shortlisted_by_the_rubric(make_desk: Make) -> None:
    """The two that the panel scores best are judged as a pair."""

    def answer(question: Any) -> Any:
        if question.role == "generator":
            return f"answer at {question.temperature}"
        if question.role == "critic":
            return {"findings": []}
        if question.schema_name == "Scores":
            good = 5 if question.block("answer") in ("answer at 0.8", "answer at 0.5") else 2
            ids = question.schema["$defs"]["Points"]["properties"] if question.schema else {}
            return {"rationale": "", "scores": dict.fromkeys(ids, good)}
        return None

    desk = make_desk(answer=answer, **ALWAYS, generator={"n": 4, "temperatures": [0.2, 0.5, 0.8, 1.1]})
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    assert {c.text for c in review.candidates} == {"answer at 0.8", "answer at 0.5"}


def test_a_redraft_follows_the_guidance_and_comes_back_to_its_expert(make_desk: Make) -> None:
    prompts: list[str] = []

    def answer(question: Any) -> None:
        if question.role == "generator" and "[draft " not in question.prompt:
            prompts.append(question.prompt)

    desk = make_desk(answer=answer, routing={"policy": "always", "max_redrafts": 0})
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    before = len(prompts)
    ada = desk.project.add_expert("Ada")
    desk.project.decide(
        review, "redraft", guidance="Speak of Rayleigh.", rationale="It is vague.", expert=ada
    )
    desk.project.resume()
    (again,) = desk.project.reviews()
    assert all("Speak of Rayleigh." in prompt for prompt in prompts[before:])
    assert len(prompts) > before
    assert {c.text for c in again.candidates}.isdisjoint(c.text for c in review.candidates)
    rows = {row["id"]: row for row in desk.rows("Review")}
    assert rows[again.id]["prefer_actor"] == f"expert:{desk.rows('Expert')[0]['id']}"
    assert any("asked for this redraft" in reason for reason in again.reasons)
    desk.project.decide(again, "prefer", again.candidates[0])
    desk.project.resume()
    (record,) = desk.rows("Record")
    assert texts_of(desk, record) == (again.candidates[0].text, again.candidates[1].text)


def test_a_slow_redraft_holds_up_no_other_decision(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision that comes while another item is drafted anew is applied before that has ended."""
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?", "Name three rivers."])
    slow, other = desk.project.reviews()
    desk.project.decide(slow, "redraft", guidance="Shorter.")
    deliver, looks = Threads.deliver, iter(range(500))

    async def slowly(threads: Threads, item: Any, delivery: Any) -> Any:
        if item.id == slow.item_id:
            desk.project.decide(other, "prefer", other.candidates[0])
            while desk.states().get("accepted") != 1:
                assert next(looks, None) is not None, "the other decision waits for the redraft"
                await asyncio.sleep(0.01)
        return await deliver(threads, item, delivery)

    monkeypatch.setattr(Threads, "deliver", slowly)
    monkeypatch.setattr(runner, "DELIVERY_PAUSE", 0.01)
    summary = desk.project.resume()
    assert (summary.accepted, summary.pending_review, summary.decisions_to_apply) == (1, 1, 0)


def test_redrafts_by_an_expert_are_bounded(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "always", "max_reviews_per_item": 2})
    desk.project.run("preference", ["Why is the sky blue?"])
    for _ in range(2):
        (review,) = desk.project.reviews()
        desk.project.decide(review, "redraft", guidance="better")
        desk.project.resume()
    (item,) = desk.rows("Item")
    assert (item["state"], item["reason"]) == ("rejected", "still not good after 2 reviews")


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
@pytest.mark.parametrize("fails", ["draft", "judge"])
def test_the_server_dies_in_the_middle_of_a_redraft(
    store_url: str, make_desk: Make, fails: str, lost: bool
) -> None:
    """The decision is not lost, nothing finished is paid again, and the second review opens once."""
    desk = make_desk(store_url, **ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    desk.project.decide(review, "redraft", guidance="shorter")
    if lost:
        forget_checkpoints(desk)
    role = {"draft": "generator", "judge": "judge"}[fails]
    desk.answer = lambda q: ModelUnavailable("down on purpose") if q.role == role else None
    summary = desk.project.resume()
    assert summary.items == summary.pending_review + summary.parked == 1
    desk.answer = None
    calls = desk.count("Call")
    summary = desk.project.resume()
    assert (summary.pending_review, summary.decisions_to_apply) == (1, 0)
    assert desk.count("Call") > calls
    (again,) = desk.project.reviews()
    desk.project.decide(again, "prefer", again.candidates[1])
    assert desk.project.resume().accepted == 1
    records = [row for row in desk.rows("Record") if row["superseded_at"] is None]
    assert [texts_of(desk, r) for r in records] == [(again.candidates[1].text, again.candidates[0].text)]
    keys = [row["content_key"] for row in desk.rows("Call")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("choice", "answer", "state", "kind"),
    [
        ("accept", {"scores": {"correctness": 5}}, "accepted", "accept"),
        ("reject", {}, "rejected", None),
        ("edit", {"text": "a better answer"}, "accepted", "edit"),
        ("redraft", {"guidance": "about rivers"}, "waiting", None),
    ],
)
def test_every_answer_to_a_single_candidate(
    store_url: str, make_desk: Make, choice: str, answer: dict[str, Any], state: str, kind: str | None
) -> None:
    desk = make_desk(store_url, **ALWAYS)
    desk.project.run("instruction", ["Name three rivers."])
    (review,) = desk.project.reviews()
    desk.project.decide(review, choice, review.candidates[0], **answer)
    desk.project.resume()
    assert desk.states() == {state: 1}
    records = desk.rows("Record")
    assert [row["kind"] for row in records] == ([kind] if kind else [])
    if choice == "accept":
        assert records[0]["scores"] == {"correctness": 5}
        [row] = desk.project.records()
        assert row.margin == pytest.approx(
            records[0]["shares"]["accept"] - records[0]["shares"]["reject"], abs=1e-5
        )
    if choice == "edit":
        [row] = desk.project.records()
        assert (row.response, row.chosen, row.margin) == ("a better answer", "a better answer", None)
        assert row.rejected == review.candidates[0].text
        assert texts_of(desk, records[0]) == ("a better answer", review.candidates[0].text)


@pytest.mark.parametrize("jump", [86400, -86400])
def test_an_item_left_at_its_review_by_a_dead_process_takes_its_decision(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """Died between taking the decision from the outbox and giving it to the graph; and its claims lapse though the
    clock is set back."""
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    desk.project.decide(review, "prefer", review.candidates[1])
    from solon.store.reviewing import reviews

    with desk.project.store.transaction() as connection:
        assert len(reviews.claim_deliveries(connection, "gone:1:1:x", 9)) == 1
    monkeypatch.setattr(clock, "now", lambda: time.time() + jump)
    calls = desk.chat.calls
    summary = desk.project.resume()
    assert (summary.accepted, summary.decisions_to_apply) == (1, 0)
    assert desk.chat.calls == calls
    (record,) = desk.rows("Record")
    assert texts_of(desk, record)[0] == review.candidates[1].text


@pytest.mark.parametrize("choice", ["prefer", "redraft"])
def test_a_worker_that_died_after_delivering_leaves_nothing_open(make_desk: Make, choice: str) -> None:
    """The graph took the decision in, but the outbox row was never marked: the item has ended, or waits again."""
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", ["Why is the sky blue?"])
    (review,) = desk.project.reviews()
    answer = {"guidance": "shorter"} if choice == "redraft" else {}
    desk.project.decide(review, choice, review.candidates[0] if choice == "prefer" else None, **answer)
    desk.project.resume()
    from solon.store.runs import items

    dead = f"{items.owner().rsplit(':', 1)[0]}:1:x"
    with desk.project.store.transaction() as connection:
        left = {"applied_at": None, "claimed_by": dead, "claimed_until": 9e9}
        connection.execute(update(tables.outbox).values(**left))
    before = [r.id for r in desk.project.reviews()]
    calls = desk.chat.calls
    summary = desk.project.resume()
    assert summary.decisions_to_apply == 0
    assert [r.id for r in desk.project.reviews()] == before
    assert (desk.chat.calls, desk.count("Record")) == (calls, 1 if choice == "prefer" else 0)


def test_a_thread_that_has_ended_leaves_no_checkpoint(
    store_url: str, make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both databases: neither one that never stopped nor one that a person answered; a new one is not looked for."""
    from solon.graphs import known_threads
    from solon.store.upkeep.pruning import stored_threads

    known: list[set[str]] = []

    async def noting(config: Any, find: Any) -> Any:
        known.append(set(config["configurable"]) & {known_threads.NEW, known_threads.KEPT})
        return await look_up(config, find)

    look_up = known_threads.look_up
    for module in ("sqlite_saver", "postgres_saver"):
        monkeypatch.setattr(f"solon.graphs.{module}.look_up", noting)
    desk = make_desk(store_url, routing={"policy": "never"})
    assert desk.project.run("preference", ["Why is the sky blue?"]).accepted == 1
    assert stored_threads(desk.project.store) == set()
    assert known == [], "an item that never waits has no thread"
    desk.close()
    desk = make_desk(store_url, **ALWAYS)
    desk.project.run("preference", ["Name three rivers.", "Name three lakes."])
    assert len(stored_threads(desk.project.store)) == 2
    assert known == [{known_threads.NEW}] * 2
    review = desk.project.reviews()[0]
    desk.project.decide(review, "prefer", review.candidates[0])
    assert desk.project.resume().accepted == 1
    assert len(stored_threads(desk.project.store)) == 1
    assert known[2:] == [{known_threads.KEPT}], "it is read once"


def test_a_decision_on_an_earlier_run_is_applied_too(store_url: str, make_desk: Make) -> None:
    """Only what was decided goes on there: what is queued in that run costs nothing now."""
    desk = make_desk(store_url, **ALWAYS)
    seeds = [{"id": "s0", "prompt": "Why is the sky blue?"}, {"id": "s1", "prompt": "Name three rivers."}]
    older = desk.project.run("preference", seeds)
    review = next(one for one in desk.project.reviews() if one.prompt == "Why is the sky blue?")
    desk.project.decide(review, "prefer", review.candidates[0])
    begun = desk.read(lambda c: c.execute(select(tables.Item).where(tables.Item.state == "waiting")).all())
    left = next(row for row in begun if row.id != review.item_id)
    with desk.project.store.transaction() as connection:  # as a run that was stopped leaves it
        connection.execute(update(tables.items).where(tables.Item.id == left.id).values(state="queued"))
    newest = desk.project.run("preference", ["What is a prime number?"])
    calls = desk.chat.calls
    summary = desk.project.resume()
    assert (summary.run_id, summary.earlier_runs) == (newest.run_id, {older.run_id: 1})
    assert desk.chat.calls == calls
    then = desk.project.summarize(older.run_id)
    assert (then.accepted, then.decisions_to_apply, then.queued) == (1, 0, 1)
    assert desk.project.resume().earlier_runs == {}


def test_an_earlier_run_that_cannot_go_on_keeps_its_decision(store_url: str, make_desk: Make) -> None:
    desk = make_desk(store_url, **ALWAYS)
    older = desk.project.run("preference", ["Why is the sky blue?"])
    review = desk.project.reviews()[0]
    desk.project.decide(review, "redraft", guidance="shorter")
    newest = desk.project.run("preference", ["What is a prime number?"])

    def answer(question: Any) -> Any:
        raise ModelUnavailable("nobody answers")

    desk.answer = answer
    summary = desk.project.resume()
    assert summary.run_id == newest.run_id
    desk.answer = None
    assert desk.project.resume(older.run_id).pending_review == 1


def test_a_run_of_before_marks_were_made_for_each_prompt(
    store_url: str, make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the one mark of its item, and so its calls."""
    with monkeypatch.context() as before:
        plain = PromptLibrary.manifest
        before.setattr(
            PromptLibrary,
            "manifest",
            lambda self: {name: {**entry, "marks": ""} for name, entry in plain(self).items()},
        )
        desk = make_desk(store_url, **ALWAYS)
        assert desk.project.run("preference", ["Why is the sky blue?"]).pending_review == 1
    prompts = [desk.text(row["prompt_id"]) for row in desk.rows("Call")]
    assert len({mark for prompt in prompts for mark in re.findall(r"\[request (\w+)\]", prompt)}) == 1
    (review,) = desk.project.reviews()
    desk.project.decide(review, "prefer", review.candidates[0])
    forget_checkpoints(desk)
    calls = desk.chat.calls
    assert desk.project.resume().accepted == 1
    assert desk.chat.calls == calls
