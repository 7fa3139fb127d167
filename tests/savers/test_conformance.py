"""LangGraph's conformance suite over the checkpointers, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from solon.graphs.own_saver import OwnSaver
from solon.graphs.postgres_saver import PostgresSaver
from solon.graphs.sqlite_saver import SqliteSaver
from solon.store.database.engine import checkpoint_location
from solon.sync import BackgroundLoop

BASE = {"put", "put_writes", "get_tuple", "list", "delete_thread"}
EXTENDED = {"sqlite": set[str](), "postgresql": {"prune"}}
"""What each has of delete_for_runs, copy_thread and prune, which the suite calls extended: on PostgreSQL that of the
stock saver. Nothing in Solon asks for them: a thread ends with its item, and `solon prune` drops what is left."""


@asynccontextmanager
async def over_sqlite(place: Path) -> AsyncIterator[SqliteSaver]:
    saver = SqliteSaver(place)
    yield saver
    saver.close()


@asynccontextmanager
async def over_postgres(place: str) -> AsyncIterator[PostgresSaver]:
    async with PostgresSaver.from_conn_string(place) as saver:
        await saver.setup()
        yield saver


@asynccontextmanager
async def of_own_graph(inner: AbstractAsyncContextManager[Any]) -> AsyncIterator[OwnSaver]:
    """The saver that `Project.graph` gives: over one that is open in another loop."""
    loop, held = BackgroundLoop("saver"), AsyncExitStack()
    yield OwnSaver(loop.run(held.enter_async_context(inner)), loop, "mine")
    loop.run(held.aclose())
    loop.close()


@pytest.mark.parametrize("own", [False, True], ids=["of items", "of graphs of one's own"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_saver_passes_the_conformance_suite(
    kind: str, own: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    conformance = pytest.importorskip("langgraph.checkpoint.conformance")
    made = iter(range(1000))
    url = request.getfixturevalue("new_postgres_database")() if kind == "postgresql" else ""

    def open_saver() -> AbstractAsyncContextManager[Any]:
        inner = over_postgres(checkpoint_location(url)) if url else over_sqlite(tmp_path / f"{next(made)}.db")
        return of_own_graph(inner) if own else inner

    @conformance.checkpointer_test(name=kind)
    async def factory() -> AsyncGenerator[Any, None]:
        async with open_saver() as saver:
            yield saver

    report = asyncio.run(conformance.validate(factory))
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert not failures
    assert report.passed_all_base()
    extended = set() if own else EXTENDED[kind]
    assert {name for name, result in report.results.items() if result.detected} == BASE | extended
