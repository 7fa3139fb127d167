"""LangGraph's conformance suite over the checkpointers, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from solon.graphs.postgres_saver import PostgresSaver
from solon.graphs.sqlite_saver import SqliteSaver
from solon.store.database.engine import checkpoint_location

BASE = {"put", "put_writes", "get_tuple", "list", "delete_thread"}
EXTENDED = {"sqlite": set[str](), "postgresql": {"prune"}}
"""What each has of delete_for_runs, copy_thread and prune, which the suite calls extended: on PostgreSQL that of the
stock saver. Nothing in Solon asks for them: a thread ends with its item, and `solon prune` drops what is left."""


@asynccontextmanager
async def over_sqlite(place: str) -> AsyncIterator[SqliteSaver]:
    saver = SqliteSaver(Path(place))
    yield saver
    saver.close()


@asynccontextmanager
async def over_postgres(place: str) -> AsyncIterator[PostgresSaver]:
    async with PostgresSaver.from_conn_string(place) as saver:
        await saver.setup()
        yield saver


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_saver_passes_the_conformance_suite(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    conformance = pytest.importorskip("langgraph.checkpoint.conformance")
    made = iter(range(1000))
    if kind == "sqlite":
        open_saver: Callable[[str], Any] = over_sqlite

        def next_place() -> str:
            return str(tmp_path / f"{next(made)}.db")
    else:
        open_saver = over_postgres
        place = checkpoint_location(request.getfixturevalue("new_postgres_database")())

        def next_place() -> str:
            return place

    @conformance.checkpointer_test(name=kind)
    async def factory() -> AsyncGenerator[Any, None]:
        async with open_saver(next_place()) as saver:
            yield saver

    report = asyncio.run(conformance.validate(factory))
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert not failures
    assert report.passed_all_base()
    assert {name for name, result in report.results.items() if result.detected} == BASE | EXTENDED[kind]
