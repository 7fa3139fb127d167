"""An import holds no file in memory, decides while later rows are on their way, and goes on where it was broken off."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import json
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon import Project
from solon.config import Config
from solon.errors import SeedError, StoreError, TokenWanted, UsageError
from solon.eval import importing
from solon.formats.json_values import NotFinite
from solon.formats.seed_rows import RowProblem, parse_row, plain_row
from solon.store.records import overview
from solon.store.reviewing.review_rows import list_reviews
from solon.store.runs import runs
from solon.store.tables import decisions, reviews, texts
from solon.workspace import loading
from solon.workspace.seeds import _fingerprint_bytes
from solon.workspace.spool import Spool

SETTINGS: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "run": {"concurrency": 2},
}


def pairs(path: Path, number: int, words: int = 3) -> Path:
    rows = (
        {"prompt": f"Question {n}?", "chosen": f"good {n} " * words, "rejected": f"bad {n} " * words}
        for n in range(number)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_first_decision_is_stored_while_later_rows_are_on_their_way(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHUNK", 10)
    decided, given, make, take = threading.Event(), list[int](), loading.parts_of, importing.answer_review
    iterate = Spool.__iter__

    def counted(self: Spool) -> Iterator[dict[str, Any]]:
        for row in iterate(self):
            given.append(1)
            yield row

    def parts(*asked: Any) -> Iterator[Any]:
        given.clear()  # the pass that told how many there are
        for at, part in enumerate(make(*asked), 1):
            assert at != 3 or decided.wait(300)
            yield part

    def note(*asked: Any, **more: Any) -> Any:
        if not decided.is_set():
            assert len(given) <= 30
        decided.set()
        return take(*asked, **more)

    monkeypatch.setattr(Spool, "__iter__", counted)
    monkeypatch.setattr(loading, "parts_of", parts)
    monkeypatch.setattr(importing, "answer_review", note)
    with Project(store_url, config=SETTINGS) as project:
        found = project.import_("trl-preference", pairs(tmp_path / "pairs.jsonl", 40))
    assert (found.decisions, found.accepted, found.pending_review, len(given)) == (40, 40, 0, 40)
    assert decided.is_set()


def test_what_is_broken_off_goes_on_and_decides_nothing_twice(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHUNK", 10)
    file, taken, take = pairs(tmp_path / "pairs.jsonl", 30), list[int](), importing.answer_review

    def break_off(*asked: Any, **more: Any) -> Any:
        if len(taken) >= 7:
            raise StoreError("the disk is full", next_step="make room")
        done = take(*asked, **more)
        taken.append(1)
        return done

    with Project(store_url, config=SETTINGS) as project:
        with monkeypatch.context() as once:
            once.setattr(importing, "answer_review", break_off)
            with pytest.raises(StoreError, match="disk is full"):
                project.import_("trl-preference", file)
        with project.store.connect() as connection:
            before = {review.item_id for review in list_reviews(connection, state="decided")}
        assert 0 < len(before) < 30
        found = project.import_("trl-preference", file)
        assert (found.decisions + len(before), found.accepted, found.pending_review) == (30, 30, 0)
        assert found.unused == {"already_decided": len(before)}
        with project.store.connect() as connection:
            decided = [review.item_id for review in list_reviews(connection, state="decided")]
        assert len(decided) == len(set(decided)) == 30
        assert len(overview.list_items(project.store, run_id=found.run_id, state="accepted", limit=99)) == 30
        again = project.import_("trl-preference", file)
        with project.store.transaction() as connection:
            one = list_reviews(connection, state="decided")[0]
            shown = update(reviews).values(candidates=list(reversed(one.candidates)))
            connection.execute(shown.where(reviews.c.id == one.id))
        other = project.import_("trl-preference", file)
    assert (again.run_id, again.decisions, again.unused) == (found.run_id, 0, {"already_decided": 30})
    assert other.unused == {"already_decided": 29, "no_review_open": 1}, (
        "one shows other texts than the row's"
    )


def test_rows_that_come_twice_are_found_across_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 4)
    monkeypatch.setattr(importing, "READ", 4)
    file = pairs(tmp_path / "pairs.jsonl", 12)
    turned = {"prompt": "Question 0?", "chosen": "bad 0 " * 3, "rejected": "good 0 " * 3}
    file.write_text(file.read_text() * 2 + json.dumps(turned) + "\n")
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        found = project.import_("trl-preference", file)
    assert (found.rows, found.seeds, found.decisions, found.bad_rows) == (25, 13, 13, 12)
    assert found.contradictions == [25]


def test_nothing_is_stored_of_a_file_that_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    whole = gzip.compress(pairs(tmp_path / "pairs.jsonl", 2000, 30).read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        with pytest.raises(SeedError, match="cut off"):
            project.import_("trl-preference", tmp_path / "cut.jsonl.gz")
        assert project.runs() == []


class _ReadToTheEnd(Exception):
    pass


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_asked: Any, **_more: Any) -> None:
        raise _ReadToTheEnd

    monkeypatch.setattr(importing, "_run", end)
    peaks = []
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        for number in (40, 40, 400):  # the first warms up
            file = pairs(tmp_path / f"{number}.jsonl", number, 300)
            tracemalloc.start()
            with pytest.raises(_ReadToTheEnd):
                project.import_("trl-preference", file)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert (tmp_path / "400.jsonl").stat().st_size > 1_800_000
    assert peaks[2] - peaks[1] < 300_000


def test_rows_come_back_from_the_disk_in_their_order_and_as_often_as_they_are_read() -> None:
    with Spool() as rows:
        for n in range(40):
            rows.add({"prompt": f"{n} é\n\ud83d", "tags": ["a", n]}, name=f"r{n}", note={"said": [n]})
        assert len(rows) == 40
        first, second = iter(rows), iter(rows)
        assert [next(first)["tags"][1] for _ in range(5)] == [0, 1, 2, 3, 4]
        assert rows.note_of("r7") == {"said": [7]}
        assert rows.note_of("r40") is None
        assert list(second) == [{"prompt": f"{n} é\n\ud83d", "tags": ["a", n]} for n in range(40)]
        assert next(first)["prompt"] == "5 é\n\ud83d"


def test_a_spool_without_room_says_so() -> None:
    with Spool() as rows:
        rows._rows.execute("PRAGMA max_page_count = 4")
        with pytest.raises(StoreError, match="full") as caught:
            rows.add({"prompt": "x" * 50_000}, name="r")
        assert "SQLITE_TMPDIR" in caught.value.next_step
        rows._rows.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
        with pytest.raises(StoreError, match="too big"):
            rows.add({"prompt": "x" * 50_000}, name="r")
    with pytest.raises(
        sqlite3.ProgrammingError, match="closed"
    ):  # a mistake of whoever calls: no advice about room
        rows.note_of("r")


def annotated(prompt: str, why: str = "", by: str = "u", **metadata: str) -> dict[str, Any]:
    said = {"choice": [{"value": "answer_1", "user_id": by}], "rationale": [{"value": why, "user_id": by}]}
    fields = {"prompt": prompt, "answer_1": "one", "answer_2": "two"}
    return {"fields": fields, "metadata": metadata, "responses": said}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("odd", "unused", "actors", "whys"),
    [
        ({"why": "why \ud800\0"}, {}, {"import:u"}, ["why ?\ufffd"]),
        ({"by": "\ud800"}, {}, {"import:u", "import:?"}, []),
        ({"review_id": "r\ud800", "candidate_1": "c\udfff"}, {"no_review_open": 1}, {"import:u"}, []),
        ({"review_id": " ", "candidate_1": "c"}, {}, {"import:u"}, []),
    ],
    ids=["rationale", "user", "review", "blank"],
)
def test_characters_that_no_store_holds_cost_no_answer(
    store_url: str,
    tmp_path: Path,
    odd: dict[str, str],
    unused: dict[str, int],
    actors: set[str],
    whys: list[str],
) -> None:
    file = write(tmp_path / "a.jsonl", [annotated("Question 1?", **odd), annotated("Question 2?")])
    with Project(store_url, config=SETTINGS) as project:
        found = project.import_("argilla", file)
        with project.store.connect() as connection:
            given = connection.execute(select(decisions.c.actor)).scalars().all()
            told = connection.execute(select(texts.c.body).where(texts.c.body.like("why%"))).scalars().all()
    assert (found.decisions, found.unused) == (2 - sum(unused.values()), unused)
    assert (set(given), told) == (actors, whys)


@pytest.mark.parametrize("beside", ["a run that measures", "rows"])
def test_where_one_answer_needs_a_token_none_is_stored(tmp_path: Path, beside: str) -> None:
    store_url = f"sqlite:///{tmp_path}/s.db"
    settings, rows = {**SETTINGS, "routing": {"policy": "always"}}, list[dict[str, Any]]()
    for policy in ("always", "pilot"):
        with Project(store_url, config={**settings, "routing": {"policy": policy}}) as project:
            run_id = project.run("preference", [f"Explain {policy} {n}." for n in range(3)]).run_id
            for review in project.reviews(run_id=run_id):
                first, second = (candidate.id for candidate in review.candidates)
                rows.append(annotated("-", review_id=review.id, candidate_1=first, candidate_2=second))
    assert len(rows) > 3, "some questions of the pilot"
    if beside == "rows":
        rows[3:] = [annotated("Question?")]
    with Project(store_url, config=settings) as project:
        with pytest.raises(TokenWanted):
            project.import_("argilla", write(tmp_path / "a.jsonl", rows), policy="pilot")
        with project.store.connect() as connection:
            assert list_reviews(connection, state="decided") == []
        found = project.import_("argilla", write(tmp_path / "b.jsonl", rows[:3]), policy="pilot")
        assert (found.decisions, found.run_id) == (3, None)


def test_an_answer_that_fails_waits_for_those_on_their_way() -> None:
    done = list[int]()

    async def decide(n: int) -> bool:
        if n == 1:
            raise StoreError("the disk is full", next_step="make room")
        await asyncio.sleep(0)
        done.append(n)
        return True

    with pytest.raises(StoreError, match="full"):
        asyncio.run(importing._all(decide(n) for n in range(1, 5)))
    assert done == [2, 3, 4]


def test_one_that_was_killed_while_it_stored_is_to_be_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_asked: Any) -> Iterator[Any]:
        raise StoreError("the disk is full", next_step="make room")
        yield

    monkeypatch.setattr(loading, "parts_of", break_off)
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        with pytest.raises(StoreError, match="full"):
            project.import_("trl-preference", pairs(tmp_path / "pairs.jsonl", 3))
        with pytest.raises(UsageError, match="while its seeds were read") as caught:
            project.resume()
    assert caught.value.next_step == "repeat the command that began it: solon import FORMAT FILE"


@pytest.mark.parametrize(
    "odd",
    [
        {"at": datetime.datetime(2026, 1, 2, 3, 4), "price": Decimal("1.50"), "n": 10**20, "x": float("inf")},
        {"deep": {"a": [1, (2, float("nan"))], "b": None}, "text": "ünï\u2028"},
        {"lang": NotFinite("NaN"), "note": NotFinite("Infinity")},
    ],
)
def test_a_row_that_was_set_aside_is_the_same_seed(odd: dict[str, Any]) -> None:
    row, names = {"prompt": "Q?", "responses": ["a", "b"], **odd}, {"lang": "lang", "prompt": "prompt"}
    again = json.loads(json.dumps(plain_row(row, names)))
    seeds = [parse_row(one, column_map=names, max_chars=999, line=1) for one in (row, again)]
    assert seeds[0] == seeds[1]
    assert seeds[0].digest() == seeds[1].digest()
    with pytest.raises(RowProblem, match="binary"):
        plain_row({"prompt": b"\x00"}, names)


def test_older_fingerprints_are_those_of_the_list_that_rows_were_then() -> None:
    import hashlib

    rows, config = [{"prompt": "é", "n": 1}, {"n": 2.5, "prompt": "b"}], Config()
    said = json.dumps(config.seeds.model_dump(), sort_keys=True) + json.dumps(rows, sort_keys=True)
    with Spool() as spool:
        for row in rows:
            spool.add(row)
        wanted = hashlib.sha256(said.encode()).hexdigest()[:24]
        assert _fingerprint_bytes(rows, config) == _fingerprint_bytes(spool, config) == wanted


def test_golden_questions_want_a_token_before_anything_is_stored(tmp_path: Path) -> None:
    known = {"prompt": "2 + 2?", "responses": ["four", "five"], "answer": "1"}
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        project.golden.import_([known])
        before = len(project.runs())
        with pytest.raises(TokenWanted):
            project.import_("trl-preference", pairs(tmp_path / "p.jsonl", 3))
        assert len(project.runs()) == before


def test_an_id_with_blanks_around_it_keeps_its_answer(tmp_path: Path) -> None:
    rows = [
        {"id": f" r{n} ", "prompt": f"Question {n}?", "chosen": "good", "rejected": "bad"} for n in range(2)
    ]
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        found = project.import_("trl-preference", write(tmp_path / "p.jsonl", rows))
    assert (found.decisions, found.unused) == (2, {})


def test_what_was_forgotten_is_refused_by_row_and_told_without_a_word_of_it(tmp_path: Path) -> None:
    rows = [
        {"id": "a1", "prompt": "Does Zebulon snore?", "chosen": "good", "rejected": "bad"},
        {"id": "a2", "prompt": "Question?", "chosen": "good", "rejected": "bad"},
        {"id": "a3", "prompt": "Does Zebulon snore?", "chosen": "good", "rejected": None},
    ]
    file = write(tmp_path / "p.jsonl", rows)
    with Project(f"sqlite:///{tmp_path}/s.db", config=SETTINGS) as project:
        first = project.import_("trl-preference", file)
        assert "Zebulon" in Path(str(first.bad_rows_file)).read_text()
        project.forget("a1")
        again = project.import_("trl-preference", file)
        assert (again.seeds, again.bad_rows, again.rows) == (1, 2, 3)
        told = [json.loads(line) for line in Path(str(again.bad_rows_file)).read_text().splitlines()]
        assert [row["line"] for row in told] == [1, 3]
        assert told[0]["reason"].startswith("forgotten: a tombstone stands against its")
        assert "Zebulon" not in json.dumps(told)
