"""What suites hold does not grow with what they read: figures of peaks and parts, none of time."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solon.consensus import resample
from solon.consensus.panel import Vote
from solon.eval.coefficients import Rated, alpha_figure
from solon.eval.embedding import Embedder
from solon.eval.material import Material, gather
from solon.eval.replay.opinions import read_said
from solon.eval.report.report import Heard, build_report
from solon.eval.set_rubric import _Facts, judge_set
from solon.eval.suites import agreement, contamination, diversity, drift, quality
from solon.eval.suites.contamination import FileOverlap
from solon.eval.suites.diversity import Texts, measure_distinct, measure_variety
from solon.eval.suites.duplicates import find_twins
from solon.eval.suites.judges import Written, _read_seats, _Tally
from solon.eval.suites.quality import _Findings
from solon.formats.records import ExportRow
from solon.questions import PAIR
from solon.store.database import clock
from solon.store.database.store import Store
from solon.store.records import exporting
from solon.store.records.evaluation import PaidVote
from solon.store.runs import items
from solon.words import find_words


def peak(work: Callable[[], object]) -> int:
    """Bytes that were held at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_bootstraps_are_drawn_in_parts_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(301)
    whole = resample.interval(values[resample.draw_items(301, 50, 7)].mean(axis=1))
    monkeypatch.setattr(resample, "HELD", 1000)
    assert resample.mean_interval(values, 50, 7) == whole
    assert resample.bootstrap(301, lambda rows: float(values[rows].mean()), 50, 7) == whole
    few, many = (peak(lambda n=n: resample.mean_interval(np.zeros(n), 50)) for n in (1000, 4000))
    assert many < 5 * few, "as one row of draws grows, not as all of them"


def test_word_pairs_are_counted_as_they_were() -> None:
    texts = ["a b a b", "a b", "", "b a c", "c"]
    found = measure_variety(texts)
    words = [find_words(text) for text in texts]
    assert found.distinct_1.value == measure_distinct(words, 1) == 3 / 10
    assert found.distinct_2.value == measure_distinct(words, 2) == 3 / 6


def test_texts_without_a_twin_take_arrays_only() -> None:
    draw = np.random.default_rng(0)
    texts = [(str(i), " ".join(map(str, draw.integers(0, 10**6, 30)))) for i in range(400)]
    find_twins(texts[:5])  # what is built once
    few, many = (peak(lambda n=n: find_twins(texts[:n])) for n in (100, 400))
    assert (many - few) / 300 < 900, "bytes a text: signatures and bands"
    assert [(t.name, t.other) for t in find_twins([*texts, ("again", texts[7][1])])] == [("7", "again")]


def test_what_raters_say_takes_numbers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "HELD", 3000)

    def read(n: int) -> None:
        rated = Rated()
        for thing in range(n):
            rated.add({f"seat {seat}": "AB"[thing % 2] for seat in range(3)})
        alpha_figure(rated.counts())
        assert len(list(rated.pairs())) == 3

    read(10)
    few, many = (peak(lambda n=n: read(n)) for n in (500, 3000))
    assert (many - few) / 2500 < 250, "bytes for three answers, drawn rows included"


def test_answers_of_people_are_read_part_by_part_and_counted(store: Store) -> None:
    material = gather(store)
    with store.connect() as connection:
        said, *others = read_said(connection, material.run_ids)
        assert not others, "the few items of this store are one part"
        assert len(said.answers) >= len(said.blind) >= len(said.opinions) > 3

        def read(times: int) -> tuple[agreement.Found, drift.Found, Heard]:
            found, weeks, heard = agreement.Found(connection, material.run_ids), drift.Found(), Heard()
            for _ in range(times):
                found.add(connection, material, said)
                weeks.add(said)
                heard.add(said)
            return found, weeks, heard

        found, weeks, heard = read(1)
        assert found.tell(connection, material) == agreement.evaluate(material)
        assert weeks.tell(connection, material) == drift.evaluate(material)
        told = heard.tell(connection, material.run_ids)
        assert (told.answers, told.counted) == (len(said.answers), len(said.blind))
        few, many = (peak(lambda n=n: read(n)) for n in (4, 24))
    assert (many - few) / 20 / len(said.answers) < 150, "bytes an answer"


def test_many_parts_give_the_figures_of_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 2e9)
    material = gather(store)

    def measure() -> list[object]:
        found = drift.evaluate(material), build_report(material)  # which holds what the other suites say
        digits = 12  # sums of prices differ in their last digit
        return [
            json.loads(one.model_dump_json(), parse_float=lambda told: round(float(told), digits))
            for one in found
        ]

    whole = measure()
    monkeypatch.setattr(items, "PART", 7)
    with store.connect() as connection:
        assert len(list(read_said(connection, material.run_ids))) > 9
    for one, other in zip(whole, measure(), strict=True):
        assert one == other
    asked, drawn_for_strata = [], agreement.drawn_for_strata
    monkeypatch.setattr(agreement, "drawn_for_strata", lambda *a: asked.append(a) or drawn_for_strata(*a))
    agreement.evaluate(material)
    assert len(asked) == 1, "all runs are gone through once, and not for each part"


def test_records_are_compared_with_a_benchmark_and_let_go(tmp_path: Path) -> None:
    (tmp_path / "bench.txt").write_text(
        "word word word word word word word word word word word word word word\n"
    )

    def read(n: int) -> FileOverlap:
        found = contamination._Found(
            tmp_path / "bench.txt", Embedder("none", lambda texts: np.zeros((len(texts), 2)))
        )
        rows = iter(Rows(n))
        while part := list(islice(rows, 20)):
            found.add(part)
        return found.tell(n)

    assert (read(60).records.value, read(60).dirty.value, len(read(60).worst)) == (1.0, 1.0, 50)
    few, many = (peak(lambda n=n: read(n)) for n in (40, 120))
    assert (many - few) / 80 < 100, "bytes a record"


def test_variety_is_of_texts_that_lie_on_the_disk() -> None:
    def read(n: int) -> diversity.Variety:
        with Texts() as texts:
            for row in Rows(n):
                texts.add(row.id, row.answer or "")
            return measure_variety(texts)

    assert read(30) == measure_variety([row.answer or "" for row in Rows(30)])
    assert read(30).openings == {}

    def count(n: int) -> None:
        words = diversity._Words(row.answer or "" for row in Rows(n))
        diversity._distinct(*words.pairs(), 0)

    few, many = (peak(lambda n=n: count(n)) for n in (50, 150))
    assert (many - few) / 100 / 202 < 35, "bytes a word"


def test_votes_on_what_nobody_decided_are_counted_and_not_kept() -> None:
    def vote(item: str, order: str) -> PaidVote:
        cast = Vote("j", seat="s", outcome=PAIR.outcomes[0], p=0.5, order=order)
        return PaidVote((item, 1, ("x", "y")), cast, "c", None, 7, recorded=False)

    votes = [vote(item, order) for item in ("one", "two", "three") for order in ("AB", "BA")]
    [seat] = _read_seats(votes, {("two", 1, ("x", "y"))}).values()
    assert (seat.verdicts, seat.sided, seat.first, len(seat.decided)) == (6, 6, 3, 2)
    assert set(seat.sides) == {(item, 1, ("x", "y")) for item in ("one", "two", "three")}


def test_judges_are_tallied_part_by_part_in_a_few_bytes_a_pair() -> None:
    def read(items: range) -> _Tally:
        tally = _Tally()
        for item in items:
            what, pair = (f"item {item}", 1, (f"x{item}", f"y{item}")), PAIR.outcomes[item % 3 > 0]
            votes = [
                PaidVote(
                    what, Vote("j", seat="s", outcome=pair, p=0.5, order=order), "c", 0.1, 7, recorded=False
                )
                for order in ("AB", "BA")
            ]
            written = {what[2][0]: Written("a", "f", 100 + item, 1), what[2][1]: Written("b", "g", 50, 0)}
            [seat] = _read_seats(votes, {what}).values()
            tally.add(seat, {"j": "f"}, {what: 1.0}, {}, written)
        return tally

    tally = read(range(30))
    assert (tally.counts["verdicts"], tally.counts["both"], tally.counts["changed"]) == (60, 30, 0)
    assert (tally.own.n, tally.longer.n, tally.marked.n) == (30, 30, 30)
    assert (tally.longer.hits, list(tally.right)) == (15.0, [0.5] * 30)
    assert (tally.cost, tally.counts["tokens"]) == (pytest.approx(6.0), 420)
    assert tally.duels.authors() == ["a", "b"]
    few, many = (peak(lambda n=n: read(range(n))) for n in (500, 3000))
    assert (many - few) / 2500 < 150, "bytes a pair"


class Endless(Material):
    """So many records, made as they are read."""

    def sample(self, run_id: str | None = None) -> Any:
        return Rows(self.limit)


class Rows:
    def __init__(self, seen: int) -> None:
        self.seen = self.shown = seen

    def __iter__(self) -> Iterator[ExportRow]:
        for n in range(self.seen):
            text = f"Answer {n}: {'word ' * 200}"
            yield ExportRow(
                f"r{n}", "preference", f"s{n}", "Say more.", [], chosen=text, rejected="No.", lang="en"
            )


def test_records_are_read_one_after_the_other(store: Store) -> None:
    agreed, material = agreement.evaluate(gather(store)), replace(Endless(store, ()), limit=60)
    found = quality.evaluate(material)
    judged = judge_set(material, agreed=agreed, read=found)
    assert (found.n, found.length_gap.value, found.languages) == (60, 201.0, {"en": 60})
    assert judged.records == 60
    assert [measure.figure.value for measure in judged.criteria[0].measures] == [1.0, 0.0]

    def read(n: int) -> None:
        findings, facts = _Findings(), _Facts(0)
        for row in Rows(n):
            findings.add(row)
            facts.add(row)

    read(10)
    few, many = (peak(lambda n=n: read(n)) for n in (200, 1000))
    assert (many - few) / 800 < 300, "bytes a record, of which its text has more"


def test_a_sample_is_what_was_drawn_of_records_that_were_held(store: Store) -> None:
    whole, seen = gather(store).records()
    assert seen == len(whole) > 7
    material = gather(store, limit=7, seed=3)
    draw, kept = random.Random(3), list(whole[:7])
    for number in range(7, seen):
        if (place := draw.randrange(number + 1)) < 7:
            kept[place] = whole[number]
    drawn, of = material.records()
    assert (of, drawn) == (seen, sorted(kept, key=whole.index))
    sample = material.sample()
    assert (len(list(sample)), sample.shown, sample.seen) == (7, 7, seen)


def test_a_sample_tells_what_was_read_where_a_run_at_work_changed_it_since_it_was_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = exporting.count_rows(store)
    for counted, limit, shown, seen in (
        (there - 3, there - 3, there - 3, there - 3),
        (there - 3, there, there, there),
        (there + 2, there + 9, there, there),
        (there - 2, 4, 4, there - 2),
    ):
        monkeypatch.setattr(exporting, "count_rows", lambda *_asked, n=counted: n)
        sample = gather(store, limit=limit).sample()
        assert (len(list(sample)), sample.shown, sample.seen) == (shown, shown, seen)
