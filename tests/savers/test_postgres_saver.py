"""The checkpointer over PostgreSQL, where many processes begin at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from solon.graphs import postgres_saver
from solon.graphs.postgres_saver import PostgresSaver
from solon.store.database.engine import checkpoint_location


def test_one_makes_the_tables_and_the_others_wait(
    new_postgres_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = checkpoint_location(new_postgres_database())
    made = postgres_saver.AsyncPostgresSaver.setup
    inside, most = 0, 0

    async def counted(saver: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await made(saver)
        inside -= 1

    monkeypatch.setattr(postgres_saver.AsyncPostgresSaver, "setup", counted)
    monkeypatch.setattr(postgres_saver, "TURN", 0)

    async def begin() -> int:
        async with PostgresSaver.from_conn_string(url) as saver:
            await saver.setup()
            return len([one async for one in saver.alist(None)])

    async def begin_all() -> list[int]:
        return await asyncio.gather(*(begin() for _ in range(6)))

    assert asyncio.run(begin_all()) == [0] * 6
    assert most == 1
