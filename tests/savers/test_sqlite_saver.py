"""The SQLite checkpointer: retention, a killed process, errors that say what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from solon.errors import StoreError
from solon.graphs.known_threads import is_over
from solon.graphs.sqlite_saver import SqliteSaver


def strict() -> JsonPlusSerializer:
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints.db"


@pytest.fixture
def saver(path: Path) -> Iterator[SqliteSaver]:
    made = SqliteSaver(path, serde=strict(), keep="latest", is_over=is_over)
    yield made
    made.close()


class State(TypedDict, total=False):
    item: str
    answer: str
    next: str
    outcome: str


async def _ask(state: State) -> State:
    return {"answer": interrupt({"item": state["item"]})}


async def _end(state: State) -> State:
    return {"outcome": "accepted", "next": "end"}


async def _pass(state: State) -> State:
    return {"answer": "nobody asked"}


def graph(saver: SqliteSaver, *, asks: bool = True) -> Any:
    made = StateGraph(State)
    made.add_node("ask", _ask if asks else _pass)
    made.add_node("end", _end)
    made.add_edge(START, "ask")
    made.add_edge("ask", "end")
    made.add_edge("end", END)
    return made.compile(checkpointer=saver)


def of(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


def rows(saver: SqliteSaver) -> tuple[int, int]:
    with saver.transaction() as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]
    return counts[0], counts[1]


TABLES = ("threads", "task_writes")


def test_a_thread_waits_and_is_dropped_once_it_is_over(saver: SqliteSaver) -> None:
    async def story() -> None:
        made = graph(saver)
        state = await made.ainvoke({"item": "1"}, of("t"), durability="exit")
        assert rows(saver) == (1, 1)
        waiting = state["__interrupt__"][0]
        state = await made.ainvoke(Command(resume={waiting.id: "yes"}), of("t"), durability="exit")
        assert (state["answer"], state["outcome"]) == ("yes", "accepted")

    asyncio.run(story())
    assert rows(saver) == (0, 0)


def test_a_thread_that_never_waited_leaves_nothing(saver: SqliteSaver) -> None:
    asyncio.run(graph(saver, asks=False).ainvoke({"item": "1"}, of("t"), durability="exit"))
    assert rows(saver) == (0, 0)


def test_only_the_latest_checkpoint_stays_and_others_are_untouched(saver: SqliteSaver) -> None:
    async def story() -> None:
        made = graph(saver)
        await made.ainvoke({"item": "other"}, of("other"), durability="exit")
        await made.ainvoke({"item": "1"}, of("t"), durability="sync")

    asyncio.run(story())
    assert [found.config["configurable"]["thread_id"] for found in saver.list(None)].count("t") == 1
    assert rows(saver)[0] == 2
    found = saver.get_tuple(of("other"))
    assert found is not None
    assert found.checkpoint["channel_values"]["item"] == "other"


def test_500_threads_wait_and_go_on_at_once(saver: SqliteSaver) -> None:
    async def story() -> None:
        made = graph(saver)
        names = [f"t{i}" for i in range(500)]
        states = await asyncio.gather(
            *(made.ainvoke({"item": name}, of(name), durability="exit") for name in names)
        )
        assert rows(saver)[0] == 500
        ended = await asyncio.gather(
            *(
                made.ainvoke(
                    Command(resume={state["__interrupt__"][0].id: name}), of(name), durability="exit"
                )
                for name, state in zip(names, states, strict=True)
            )
        )
        assert [state["answer"] for state in ended] == names

    asyncio.run(story())


_WRITES_UNTIL_KILLED = """
    import asyncio, sys
    sys.path.insert(0, {tests!r})
    from test_sqlite_saver import *

    async def story():
        made = graph(SqliteSaver({path!r}, serde=strict(), keep="latest", is_over=is_over))

        async def one(name):
            await made.ainvoke({{"item": name}}, of(name), durability="exit")
            print(name, flush=True)

        for i in range(0, 100_000, 20):
            await asyncio.gather(*(one(f"t{{i + j}}") for j in range(20)))

    asyncio.run(story())
"""


def test_a_killed_process_loses_no_thread_that_it_said_waits(path: Path) -> None:
    script = textwrap.dedent(_WRITES_UNTIL_KILLED.format(path=str(path), tests=str(Path(__file__).parent)))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(150)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    saver = SqliteSaver(path, serde=strict(), keep="latest", is_over=is_over)
    made = graph(saver)

    async def go_on(name: str) -> str:
        snapshot = await made.aget_state(of(name))
        waiting = snapshot.tasks[0].interrupts[0].id
        state = await made.ainvoke(Command(resume={waiting: name}), of(name), durability="exit")
        return str(state["answer"])

    whole = [name for name in said if saver.get_tuple(of(name)) is not None]
    assert whole == said
    assert [asyncio.run(go_on(name)) for name in said[:20]] == said[:20]
    saver.close()


def test_a_class_that_is_not_allowed_is_never_unpacked(saver: SqliteSaver) -> None:
    """Whoever can write the file must not be able to run code by it."""
    asyncio.run(graph(saver).ainvoke({"item": "1"}, of("t"), durability="exit"))
    import pickle

    with saver.transaction() as connection:
        connection.execute("UPDATE threads SET type = 'pickle', checkpoint = ?", (pickle.dumps(Path("x")),))
    with pytest.raises(NotImplementedError):
        saver.get_tuple(of("t"))


def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_text("this is a letter, not a database, and it is long enough to be sure of that")
    with pytest.raises(StoreError, match="not a database"):
        SqliteSaver(path)
