"""Pause and resume of a small graph: LangGraph's stock SQLite checkpointer at its best settings, and Solon's."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from benchmarks.work import IN_FLIGHT


class State(TypedDict, total=False):
    item: str
    candidates: list[str]
    answer: str
    outcome: str
    next: str


async def measure(which: str, rows: int) -> dict[str, Any]:
    """Every thread pauses at an interrupt, then every one is resumed, `IN_FLIGHT` at once; durability `exit`."""
    from langgraph.types import Command

    with tempfile.TemporaryDirectory() as folder:
        async with (_stock if which == "stock_saver" else _own)(f"{folder}/checkpoints.db") as saver:
            graph = _graph().compile(checkpointer=saver)
            ids: dict[int, str] = {}

            async def pause(i: int) -> None:
                state = await graph.ainvoke({"item": f"{i:024x}"}, _of(i), durability="exit")
                ids[i] = state["__interrupt__"][0].id

            async def resume(i: int) -> None:
                state = await graph.ainvoke(Command(resume={ids[i]: "prefer"}), _of(i), durability="exit")
                assert state["outcome"] == "accepted"

            paused, resumed = await _timed(pause, rows), await _timed(resume, rows)
    return {
        "pauses_per_s": round(rows / paused[0], 1),
        "resumes_per_s": round(rows / resumed[0], 1),
        "cpu_ms_per_pause": round(1000 * paused[1] / rows, 3),
        "cpu_ms_per_resume": round(1000 * resumed[1] / rows, 3),
    }


async def _timed(work: Any, rows: int) -> tuple[float, float]:
    queue = iter(range(rows))

    async def worker() -> None:
        for i in queue:
            await work(i)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - wall, time.process_time() - cpu


def _of(i: int) -> dict[str, Any]:
    return {"configurable": {"thread_id": f"thread-{i}"}}


def _graph() -> Any:
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    async def draft(state: State) -> State:
        return {"candidates": [state["item"] + "a", state["item"] + "b"]}

    async def review(state: State) -> State:
        return {"answer": interrupt({"candidates": state["candidates"]})}

    async def finish(state: State) -> State:
        return {"outcome": "accepted", "next": "end"}

    made = StateGraph(State)
    for node in (draft, review, finish):
        made.add_node(node.__name__, node)
    for source, target in ((START, "draft"), ("draft", "review"), ("review", "finish"), ("finish", END)):
        made.add_edge(source, target)
    return made


@asynccontextmanager
async def _stock(path: str) -> AsyncIterator[Any]:
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with aiosqlite.connect(path) as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        await connection.execute("PRAGMA synchronous = NORMAL")
        yield saver


@asynccontextmanager
async def _own(path: str) -> AsyncIterator[Any]:
    from solon.graphs.known_threads import is_over
    from solon.graphs.sqlite_saver import SqliteSaver

    saver = SqliteSaver(path, keep="latest", is_over=is_over)
    yield saver
    saver.close()
