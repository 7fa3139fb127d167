"""Every event as it goes over the wire: told once each, whatever happened between two looks at the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from cases import seeds
from receiving import Receiver
from sqlalchemy import select, update

from solon.config.review import EVENTS
from solon.observers import SolonWarning
from solon.project import Project
from solon.review.webhooks import Herald, Hooks
from solon.store.runs.laws import bring_into_force, version_in_force
from solon.store.tables import table_of
from solon.store.tables.disputes import HookDelivery
from solon.store.tables.law import Constitution
from solon.store.tables.people import Review

SECRET = b"a secret of more than sixteen"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


def look(project: Project, receiver: Receiver) -> list[tuple[str, str, str]]:
    """One look at the store; what came over the wire, in order: event, subject, id."""
    herald = Herald(project.store, Hooks((receiver.url,), EVENTS, SECRET, private=True))

    async def tell() -> None:
        async with aiohttp.ClientSession() as http:
            await herald.tell_all(http)

    receiver.got.clear()
    asyncio.run(tell())
    found = [json.loads(body) for _, body in receiver.got]
    return sorted((one["event"], one["subject"], one["id"]) for one in found)


def test_a_hook_that_fails_as_nobody_foresaw_is_noted_and_told_again(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(project, receiver)
    project.run("preference", seeds(13)[12:], new_run=True)

    async def fails(*_given: Any) -> None:
        raise UnicodeError("label empty or too long")

    with monkeypatch.context() as broken:
        broken.setattr(Herald, "_send", fails)
        assert look(project, receiver) == []
    from solon.store.tables import hook_deliveries as hooks

    with project.store.connect() as connection:
        [row] = connection.execute(select(hooks)).mappings()
    assert (row["problem"], row["delivered_at"]) == ("UnicodeError: label empty or too long", None)


def test_a_herald_outlives_a_look_that_breaks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    async def story() -> None:
        again = asyncio.Event()

        async def breaks(_self: Any, _http: Any) -> None:
            looks.append(1)
            if len(looks) == 2:
                again.set()
            raise KeyError("a row that nobody foresaw")

        monkeypatch.setattr(Herald, "tell_all", breaks)
        herald = Herald(project.store, Hooks((), EVENTS, SECRET), poll_seconds=0.0)
        herald.start()
        await again.wait()
        await herald.stop()

    with pytest.warns(SolonWarning, match="a webhook raised KeyError") as told:
        asyncio.run(story())
    assert (len(told), len(looks) >= 2) == (1, True)


def events(told: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(event, subject) for event, subject, _ in told]


def test_a_review_that_is_answered_between_two_looks_was_made_too(
    project: Project, receiver: Receiver
) -> None:
    assert look(project, receiver) == [], "the first look tells nothing of the past"
    run = project.run("preference", seeds(14)[12:], new_run=True).run_id
    with project.store.connect() as connection:
        query = select(table_of(Review).c.id).where(table_of(Review).c.run_id == run)
        one, other = sorted(connection.execute(query).scalars())
    project.decide(one, "tie", None)
    told = [("review.created", one), ("review.created", other), ("review.decided", one)]
    assert events(look(project, receiver)) == told
    assert look(project, receiver) == []


def test_a_review_that_nobody_was_asked_is_not_told(project: Project, receiver: Receiver) -> None:
    """It is being prepared, or a replay answered it at once."""
    look(project, receiver)
    run = project.run("preference", seeds(14)[12:], new_run=True).run_id
    from solon.store.tables import reviews

    with project.store.transaction() as connection:
        one, other = sorted(connection.execute(select(reviews.c.id).where(reviews.c.run_id == run)).scalars())
        connection.execute(update(reviews).where(reviews.c.id == one).values(state="opening"))
        connection.execute(update(reviews).where(reviews.c.id == other).values(state="decided"))
    assert look(project, receiver) == []
    with project.store.transaction() as connection:
        connection.execute(update(reviews).where(reviews.c.id == one).values(state="waiting"))
    assert events(look(project, receiver)) == [("review.created", one)]


def test_a_second_decision_after_an_undo_is_told(
    project: Project, receiver: Receiver, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")
    look(project, receiver)

    async def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with serving(project) as app, client(app, token) as http:
            found = await http.post(f"/api/v1/{path}", json=body)
            assert found.status_code == 200, found.text
            return dict(found.json())

    def answer(item: dict[str, Any], which: int) -> dict[str, Any]:
        chosen = item["candidates"][which]["id"]
        given = {"choice": "prefer", "candidate": chosen, "rationale": "r"}
        return asyncio.run(
            ask(f"reviews/{item['review']}/decision", {"token": item["token"], "answer": given})
        )

    item = asyncio.run(ask("next", {}))["item"]
    first = answer(item, 0)
    (told,) = look(project, receiver)
    assert told[:2] == ("review.decided", item["review"])
    again = asyncio.run(ask(f"decisions/{first['decision']}/undo", {}))["item"]
    assert look(project, receiver) == []
    answer(again, 1)
    (anew,) = look(project, receiver)
    assert anew[:2] == told[:2]
    assert anew[2] != told[2], "another delivery, which a receiver does not take for a repetition"
    assert look(project, receiver) == []


def test_a_constitution_that_comes_into_force_is_told(project: Project, receiver: Receiver) -> None:
    look(project, receiver)
    with project.store.transaction() as connection:
        (name,) = connection.execute(select(table_of(Constitution).c.name)).scalars()
        current = version_in_force(connection, "constitution", name, scope="global")
        assert current is not None
        document = current.document.model_copy(update={"version": "9.0.0", "reason": "A test."})
        made = bring_into_force(project.store, connection, document, by="local:test", instead_of=current.id)
    assert events(look(project, receiver)) == [("constitution.ratified", made.id)]
    with project.store.connect() as connection:
        kept = connection.execute(select(table_of(HookDelivery))).mappings().one()
    assert kept["delivered_at"] is not None
    assert look(project, receiver) == []
