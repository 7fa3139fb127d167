"""What carries decisions to their items while others are on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from solon.errors import StoreError
from solon.graphs.courier import Courier
from solon.graphs.runner import Runner


def test_what_breaks_the_delivery_is_told_and_ends_the_work_beside_it(
    make_desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []

    async def work(*_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def deliver(*_: Any) -> None:
        await asyncio.sleep(0)
        raise StoreError("the disk is full")

    desk = make_desk(routing={"policy": "always"})
    run = desk.project.load("preference", ["Explain a thing."])
    courier = desk.project.make_runner(run, kind=Courier)
    monkeypatch.setattr(Runner, "_work_through", work)
    monkeypatch.setattr(courier, "_deliver_all", deliver)
    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(courier._work_through(2))
    assert ended == [True]
