"""What takes long to read is kept, and a search of the leads' list ends somewhere."""

from __future__ import annotations

import asyncio
import re
from typing import Any, ClassVar

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from solon.project import Project
from solon.review import kept
from solon.review.auth import COOKIE
from solon.store.reviewing.review_lists import Filters, list_filtered
from solon.store.runs import items


def test_a_value_is_read_again_where_its_mark_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    now, read, mark = [0.0], [0], ["a"]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    values: kept.Kept[int] = kept.Kept(60, most=2)

    def count(takes: float = 0.0) -> int:
        now[0] += takes
        read[0] += 1
        return read[0]

    def ask(key: str) -> int:
        return values.get(key, count, lambda: mark[0])

    assert (ask("run"), ask("run"), ask("other")) == (1, 1, 2)
    mark[0] = "b"
    assert ask("run") == 1, "it is not a minute old"
    now[0] += 61
    assert ask("run") == 3
    now[0] += 61
    assert ask("run") == 3, "nothing has changed"
    assert values.get("slow", lambda: count(5.0)) == 4
    now[0] += 499
    assert values.get("slow", count) == 4, "reading it again takes a hundredth of the time at most"
    assert ask("other") == 5, "no more than two are kept"
    now[0] += 61
    assert values.get("very slow", lambda: count(100.0)) == 6
    now[0] += 601
    assert values.get("very slow", count) == 7, "it is never older than ten minutes"


def test_a_search_goes_on_where_it_ended(project: Project) -> None:
    with project.store.connect() as connection:
        everything, _ = list_filtered(connection, Filters(text="a"), cursor=None, limit=50)
        cursor, found, pages = None, [], 0
        while True:
            rows, cursor = list_filtered(connection, Filters(text="a"), cursor=cursor, limit=50, most=5)
            found += [row["id"] for row in rows]
            pages += 1
            if cursor is None:
                break
        assert found == [row["id"] for row in everything]
        assert pages == 3, "twelve reviews, of which five are looked through at a time"
        rows, cursor = list_filtered(connection, Filters(text="nowhere"), cursor=None, limit=3, most=5)
        assert (rows, cursor is None) == ([], False)
        rows, cursor = list_filtered(connection, Filters(text="nowhere"), cursor=None, limit=3, most=12)
        assert (rows, cursor) == ([], None)


class Later:
    """In place of `threading.Thread`: runs when it is told to."""

    threads: ClassVar[list[Later]] = []

    def __init__(self, target: Any, **_: Any) -> None:
        self.run = target

    def start(self) -> None:
        self.threads.append(self)

    @classmethod
    def run_all(cls) -> int:
        begun = len(cls.threads)
        while cls.threads:
            cls.threads.pop().run()
        return begun


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> type[Later]:
    Later.threads.clear()
    monkeypatch.setattr(kept, "Thread", Later)
    return Later


def test_who_looks_does_not_wait(monkeypatch: pytest.MonkeyPatch, later: type[Later]) -> None:
    now, found = [0.0], [1, 2]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(kept.clock, "now", lambda: 1000 + now[0])
    values: kept.Kept[int] = kept.Kept(60, most=2)

    def look(key: str = "run") -> tuple[int, float | None] | None:
        seen = values.look(key, lambda: found.pop(0))
        return seen and (seen.value, seen.at)

    assert (look(), look(), look("other")) == (None, None, None)
    assert later.run_all() == 1, "one thread reads all that is asked for"
    assert (look(), look("other"), later.run_all()) == ((1, 1000), (2, 1000), 0)
    now[0] += 61
    assert look() == (1, 1000), "what was read is shown while it is read again"
    assert later.run_all() == 1
    with pytest.raises(IndexError):
        look()
    found.append(3)
    assert look() == (1, 1000)
    assert later.run_all() == 1, "it is tried again after a failure"
    assert look() == (3, 1061)

    def marked() -> kept.Reading[int] | None:
        return values.look("run", lambda: 3, lambda: "same")

    for _ in range(2):
        now[0] += 601
        marked()
        assert later.run_all() == 1
    assert marked().at == 1000 + now[0], "while its mark is the same, it is as of now"  # type: ignore[union-attr]


def test_where_no_thread_is_to_be_had_the_next_look_tries_again(
    monkeypatch: pytest.MonkeyPatch, later: type[Later]
) -> None:
    values: kept.Kept[int] = kept.Kept(60)

    def full(_self: Later) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(Later, "start", full)
        with pytest.raises(RuntimeError):
            values.look("run", lambda: 1)
    assert values.look("run", lambda: 1) is None
    assert later.run_all() == 1
    assert values.look("run", lambda: 1).value == 1  # type: ignore[union-attr]


def test_leads_see_that_a_large_store_is_being_counted(
    project: Project,
    person: Any,
    serving: Any,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
    later: type[Later],
) -> None:
    lead = person("Lea", role="lead")[1]
    monkeypatch.setattr(items, "MANY", 5)

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            entered = await http.post("/login", data={"token": lead})
            http.cookies.set(COOKIE, entered.cookies[COOKIE])
            for path, told in (
                ("/lead", 'data-name="Left to answer"'),
                ("/lead/runs", r'data-name="Tokens">(\d+)<'),
                ("/lead/reviewers", 'data-name="Decided"'),
                ("/outcomes", "right on known questions"),
                ("/lead/principles", "<b>"),
            ):
                app.state.room.people._kept.clear()
                first = (await http.get(path)).text
                assert ("being counted" in first, bool(re.search(told, first))) == (True, False)
                assert later.run_all() > 0
                second = (await http.get(path)).text
                assert ("being counted" in second, bool(re.search(told, second))) == (False, True)
                assert re.search(r"(Run|Figures|cost)[^.]*, as of <time", second), path
                assert later.run_all() == 0

    asyncio.run(go())
