"""What takes long to read is kept, and a search of the leads' list ends somewhere."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from solon.project import Project
from solon.review import kept
from solon.store.reviewing.review_lists import Filters, list_filtered


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
