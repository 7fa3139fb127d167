"""Texts that people marked or labelled elsewhere come in as seeds and as votes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.formats.exports import export
from solon.formats.marked import as_seed, as_votes
from solon.formats.records import ExportRow
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import RowProblem
from solon.formats.seeds import read_seed_rows, read_seeds
from solon.spans import Span, count_readings, write_spans

TEXT = "Ada 😀 met Ada\nin Oslo"


def task(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"text": TEXT, **data}, "annotations": list(annotations)}


def marks(*spans: tuple[int, int, str], by: Any = 1, **more: Any) -> dict[str, Any]:
    """An annotation as Label Studio writes it."""
    result = [
        {
            "type": "labels",
            "value": {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]},
        }
        for start, end, label in spans
    ]
    return {"completed_by": by, "result": result, **more}


def choice(*labels: str, by: Any = 1) -> dict[str, Any]:
    return {"completed_by": by, "result": [{"type": "choices", "value": {"choices": list(labels)}}]}


@pytest.mark.parametrize(
    ("format", "ending"),
    [("spans", "jsonl"), ("label-studio-spans", "json"), ("jsonl", "jsonl"), ("csv", "csv")],
)
def test_spans_that_went_out_come_in_again_with_the_same_characters(
    format: str, ending: str, tmp_path: Path
) -> None:
    spans = (Span(0, 3, "person"), Span(17, 21, "place"))
    fields = count_readings(TEXT, spans, [write_spans(spans)])
    messages = [{"role": "user", "content": TEXT}]
    row = ExportRow(
        "r1", "label-spans", "s1", TEXT, messages, outcome="spans", route="decided", fields=fields
    )
    export([row], format=format, path=tmp_path / f"out.{ending}")
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "spans": {"kinds": ["person", "place"]},
        "routing": {"policy": "always"},
    }
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        summary = project.run("label-spans", tmp_path / f"out.{ending}")
        assert (summary.items, summary.bad_rows, summary.model_calls) == (1, 0, 0)
        [review] = project.reviews()
        assert (review.prompt, review.candidates[0].text) == (TEXT, write_spans(spans))


def test_white_space_at_the_edges_of_marks_is_taken_off_and_what_does_not_fit_stays_to_be_refused() -> None:
    seed = as_seed(task(marks((10, 14, "person"), (16, 21, "place")), id="s1", lang="no"))
    assert (seed["id"], seed["prompt"], seed["lang"]) == ("s1", TEXT, "no")
    assert seed["spans"] == [
        {"start": 10, "end": 13, "label": "person"},
        {"start": 17, "end": 21, "label": "place"},
    ]
    moved = marks((0, 3, "person"))
    moved["result"][0]["value"]["text"] = "Eve"
    assert as_seed(task(moved))["spans"][0]["text"] == "Eve", "a quote that stands elsewhere is not dropped"


def test_of_several_annotators_the_spans_of_more_than_half_are_proposed() -> None:
    ada, oslo = (0, 3, "person"), (17, 21, "place")
    cancelled = marks(oslo, by=4, was_cancelled=True)
    seed = as_seed(task(marks(ada, by=1), marks(ada, oslo, by=2), marks(ada, oslo, by=3), cancelled))
    assert [span["start"] for span in seed["spans"]] == [0, 17]
    assert seed["marked_by"] == 3
    assert [span["start"] for span in as_seed(task(marks(ada), marks(oslo, by=2)))["spans"]] == []
    assert as_seed(task(marks()))["spans"] == [], "nothing is to be marked there, and somebody says so"
    assert "spans" not in as_seed(task()), "nobody marked it"


def test_choices_are_votes() -> None:
    row = task(choice("card", by={"id": 3, "email": "ada@example.org"}), choice("fee", by=None))
    assert [(vote["item"], vote["worker"], vote["label"]) for vote in as_votes(row)] == [
        ("7", "3", "card"), ("7", "annotator 2", "fee"),
    ]  # fmt: skip
    assert as_seed(row)["verdicts"] == [
        {"judge": "3", "verdict": "card"},
        {"judge": "annotator 2", "verdict": "fee"},
    ]
    with pytest.raises(RowProblem, match="several choices"):
        list(as_votes(task(choice("card", "fee"))))


def test_votes_of_an_annotation_tool_become_seeds_with_verdicts(tmp_path: Path) -> None:
    tasks = [
        task(choice("card", by=1), choice("card", by=2), id="a"),
        task(choice("card", "fee"), id="b"),
        task(choice("fee", by=2), id="c"),
    ]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    config = {"models": {"default": {"model": "scripted:default"}}, "label": {"labels": ["card", "fee"]}}
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        found = project.import_votes(tmp_path / "tasks.json", tmp_path / "seeds.jsonl")
    assert (found.seeds, found.votes, found.workers, found.bad_rows) == (2, 3, 2, 1)
    assert "several choices" in found.refusals[0]
    rows = [row for row in read_seeds(tmp_path / "seeds.jsonl") if not isinstance(row, BadRow)]
    assert [(row.id, len(row.verdicts or ())) for row in rows] == [("a", 2), ("c", 1)]


def test_other_rows_stay_as_they_are_and_a_task_without_text_is_refused_by_name() -> None:
    for row in ({"prompt": "x", "spans": [], "text": "y"}, {"text": "x"}, {"data": {"a": 1}}):
        assert as_seed(row) is row
    [refused] = read_seed_rows([{"data": {"image": "x.png"}, "annotations": []}])
    assert isinstance(refused, BadRow)
    assert "data: there is no text in it, only" in refused.reason


@pytest.mark.parametrize("answer", ["accept", "reject", "ignore"])
def test_marked_texts_of_prodigy_are_seeds_where_their_spans_were_left_standing(answer: str) -> None:
    spans = [{"start": 0, "end": 3, "label": "person", "token_start": 0, "token_end": 0}]
    row = {"text": TEXT, "spans": spans, "_task_hash": 5, "answer": answer}
    if answer == "accept":
        assert as_seed(row)["prompt"] == TEXT
        assert as_seed(row)["spans"] == spans
        return
    with pytest.raises(RowProblem, match=f"answer is '{answer}'"):
        as_seed(row)
    assert as_seed({**row, "_task_hash": None, "answer": "42"})["prompt"] == TEXT
