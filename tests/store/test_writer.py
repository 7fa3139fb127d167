"""The group-commit writer: one bad job harms no other, nothing is lost at closing, many tasks may write."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, update

from solon.errors import StoreError, UsageError
from solon.store.database import writer
from solon.store.database.claims import Claim
from solon.store.database.store import Store
from solon.store.database.writer import PAUSE, insert_rows, pause_after
from solon.store.runs import items
from solon.store.tables import texts
from solon.store.tables.work import Candidate, Fingerprint


def count_texts(store: Store) -> int:
    with store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(texts)).scalar_one())


def broken() -> tuple[type, dict[str, Any]]:
    """A fingerprint without its band: no database takes it."""
    names = ("id", "scope", "candidate_id", "item_id", "signature")
    return Fingerprint, {**dict.fromkeys(names, "x"), "band": None}


class Held:
    """Keeps the writer's thread busy, so that what comes meanwhile is one group."""

    def __init__(self, store: Store) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.store = store

    def __enter__(self) -> Held:
        def wait(_connection: Connection) -> None:
            self.begun.set()
            self.go.wait(300)

        self._loop = threading.Thread(target=lambda: asyncio.run(self.store.writer.run(wait)))
        self._loop.start()
        assert self.begun.wait(300)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.go.set()
        self._loop.join()


def test_500_tasks_write_at_once(store: Store) -> None:
    async def write() -> None:
        rows = [store.text_row(f"text {i}", None)[1] for i in range(500)]
        await asyncio.gather(*(store.writer.add([row]) for row in rows))

    asyncio.run(write())
    assert count_texts(store) == 500


def test_what_comes_one_after_the_other_shares_commits(store: Store) -> None:
    """Rows that trickle in are committed in groups that begin at least a pause apart, and not one by one."""
    commits: list[float] = []
    event.listen(store.engine, "commit", lambda _: commits.append(time.monotonic()))

    async def write() -> None:
        await store.writer.add([store.text_row("text 0", None)[1]])
        tasks = []
        for i in range(1, 200):
            tasks.append(asyncio.ensure_future(store.writer.add([store.text_row(f"text {i}", None)[1]])))
            await asyncio.sleep(0.0005)
        await asyncio.gather(*tasks)

    begun = time.monotonic()
    asyncio.run(write())
    assert count_texts(store) == 200
    assert 1 < len(commits) <= (time.monotonic() - begun) / PAUSE + 2


def test_commits_come_seldomer_where_rows_come_quickly_and_no_slower_for_functions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [pause_after(n) for n in (0, 5, 20, 512)] == [PAUSE, PAUSE, 0.04, 0.05]
    counted: list[int] = []
    monkeypatch.setattr(writer, "pause_after", lambda n: counted.append(n) or 0.0)

    async def write() -> None:
        rows = [store.text_row("a", None)[1]]
        await store.writer.run(lambda _: None, rows)
        await store.writer.add(rows)

    asyncio.run(write())
    store.writer.close()
    assert counted == [0, 1]


def test_one_bad_row_does_not_take_the_others_down(store: Store) -> None:
    async def write() -> list[BaseException | None]:
        with Held(store) as held:
            jobs = [
                asyncio.ensure_future(store.writer.add([store.text_row(f"{i}", None)[1]])) for i in range(20)
            ]
            bad = asyncio.ensure_future(store.writer.add([broken()]))
            jobs += [
                asyncio.ensure_future(store.writer.add([store.text_row(f"x{i}", None)[1]])) for i in range(20)
            ]
            await asyncio.sleep(0)
            held.go.set()
            return await asyncio.gather(*jobs, bad, return_exceptions=True)  # type: ignore[return-value]

    results = asyncio.run(write())
    assert isinstance(results[-1], StoreError)
    assert results[:-1] == [None] * 40
    assert count_texts(store) == 40


def test_a_function_that_raises_undoes_only_its_own(store: Store) -> None:
    def half(connection: Connection) -> None:
        insert_rows(connection, [store.text_row("half", None)[1]])
        raise UsageError("on purpose")

    async def write() -> list[Any]:
        with Held(store) as held:
            first = asyncio.ensure_future(store.writer.add([store.text_row("first", None)[1]]))
            failing = asyncio.ensure_future(store.writer.run(half))
            last = asyncio.ensure_future(store.writer.run(lambda connection: 42))
            await asyncio.sleep(0)
            held.go.set()
            return await asyncio.gather(first, failing, last, return_exceptions=True)

    first, failing, last = asyncio.run(write())
    assert (first, last) == (None, 42)
    assert isinstance(failing, UsageError)
    assert count_texts(store) == 1


def test_a_database_error_in_a_function_is_a_store_error(store: Store) -> None:
    async def write() -> None:
        await store.writer.run(lambda connection: insert_rows(connection, [broken()]))

    with pytest.raises(StoreError):
        asyncio.run(write())
    assert asyncio.run(store.writer.run(lambda connection: 1)) == 1


def test_a_cancelled_task_does_not_undo_what_is_being_committed(store: Store) -> None:
    async def write() -> None:
        with Held(store) as held:
            job = asyncio.ensure_future(store.writer.add([store.text_row("cancelled", None)[1]]))
            await asyncio.sleep(0)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
            held.go.set()
        await store.writer.add([store.text_row("after", None)[1]])

    asyncio.run(write())
    assert count_texts(store) == 2


def test_what_is_written_without_the_claim_is_refused_alone(seed_store: Callable[[int], Any]) -> None:
    """In one commit: the rows and the function of the lost claim are not written, those of its neighbours are."""
    seeded = seed_store(2)
    store: Store = seeded.store
    with items.working() as me, items.working() as other:
        with store.transaction() as connection:
            items.claim(connection, seeded.run.id, 2, me)
            connection.execute(
                update(items.items).where(items.items.c.id == seeded.items[0]).values(claimed_by=other)
            )
        lost, held = (Claim(item, 0, me) for item in seeded.items)

        async def write() -> list[Any]:
            def mark(claim: Claim) -> Any:
                return lambda c: items.set_state(c, claim.item_id, 0, "rejected", reason="mine")

            return await asyncio.gather(
                store.writer.send([store.text_row("mine", seeded.items[0])[1]], lost),
                store.writer.run(mark(lost), [store.text_row("mine too", "x")[1]], lost),
                store.writer.run(mark(held), [store.text_row("held", "x")[1]], held),
                store.writer.run(mark(Claim(seeded.items[1], 1, me)), (), Claim(seeded.items[1], 1, me)),
                return_exceptions=True,
            )

        told = asyncio.run(write())
    assert [type(value).__name__ for value in told] == ["ClaimLost", "ClaimLost", "bool", "ClaimLost"]
    with store.connect() as connection:
        bodies = set(connection.execute(select(texts.c.body)).scalars())
        states = [row["state"] for row in items.list_items(connection, seeded.run.id)]
    assert "held" in bodies
    assert not {"mine", "mine too"} & bodies
    assert states == ["running", "rejected"]


def test_a_loop_that_is_gone_stops_nobody(store: Store) -> None:
    async def leave() -> None:
        job = asyncio.ensure_future(store.writer.add([store.text_row("left", None)[1]]))
        await asyncio.sleep(0)
        assert not job.done()

    with Held(store):
        asyncio.run(leave())
    asyncio.run(store.writer.add([store.text_row("after", None)[1]]))
    assert count_texts(store) == 2


def test_a_thread_that_ends_tells_everybody_who_waits_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write() -> list[Any]:
        rows = [store.text_row(f"lost {n}", None)[1] for n in range(3)]
        return await asyncio.gather(*(store.writer.add([row]) for row in rows), return_exceptions=True)

    def fail(_jobs: Any) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(store.writer, "_commit", fail)
        told = asyncio.run(write())
    assert [type(error) for error in told] == [StoreError] * 3
    assert "the thread that writes to the store ended: MemoryError: no room" in str(told[0])
    assert "run the command again" in told[0].next_step
    asyncio.run(store.writer.add([store.text_row("after", None)[1]]))
    assert count_texts(store) == 1


def test_closing_commits_what_was_handed_over(store: Store) -> None:
    futures = [store.writer.post([store.text_row(f"{i}", None)[1]]) for i in range(2000)]
    store.writer.close()
    assert all(future.done() for future in futures)
    assert count_texts(store) == 2000


def test_closing_while_others_write_loses_nothing_and_hangs_nowhere(store: Store) -> None:
    done = []

    def post(name: int) -> None:
        for i in range(100):
            store.writer.post([store.text_row(f"{name}.{i}", None)[1]]).result(timeout=300)
        done.append(name)

    threads = [threading.Thread(target=post, args=(name,), daemon=True) for name in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        store.writer.close()
    for thread in threads:
        thread.join(timeout=300)
    assert sorted(done) == [0, 1, 2, 3]
    assert count_texts(store) == 400


def test_a_row_that_is_there_stays_as_it_is(store: Store) -> None:
    text_id, (table, row) = store.text_row("same", None)
    for body in ("same", "another body under the same id"):
        asyncio.run(store.writer.add([(table, {**row, "body": body})]))
    with store.connect() as connection:
        assert connection.execute(select(texts.c.id, texts.c.body)).all() == [(text_id, "same")]


def test_a_row_that_comes_again_in_a_commit_is_handed_to_the_driver_once(store: Store) -> None:
    """Each call of an item brings the texts that its prompt quotes."""
    handed: list[int] = []
    event.listen(
        store.engine,
        "before_cursor_execute",
        lambda *told: handed.append(len(told[3]) if "INSERT INTO texts" in told[2] else 0),
    )
    rows = [store.text_row(body, None)[1] for body in ("a", "b")]
    with store.transaction() as connection:
        insert_rows(connection, [*rows, *rows, (rows[0][0], dict(rows[0][1]))])
    assert sum(handed) == count_texts(store) == 2


def test_parents_are_inserted_before_their_children(store: Store, seed_store: Any) -> None:
    """Rows come in any order of tables; foreign keys hold."""
    seeded = seed_store(1)
    text_id, text_row = store.text_row("answer", None)
    candidate = {
        "id": "c",
        "item_id": seeded.items[0],
        "attempt": 0,
        "round": 0,
        "ordinal": 0,
        "kind": "draft",
        "text_id": text_id,
        "author": "",
        "created_at": 0.0,
    }
    asyncio.run(store.writer.add([(Candidate, candidate), text_row]))
