"""Spans: where they stand, what is wrong with them, how readings are merged, matched and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.formats import span_formats
from solon.formats.exports import export
from solon.formats.facts import spell_cautions
from solon.formats.folder import export_folder
from solon.formats.records import ExportRow
from solon.spans import (
    Proposal,
    Span,
    SpanProblem,
    bio_tags,
    check_spans,
    count_readings,
    match_spans,
    merge_spans,
    place_spans,
    read_spans,
    tokens_of,
    write_spans,
)

KINDS = ("person", "place")
TEXT = "Ada 😀 met Ada in Oslo"


def test_a_quote_that_stands_at_its_offsets_is_valid_and_others_are_repaired_or_dropped() -> None:
    placed = place_spans(
        [
            Proposal("Ada", 0, "person"),
            Proposal("Ada", 9, "person"),  # one off: the emoji is one character
            Proposal("Oslo", None, "place"),
            Proposal("Rome", 3, "place"),
            Proposal("met", 6, "verb"),
            Proposal("", 0, "person"),
        ],
        TEXT,
        KINDS,
        overlap=False,
    )
    assert [span.quote(TEXT) for span in placed.spans] == ["Ada", "Ada", "Oslo"]
    assert [span.start for span in placed.spans] == [0, 10, 17]
    assert (placed.repaired, placed.dropped) == (2, 3)


def test_whole_words_go_before_parts_of_words() -> None:
    placed = place_spans([Proposal("art", 0, "place")], "cart and art", KINDS, overlap=False)
    assert placed.spans == (Span(9, 12, "place"),)


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        ([{"start": 0, "end": 99, "label": "person"}], ["spans[0]", "out of range", "21 characters"]),
        ([{"start": 3, "end": 3, "label": "person"}], ["out of range"]),
        ([{"start": True, "end": 3, "label": "person"}], ["spans[0].start", "True"]),
        (
            [{"start": 0, "end": 3, "label": "Person"}],
            ["spans[0].label", "'Person'", "did you mean 'person'?"],
        ),
        ([{"start": 0, "end": 3, "label": "person", "text": "Eve"}], ["quotes 'Eve'", "'Ada'"]),
        ([{"start": 3, "end": 4, "label": "person"}], ["white space"]),
        (
            [{"start": 0, "end": 5, "label": "person"}, {"start": 4, "end": 9, "label": "place"}],
            ["spans[1] [4, 9) place overlaps spans[0] [0, 5) person", "overlap = true"],
        ),
        ([{"start": 0, "end": 3, "label": "person"}] * 2, ["there twice"]),
        ("Ada", ["no list"]),
        ([7], ["spans[0] is 7"]),
    ],
)
def test_what_cannot_be_spans_of_a_text(told: Any, parts: list[str]) -> None:
    with pytest.raises(SpanProblem) as problem:
        check_spans(told, TEXT, KINDS, overlap=False)
    for part in parts:
        assert part in str(problem.value)


def test_overlapping_spans_where_they_are_allowed() -> None:
    told = [{"start": 0, "end": 9, "label": "place"}, {"start": 0, "end": 3, "label": "person"}]
    assert check_spans(told, TEXT, KINDS, overlap=True) == (Span(0, 3, "person"), Span(0, 9, "place"))


def test_readings_are_merged_by_support() -> None:
    ada, oslo, wide = Span(0, 3, "person"), Span(17, 21, "place"), Span(0, 9, "person")
    readings = [((ada, oslo), 1.0), ((ada,), 1.0), ((wide, oslo), 1.0)]
    assert merge_spans(readings, support=0.5, overlap=False) == (ada, oslo)
    assert merge_spans(readings, support=0.9, overlap=False) == ()
    assert merge_spans([((ada,), 1.0), ((wide,), 5.0)], support=0.5, overlap=False) == (wide,)
    assert merge_spans([((ada,), 1.0)], support=0.99, overlap=False) == (ada,), "all weight always will do"


SPANS = st.lists(
    st.tuples(st.integers(0, 18), st.integers(1, 3), st.sampled_from(KINDS)).map(
        lambda one: Span(one[0], one[0] + one[1], one[2])
    ),
    max_size=6,
)


@given(SPANS, SPANS)
def test_matches_are_the_same_both_ways_and_overlap_finds_no_less(
    first: list[Span], second: list[Span]
) -> None:
    strict, overlap = match_spans(first, second), match_spans(first, second, "overlap")
    assert strict.both <= overlap.both <= min(len(set(first)), len(set(second)))
    assert match_spans(second, first, "overlap").both == overlap.both
    assert match_spans(first, first).f1 in (1.0, None)


@given(SPANS)
def test_equal_sets_are_equal_texts(spans: list[Span]) -> None:
    assert write_spans(spans) == write_spans(reversed(spans))
    assert set(read_spans(write_spans(spans)) or ()) == set(spans)


def test_overlap_pairs_each_span_once() -> None:
    whole, parts = (
        [Span(0, 10, "person")],
        [Span(0, 3, "person"), Span(4, 9, "person"), Span(12, 14, "person")],
    )
    assert match_spans(whole, parts, "overlap").both == 1
    assert match_spans(whole, [Span(0, 3, "place")], "overlap").both == 0


def test_tags_leave_tokens_whole_and_say_where_a_span_has_only_a_part_of_one() -> None:
    text = "unAda-like שלום"
    tagged = bio_tags(text, [Span(2, 5, "person"), Span(11, 15, "place")])
    assert tagged is not None
    assert tagged.tokens == (("unAda", "B-person"), ("-", "O"), ("like", "O"), ("שלום", "B-place"))
    assert tagged.widened
    exact = bio_tags(text, [Span(0, 5, "person"), Span(6, 10, "place")])
    assert exact is not None
    assert not exact.widened
    assert bio_tags(text, [Span(0, 5, "person"), Span(2, 7, "place")]) is None
    assert bio_tags(text, [Span(0, 2, "person"), Span(2, 5, "place")]) is None, "both in one token"


def test_tokens_of_scripts_without_blanks_are_characters_and_no_token_cuts_one() -> None:
    text = "我在北京 👨‍👩‍👧e\u0301t."
    assert [text[start:end] for start, end in tokens_of(text)] == [
        "我", "在", "北", "京", "👨‍👩‍👧", "e\u0301t", ".",
    ]  # fmt: skip
    tagged = bio_tags(text, [Span(2, 4, "place")])
    assert tagged is not None
    assert (tagged.tokens[2:4], tagged.widened) == ((("北", "B-place"), ("京", "I-place")), False)


@pytest.mark.parametrize(
    ("text", "start", "end", "told"),
    [
        ("in Oslo now", 2, 7, "with white space at its edge; without it it is [3, 7)"),
        ("in Oslo now", 3, 8, "without it it is [3, 7)"),
        ("cafe\u0301 in", 0, 4, "whose edge 4 lies within one character"),
        ("a 👨‍👩‍👧 b", 4, 7, "whose edge 4 lies within one character"),
    ],
)
def test_spans_with_blanks_at_an_edge_or_part_of_a_character_are_refused(
    text: str, start: int, end: int, told: str
) -> None:
    with pytest.raises(SpanProblem) as problem:
        check_spans([{"start": start, "end": end, "label": "place"}], text, KINDS, overlap=False)
    assert told in str(problem.value)


def test_consonants_that_a_sign_joins_may_be_told_apart() -> None:
    """Browsers do not agree whether they are one character; whoever marked there must not be refused."""
    assert check_spans([{"start": 0, "end": 2, "label": "place"}], "क्ष", KINDS, overlap=False)


def test_a_models_quote_cuts_no_character() -> None:
    placed = place_spans([Proposal("cafe", 0, "place")], "cafe\u0301 cafe", KINDS, overlap=False)
    assert placed.spans == (Span(6, 10, "place"),)


def test_conll_counts_and_names_the_texts_in_which_a_token_was_tagged_as_a_whole(tmp_path: Path) -> None:
    rows = [row([Span(0, 2, "person")]), row([Span(0, 3, "person")])]
    made = export(rows, format="conll", path=tmp_path / "out.conll")
    assert (tmp_path / "out.conll").read_text().startswith("Ada\tB-person\n😀\tO\n")
    assert made.facts["remarks"] == {"widened": {"records": 1, "first": ["s1"]}}
    assert any("1 of 2 records have a span that begins or ends" in one for one in spell_cautions(made.facts))


def row(spans: list[Span], text: str = TEXT, **facts: Any) -> ExportRow:
    fields = count_readings(text, spans, [write_spans(spans), write_spans([])])
    messages = [{"role": "user", "content": text}]
    given: dict[str, Any] = {"outcome": "spans", "route": "decided", "fields": fields, **facts}
    return ExportRow("r1", "label-spans", "s1", text, messages, **given)


def test_every_format_tells_the_same_characters(tmp_path: Path) -> None:
    rows = [row([Span(0, 3, "person"), Span(17, 21, "place")])]
    for name, ending in (
        ("spans", "jsonl"),
        ("spacy", "jsonl"),
        ("label-studio-spans", "json"),
        ("conll", "conll"),
    ):
        export(rows, format=name, path=tmp_path / f"{name}.{ending}")
    [lean] = map(json.loads, (tmp_path / "spans.jsonl").read_text().splitlines())
    assert [(one["text"], one["votes"]) for one in lean["spans"]] == [("Ada", 1), ("Oslo", 1)]
    assert lean["readings"] == 2
    [spacy] = map(json.loads, (tmp_path / "spacy.jsonl").read_text().splitlines())
    assert [spacy["text"][start:end] for start, end, _ in spacy["annotations"]["entities"]] == ["Ada", "Oslo"]
    [task] = json.loads((tmp_path / "label-studio-spans.json").read_text())
    value = task["annotations"][0]["result"][1]["value"]
    assert value == {"start": 17, "end": 21, "text": "Oslo", "labels": ["place"]}
    lines = (tmp_path / "conll.conll").read_text().splitlines()
    assert lines == ["Ada\tB-person", "😀\tO", "met\tO", "Ada\tO", "in\tO", "Oslo\tB-place", ""]


def test_what_a_format_cannot_tell_is_counted(tmp_path: Path) -> None:
    crossing = row([Span(0, 9, "person"), Span(4, 13, "place")])
    flagged = row([], flags=("personal_data",))
    told = export([crossing, flagged], format="conll", path=tmp_path / "x.conll")
    assert told.left_out == {"flagged": 1, "overlapping": 1}
    export([crossing], format="spacy", path=tmp_path / "x.jsonl")
    assert '"spans":{"sc":' in (tmp_path / "x.jsonl").read_text()
    assert export([], format="label-studio-spans", path=tmp_path / "none.json").written == 0
    assert json.loads((tmp_path / "none.json").read_text()) == []
    assert export([crossing], format="trl-sft", path=tmp_path / "y.jsonl").left_out == {"spans": 1}


@pytest.mark.parametrize("name", sorted(form.name for form in span_formats.FORMATS))
def test_a_folder_of_marked_texts_says_what_they_are_for(tmp_path: Path, name: str) -> None:
    export_folder([row([Span(0, 3, "person")])], format=name, path=tmp_path / "set")
    assert "token-classification" in (tmp_path / "set" / "README.md").read_text()
    [file] = (tmp_path / "set" / "data").iterdir()
    assert file.suffix == {"conll": ".conll", "label-studio-spans": ".json"}.get(name, ".jsonl")
