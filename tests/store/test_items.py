"""Claiming items for work: no item twice, none lost when a process dies, final states stay final."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from solon.errors import InternalError
from solon.store.database import clock
from solon.store.database.store import Store
from solon.store.runs import items
from solon.store.runs.items import STATES


def _claim_all(url: str, run_id: str, gate: Any) -> tuple[str, list[list[str]]]:
    batches = []
    with Store(url) as store, items.working() as me:
        gate.wait()
        while True:
            with store.transaction() as connection:
                ids = items.claim(connection, run_id, 3, me)
            if not ids:
                return me, batches
            batches.append(ids)
            if len(batches) == 1:
                gate.wait()  # SQLite's waiting is not fair: the other one has its first turn


def test_two_processes_claim_every_item_once(store_url: str, seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(90)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(2) as pool:
        gate = manager.Barrier(2)
        results = pool.starmap(_claim_all, [(store_url, seeded.run.id, gate)] * 2)
    claimed = [item for _, batches in results for batch in batches for item in batch]
    assert sorted(claimed) == sorted(seeded.items)
    assert len({me for me, _ in results}) == 2
    assert all(batches for _, batches in results)


def test_items_are_claimed_in_the_order_of_the_seeds(seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(10)
    with seeded.store.transaction() as connection:
        assert items.claim(connection, seeded.run.id, 4, "h:1:1:x") == seeded.items[:4]
        assert items.claim(connection, seeded.run.id, 99, "h:1:1:x") == seeded.items[4:]


def test_what_a_dead_process_held_comes_back(store_url: str, seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(4)
    program = f"""
import os, sys
from solon.store.database.store import Store; from solon.store.runs import items
with Store({store_url!r}) as store:
    with items.working() as me, store.transaction() as connection:
        items.claim(connection, {seeded.run.id!r}, 3, me)
    with items.working() as me:
        with store.transaction() as connection:
            items.claim(connection, {seeded.run.id!r}, 1, me)
        os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    with seeded.store.transaction() as connection:
        assert items.count_states(connection, seeded.run.id)["running"] == 4
        assert items.release_dead(connection, seeded.run.id) == 4
        assert items.count_states(connection, seeded.run.id)["queued"] == 4


def test_what_a_live_worker_holds_stays_with_it(seed_store: Callable[[int], Any]) -> None:
    """Also another worker of this very process; and what an ended one left comes back at once."""
    seeded = seed_store(4)
    with items.working() as other:
        with seeded.store.transaction() as connection:
            items.claim(connection, seeded.run.id, 4, other)
        with items.working(), seeded.store.transaction() as connection:
            assert items.release_dead(connection, seeded.run.id) == 0
    with items.working(), seeded.store.transaction() as connection:
        assert items.release_dead(connection, seeded.run.id) == 4


def test_claims_lapse_where_the_process_cannot_be_seen(seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(2)
    with seeded.store.transaction() as connection:
        items.claim(connection, seeded.run.id, 2, "another-machine:1:1:x")
        assert items.release_dead(connection, seeded.run.id) == 0
        connection.execute(
            update(items.items).where(items.items.c.id == seeded.items[0]).values(claimed_until=1.0)
        )
        assert items.release_dead(connection, seeded.run.id) == 1
        items.keep_claims(connection, "another-machine:1:1:x")
        assert items.release_dead(connection, seeded.run.id) == 0


@pytest.mark.parametrize(("jump", "freed"), [(86400, 1), (-86400, 1), (60, 0), (-300, 0)])
def test_claims_of_another_machine_when_the_clock_jumps(
    seed_store: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch, jump: int, freed: int
) -> None:
    """In either direction they lapse at once, and clocks that are a little apart take nothing from each other."""
    seeded, other = seed_store(1), "another-machine:1:1:x"
    with seeded.store.transaction() as connection:
        items.claim(connection, seeded.run.id, 1, other)
        monkeypatch.setattr(clock, "now", lambda: time.time() + jump)
        assert items.release_dead(connection, seeded.run.id) == freed
        items.claim(connection, seeded.run.id, 1, other)
        items.keep_claims(connection, other)
        assert items.release_dead(connection, seeded.run.id) == 0
    assert [item.attempt for item in items.load_items(seeded.store, seeded.items)] == [freed]


def test_a_process_number_that_was_given_again_is_not_mistaken(seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(1)
    host = items.owner().split(":", 1)[0]
    with seeded.store.transaction() as connection:
        items.claim(connection, seeded.run.id, 1, f"{host}:{os.getpid()}:1:x")
        assert items.release_dead(connection, seeded.run.id) == 1


def test_the_same_number_on_the_same_host_in_another_container_is_another_worker(
    seed_store: Callable[[int], Any],
) -> None:
    """Nobody here can say whether it lives: its claim lapses by itself."""
    seeded = seed_store(1)
    place, pid, started = items.owner().rsplit(":", 2)
    other = f"{place.split('@')[0]}@{'0' * 12}:{pid}:{started}:x"
    with seeded.store.transaction() as connection:
        items.claim(connection, seeded.run.id, 1, other)
        assert items.release_dead(connection, seeded.run.id) == 0
        assert items.fence(connection, seeded.run.id, items.owner()) == 0
        connection.execute(update(items.items).values(claimed_until=1.0))
        assert items.release_dead(connection, seeded.run.id) == 1


def test_where_containers_cannot_be_told_apart_nobody_is_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*_: Any) -> Any:
        raise OSError("no such file")

    dead = f"{items.owner().rsplit(':', 1)[0]}:1:x"
    assert items.is_gone(dead)
    with monkeypatch.context() as patch:
        patch.setattr("solon.store.runs.items.os.stat", hidden)
        items._place.cache_clear()
        assert not items.is_gone(dead)
        with items.working() as me:
            assert not items.is_gone(me)
        assert items.is_gone(me), "of itself it knows"
    items._place.cache_clear()


@pytest.mark.parametrize("lapsed", [False, True], ids=["dead", "lapsed"])
def test_only_a_claim_that_lapsed_begins_a_new_attempt(
    seed_store: Callable[[int], Any], lapsed: bool
) -> None:
    """The ids of what a killed process made stay; who may yet wake is shut out."""
    seeded = seed_store(1)
    with items.working() as me, seeded.store.transaction() as connection:
        items.claim(connection, seeded.run.id, 1, me)
        if lapsed:
            connection.execute(update(items.items).values(claimed_until=1.0))
            assert items.release_dead(connection, seeded.run.id) == 1
    with seeded.store.transaction() as connection:
        assert items.release_dead(connection, seeded.run.id) == (0 if lapsed else 1)
    assert [item.attempt for item in items.load_items(seeded.store, seeded.items)] == [int(lapsed)]


@pytest.mark.parametrize("final", ["accepted", "rejected", "failed"])
def test_a_final_state_stays(seed_store: Callable[[int], Any], final: str) -> None:
    seeded = seed_store(1)
    with seeded.store.transaction() as connection:
        assert items.set_state(connection, seeded.items[0], 0, final)
        for state in STATES:
            assert not items.set_state(connection, seeded.items[0], 0, state)
        assert items.count_states(connection, seeded.run.id)[final] == 1


def test_an_old_attempt_moves_nothing(seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(1)
    with seeded.store.transaction() as connection:
        assert items.next_attempt(connection, seeded.items[0]) == 1
        assert not items.set_state(connection, seeded.items[0], 0, "accepted")
        assert items.set_state(connection, seeded.items[0], 1, "accepted")


def test_a_state_that_does_not_exist_is_an_error_of_ours(seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(1)
    with seeded.store.transaction() as connection, pytest.raises(InternalError):
        items.set_state(connection, seeded.items[0], 0, "done")


def test_states_always_sum_to_the_items(seed_store: Callable[[int], Any]) -> None:
    seeded = seed_store(len(STATES))
    with seeded.store.transaction() as connection:
        for item, state in zip(seeded.items, STATES, strict=True):
            items.set_state(connection, item, 0, state)
        counts = items.count_states(connection, seeded.run.id)
    assert set(counts) == set(STATES)
    assert sum(counts.values()) == len(STATES)
