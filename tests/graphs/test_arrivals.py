"""A run works on the first of its items while the others are still stored: nothing is lost, doubled or drawn otherwise
when it is stopped or joined in the middle of that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solon.errors import SeedError, UsageError
from solon.store.runs import requeued, runs
from solon.workspace import loading

Make = Callable[..., Any]
Part = Callable[[Any], None]
SEEDS = [f"Explain thing number {n}." for n in range(60)]
SETTINGS: dict[str, Any] = {"routing": {"policy": "pilot", "audit_share": 0}, "run": {"concurrency": 2}}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 10)


def before_part(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Do something before a part is made, counted from 1, while the run goes on."""
    make = loading.parts_of

    def parts(*asked: Any) -> Iterator[Part]:
        for at, part in enumerate(make(*asked), 1):
            if at == number:
                act()
            yield part

    monkeypatch.setattr(loading, "parts_of", parts)


def as_drawn(desk: Any) -> list[tuple[Any, ...]]:
    """Every item by the name of its seed, with what does not differ from store to store."""
    names = {row["id"]: row["external_id"] for row in desk.rows("Seed")}
    rows = desk.rows("Item")
    return sorted(
        (names[row["seed_id"]], row["position"], row["random_seed"], row["pilot"], row["number"])
        for row in rows
    )


def test_the_pilot_is_judged_while_the_rest_is_stored(
    make_desk: Make, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, stored, totals = threading.Event(), list[int](), set[int]()
    before_part(monkeypatch, 2, lambda: called.wait(300))

    def first(question: Any) -> None:
        if not called.is_set():
            stored.append(desk.count("Item"))
            called.set()

    desk = make_desk(store_url, first, **SETTINGS)
    summary = desk.project.run(
        "preference", SEEDS, on_progress=lambda now: totals.add(sum(now.counts.values()))
    )
    assert stored[0] in range(15, 26), "the pilot, and at most the first part"
    assert totals == {60}
    assert (summary.items, summary.queued, desk.count("Seed")) == (60, 0, 60)
    assert [row["status"] for row in desk.rows("Run")] == ["waiting"]
    noted = [row["detail"] for row in desk.rows("Event") if row["kind"] == "pilot.drawn"]
    assert noted == [{"items": 15}]


def test_the_draw_is_that_of_a_run_that_is_stored_first(make_desk: Make, tmp_path: Path) -> None:
    early, late = (make_desk(f"sqlite:///{tmp_path / name}.db", **SETTINGS) for name in ("early", "late"))
    late.project.load("preference", SEEDS)
    early.project.run("preference", SEEDS)
    assert as_drawn(early) == as_drawn(late)
    assert sum(row["pilot"] for row in early.rows("Item")) == 15


def test_what_is_broken_off_goes_on_from_there(
    make_desk: Make, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = threading.Event()

    def break_off() -> None:
        called.wait(300)
        raise SeedError("the disk with the seeds is gone", next_step="bring it back")

    desk = make_desk(store_url, lambda question: called.set(), **SETTINGS)
    with monkeypatch.context() as once:
        before_part(once, 3, break_off)
        with pytest.raises(SeedError, match="is gone"):
            desk.project.run("preference", SEEDS)
    (run,) = desk.rows("Run")
    assert (run["status"], desk.chat.calls > 0) == ("loading", True)
    assert 15 < desk.count("Item") < 60
    assert not desk.read(lambda connection: requeued.is_settled(connection, run["id"]))
    for goes_on in (desk.project.resume, desk.project.learn):
        with pytest.raises(UsageError, match="while its seeds were read") as caught:
            goes_on(run["id"])
        assert "solon run preference" in caught.value.next_step
    summary = desk.project.run("preference", SEEDS)
    assert (summary.run_id, summary.items, summary.queued) == (run["id"], 60, 0)
    assert desk.chat.calls == summary.model_calls == desk.count("Call"), "no finished call is made again"
    fresh = make_desk(f"sqlite:///{tmp_path / 'fresh.db'}", **SETTINGS)
    fresh.project.load("preference", SEEDS)
    assert as_drawn(desk) == as_drawn(fresh)


def test_another_policy_draws_its_pilot_from_all_of_the_run(
    make_desk: Make, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = threading.Event()

    def break_off() -> None:
        accepted.wait(300)
        raise SeedError("the disk with the seeds is gone", next_step="bring it back")

    desk = make_desk(store_url, **{**SETTINGS, "routing": {"policy": "never"}})
    with monkeypatch.context() as once:
        before_part(once, 3, break_off)
        with pytest.raises(SeedError, match="is gone"):
            desk.project.run(
                "preference",
                SEEDS,
                on_progress=lambda now: accepted.set() if now.counts["accepted"] else None,
            )
    other = make_desk(store_url, **SETTINGS)
    assert other.project.run("preference", SEEDS).items == 60
    assert other.count("Run") == 1
    fresh = make_desk(f"sqlite:///{tmp_path / 'fresh.db'}", **SETTINGS)
    fresh.project.load("preference", SEEDS)
    assert as_drawn(other) == as_drawn(fresh)


def test_no_other_run_carries_answers_to_one_that_is_half_stored(
    make_desk: Make, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stores the rest of it does: what is learned of it would be of a part of its items."""
    waits = threading.Event()

    def break_off() -> None:
        waits.wait(300)
        raise SeedError("the disk with the seeds is gone", next_step="bring it back")

    desk = make_desk(store_url, **{**SETTINGS, "routing": {"policy": "always"}})
    with monkeypatch.context() as once:
        before_part(once, 3, break_off)
        with pytest.raises(SeedError, match="is gone"):
            desk.project.run(
                "preference", SEEDS, on_progress=lambda now: waits.set() if now.counts["waiting"] else None
            )
    review = desk.project.reviews()[0]
    desk.project.decide(review, "prefer", review.candidates[0])
    desk.project.run("preference", ["Explain another thing."])
    assert desk.project.resume().earlier_runs == {}
    assert desk.states().get("accepted", 0) == 0
    assert desk.project.run("preference", SEEDS).accepted == 1


def test_another_joins_while_it_is_stored(
    make_desk: Make, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SETTINGS, "routing": {"policy": "never"}}
    first, second = make_desk(store_url, **settings), make_desk(store_url, **settings)
    joined = list[Any]()
    before_part(monkeypatch, 3, lambda: joined or joined.append(1) or second.project.run("preference", SEEDS))
    summary = first.project.run("preference", SEEDS)
    assert (summary.items, summary.accepted, first.count("Run")) == (60, 60, 1)
    assert first.chat.calls + second.chat.calls == first.count("Call")


def test_a_limit_leaves_all_of_it_stored(make_desk: Make, store_url: str) -> None:
    desk = make_desk(store_url, **SETTINGS, limits={"calls": 10})
    summary = desk.project.run("preference", SEEDS)
    assert (summary.items, summary.stopped_because) == (60, "--max-calls 10 reached")
    assert [row["status"] for row in desk.rows("Run")] == ["stopped"]
    assert desk.project.resume().items == 60


@pytest.mark.parametrize(
    ("recipe", "changed"),
    [
        ("preference", {"privacy": {"class": "deidentified"}}),
        ("preference", {"routing": {"policy": "pilot", "strata": "specialty"}}),
        ("instruction-evolve", {}),
    ],
)
def test_where_all_items_are_looked_at_first_all_are_stored_first(
    make_desk: Make, recipe: str, changed: dict[str, Any]
) -> None:
    project = make_desk(**{**SETTINGS, **changed}).project
    rows = [{"prompt": prompt, "specialty": "any"} for prompt in SEEDS]
    begun = project._begin(recipe, rows, None, new_run=False, reuse=None, ask_again=False)
    assert not loading.begin_early(begun, project.config, project.store)
