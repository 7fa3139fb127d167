"""Checkpoints that are garbage are named and set aside; items are replayed from the journal, and answers arrive."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from solon.graphs.known_threads import Summed
from solon.observers import SolonWarning
from solon.operations.doctor import Check, examine
from solon.store.database.engine import checkpoint_location, sqlite_path

Make = Callable[..., Any]
ALWAYS = {"routing": {"policy": "always"}}


def answered(make_desk: Make, url: str = "", *, policy: str = "always") -> Any:
    """Three items that wait; one of them is answered, and nothing has been delivered."""
    desk = make_desk(url, routing={"policy": policy})
    desk.project.run("preference", [f"Explain topic {i}." for i in range(3)])
    review = desk.project.reviews()[0]
    desk.project.decide(review, "prefer", review.candidates[1])
    desk.close()
    return desk


def goes_on(desk: Any) -> None:
    """The answer is applied, the others wait on, no call is made, and later answers arrive as well."""
    calls = desk.chat.calls
    summary = desk.project.resume()
    assert (summary.accepted, summary.pending_review, summary.decisions_to_apply) == (1, 2, 0)
    for review in desk.project.reviews():
        desk.project.decide(review, "tie")
    assert desk.project.resume().accepted == 3
    assert desk.chat.calls == calls
    assert len({row["item_id"] for row in desk.rows("Record")}) == 3


def doctor(desk: Any, **options: bool) -> list[Check]:
    config = desk.project.config.model_copy(update={"store": desk.url})
    return [check for check in examine(config, offline=True, **options) if check.name == "checkpoints"]


def file_of(desk: Any) -> Path:
    return Path(checkpoint_location(desk.url))


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def hole(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[4096:] = b"\xa5" * (len(body) - 4096)
    path.write_bytes(body)


sqlite_only = pytest.mark.sqlite("a file of checkpoints")


@sqlite_only
@pytest.mark.parametrize("damage", [garbage, cut, hole])
def test_a_damaged_file_is_set_aside_by_name(make_desk: Make, damage: Callable[[Path], None]) -> None:
    desk = answered(make_desk)
    path = file_of(desk)
    damage(path)
    broken = path.read_bytes()
    [check] = doctor(desk)
    assert (check.state, str(path) in check.told) == ("broken", True)
    assert "solon doctor --repair" in check.next_step
    assert path.read_bytes() == broken, "looking changes nothing"
    with pytest.warns(SolonWarning, match=r"checkpoints.* are damaged .*the file is now .*\.damaged-"):
        goes_on(desk)
    [aside] = [p for p in path.parent.glob("*.damaged-*") if p.suffix != ".db-wal"]
    assert aside.read_bytes() == broken
    assert [check.state for check in doctor(desk)] == []


@sqlite_only
def test_the_repair_sets_a_damaged_file_aside(make_desk: Make) -> None:
    desk = answered(make_desk)
    garbage(file_of(desk))
    with pytest.warns(SolonWarning, match="are damaged"):
        checks = doctor(desk, repair=True)
    assert [check.state for check in checks] == ["note", "note"]
    assert "3 of 3 items that wait have no checkpoint" in checks[1].told
    goes_on(desk)


@sqlite_only
@pytest.mark.parametrize("lost", ["empty", "gone"])
def test_a_file_that_is_empty_or_gone_costs_nothing(make_desk: Make, lost: str) -> None:
    desk = answered(make_desk)
    if lost == "empty":
        file_of(desk).write_bytes(b"")
    else:
        file_of(desk).unlink()
    [check] = doctor(desk)
    assert (check.state, check.told) == ("note", "3 of 3 items that wait have no checkpoint")
    goes_on(desk)


@sqlite_only
def test_a_file_that_breaks_between_two_uses_of_a_process_is_set_aside(make_desk: Make) -> None:
    """A server opens its checkpoints again and again, and looks at the whole of them once."""
    desk = answered(make_desk)
    desk.project.resume()
    review = desk.project.reviews()[0]
    desk.project.decide(review, "tie")
    for log in file_of(desk).parent.glob("*.checkpoints.db-*"):
        log.unlink()
    garbage(file_of(desk))
    with pytest.warns(SolonWarning, match="are damaged"):
        assert desk.project.resume().accepted == 2


TABLES = {"sqlite": ("threads", "task_writes"), "postgresql": ("checkpoint_blobs", "checkpoint_writes")}


def damage_rows(desk: Any, table: str, body: bytes, kind: str | None = None) -> None:
    """Put this into every row of a table, under its own type or another."""
    if sqlite_path(desk.url) is None:
        import psycopg

        with psycopg.connect(checkpoint_location(desk.url)) as connection:
            connection.execute(f"UPDATE {table} SET blob = %s, type = coalesce(%s, type)", (body, kind))
        return
    column = "checkpoint" if table == "threads" else "body"
    with closing(sqlite3.connect(file_of(desk))) as connection, connection:
        connection.execute(f"UPDATE {table} SET {column} = ?, type = coalesce(?, type)", (body, kind))


@pytest.mark.parametrize(
    "kind", [None, "msgpack", "pickle", "\ufffd"], ids=["sum", "msgpack", "pickle", "type"]
)
@pytest.mark.parametrize("place", [0, 1], ids=["state", "writes"])
def test_a_damaged_row_is_dropped_by_name(
    store_url: str, make_desk: Make, place: int, kind: str | None
) -> None:
    desk = answered(make_desk, store_url)
    database = "postgresql" if sqlite_path(store_url) is None else "sqlite"
    damage_rows(desk, TABLES[database][place], b"\xc1\x00 garbage \xff", kind)
    [check] = doctor(desk)
    assert (check.state, check.told[:1]) == ("broken", "3")
    with pytest.warns(
        SolonWarning, match="checkpoint of thread .* cannot be read .* replayed from the journal"
    ):
        goes_on(desk)
    assert doctor(desk) == []


def test_the_repair_drops_damaged_rows(store_url: str, make_desk: Make) -> None:
    desk = answered(make_desk, store_url)
    database = "postgresql" if sqlite_path(store_url) is None else "sqlite"
    damage_rows(desk, TABLES[database][0], b"garbage")
    dropped, missing = doctor(desk, repair=True)
    assert "3 checkpoints cannot be read" in dropped.told
    assert missing.told == "3 of 3 items that wait have no checkpoint"
    goes_on(desk)


def test_under_a_budget_a_lost_checkpoint_is_replayed_too(
    store_url: str, make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that no expert sees take what their panel found, from a checkpoint or from the journal."""
    from solon.graphs import runner

    desk = make_desk(store_url, routing={"policy": "budget", "budget": 1})
    database = "postgresql" if sqlite_path(store_url) is None else "sqlite"
    choose = runner.choose_reviews

    def lose(store: Any, *given: Any) -> Any:
        damage_rows(desk, TABLES[database][0], b"garbage")
        return choose(store, *given)

    monkeypatch.setattr(runner, "choose_reviews", lose)
    with pytest.warns(SolonWarning, match="cannot be read"):
        summary = desk.project.run("preference", [f"Explain topic {i}." for i in range(4)])
    assert (summary.accepted + summary.rejected, summary.pending_review) == (3, 1)
    assert desk.count("Call") == len({row["content_key"] for row in desk.rows("Call")})


def test_a_flipped_bit_is_seen_and_what_was_packed_without_a_sum_is_read() -> None:
    inner = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
    serde, value = Summed(inner), {"candidates": ["a1", "b2"], "round": 0}
    kind, body = serde.dumps_typed(value)
    assert serde.loads_typed((kind, body)) == serde.loads_typed(inner.dumps_typed(value)) == value
    flipped = body.replace(b"a1", b"a3")
    assert inner.loads_typed(("msgpack", flipped)) != value
    with pytest.raises(ValueError, match="checksum"):
        serde.loads_typed((kind, flipped))
