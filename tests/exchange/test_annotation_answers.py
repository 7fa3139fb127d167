"""What people answered in forms of Argilla and Label Studio, in every shape in which these write it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from solon.formats.annotation import FORMATS
from solon.formats.imported import Imported, Said, Skipped
from solon.formats.seed_rows import RowProblem
from tests.exchange.reading import read_import

Row = dict[str, Any]
TEXTS = {"prompt": "Name a nut.", "answer_1": "Hazel.", "answer_2": "Bolt."}


def argilla(**columns: Any) -> Row:
    return {"id": "r1", "fields": TEXTS, "metadata": {"batch": "b7"}, "responses": {}, **columns}


def task(*results: list[Row], **columns: Any) -> Row:
    """A task of Label Studio with an annotation for each list of regions."""
    annotations = [{"id": n, "completed_by": n, "result": result} for n, result in enumerate(results, 1)]
    return {"id": 1, "data": {**TEXTS, "lang": "en"}, "annotations": annotations, **columns}


def region(name: str, kind: str, **value: Any) -> Row:
    return {"from_name": name, "to_name": "prompt", "type": kind, "value": value}


def read(name: str, row: Row) -> tuple[Imported, Counter[str]]:
    pieces = list(FORMATS[name].read(json.loads(json.dumps(row))))
    [found] = [one for one in pieces if isinstance(one, Imported)]
    return found, Counter(one.reason for one in pieces if isinstance(one, Skipped))


def verdicts(found: Imported) -> list[tuple[str, str]]:
    """What each person said, and of which text."""
    texts = [response["text"] for response in found.seed["responses"]]
    return [(said.choice, "" if said.response is None else texts[said.response]) for said in found.said]


LEFT, RIGHT = {"selected": "left"}, {"selected": "right"}


@pytest.mark.parametrize(
    ("name", "row", "wanted"),
    [
        ("label-studio", task([region("choice", "pairwise", **LEFT), region("topic", "choices", choices=["food"])]),
         [("prefer", "Hazel.")]),
        ("label-studio", task([region("topic", "choices", choices=["food"]), region("choice", "pairwise", **RIGHT)]),
         [("prefer", "Bolt.")]),
        ("label-studio", task([region("better", "pairwise", **RIGHT), region("quality", "rating", rating=1)]),
         [("prefer", "Bolt.")]),
        ("label-studio", task([region("better", "pairwise", **RIGHT), region("errors", "choices", choices=["none"])]),
         [("prefer", "Bolt.")]),
        ("label-studio", task([region("choice", "pairwise", **LEFT), region("verdict", "choices", choices=["tie"])]),
         [("tie", "")]),
        ("label-studio", task([region("order", "ranker", ranker=["answer_2", "answer_1"])]), [("prefer", "Bolt.")]),
        ("label-studio", task([region("topic", "choices", choices=["food"])]), []),
        ("label-studio", task([region("quality", "rating", rating=2)]), []),
        ("argilla", argilla(responses={"choice": [{"value": "answer_2"}], "topic": [{"value": "food"}]}),
         [("prefer", "Bolt.")]),
        ("argilla", argilla(responses={"grade": [{"value": 1}], "topic": [{"value": ["a", "b"]}]}), []),
        ("argilla", argilla(responses={"grade": [{"value": 2}], "choice": [{"value": 1}]}), [("prefer", "Hazel.")]),
        ("argilla", argilla(responses={"which one": [{"value": "Answer-2"}]}), [("prefer", "Bolt.")]),
        ("argilla", argilla(responses={"order": [{"value": [{"value": "answer_1", "rank": 2},
                                                            {"value": "answer_2", "rank": 1}]}]}),
         [("prefer", "Bolt.")]),
        ("argilla", argilla(responses={"order": [{"value": [{"value": "answer_1", "rank": 1},
                                                            {"value": "answer_2", "rank": 1}]}]}), [("tie", "")]),
        ("argilla", argilla(responses={"order": [{"value": ["answer_2", "answer_1"]}]}), [("prefer", "Bolt.")]),
        ("argilla", argilla(responses=[{"user_id": "u", "status": "submitted",
                                        "values": {"choice": {"value": "tie"}, "topic": {"value": "food"}}}]),
         [("tie", "")]),
        ("argilla", {**TEXTS, "choice.responses": ["answer_1", "answer_2"], "choice.responses.users": ["u", "v"],
                     "choice.responses.status": ["submitted", "submitted"], "choice.suggestion": "tie"},
         [("prefer", "Hazel."), ("prefer", "Bolt.")]),
        ("argilla", {**TEXTS, "choice": [{"user_id": "u", "value": "answer_2", "status": "submitted"}],
                     "choice-suggestion": "tie", "external_id": "e"}, [("prefer", "Bolt.")]),
    ],
)  # fmt: skip
def test_only_the_question_for_the_verdict_gives_the_verdict(
    name: str, row: Row, wanted: list[tuple[str, str]]
) -> None:
    assert FORMATS[name].fits(row)
    assert verdicts(read(name, row)[0]) == wanted


@pytest.mark.parametrize(
    ("name", "row", "kept"),
    [
        ("label-studio", task([region("choice", "pairwise", **LEFT), region("topic", "choices", choices=["food"])],
                              predictions=[{"score": 0.5}], meta={"shop": "s1"}, file_upload="f.json"),
         ["food", 0.5, "s1", "f.json", "en"]),
        ("argilla", argilla(responses={"choice": [{"value": "tie"}], "topic": [{"value": "food"}]},
                            suggestions={"choice": {"value": "both_bad", "agent": "m"}}, vectors={"v": [0.25]},
                            inserted_at="2025"), ["food", "both_bad", 0.25, "2025", "b7"]),
        ("argilla", {**TEXTS, "choice.responses": ["tie"], "choice.suggestion": "both_bad", "note": "n1",
                     "choice.suggestion.agent": "m1"}, ["both_bad", "n1", "m1"]),
    ],
)  # fmt: skip
def test_further_questions_and_what_stands_beside_them_are_kept(name: str, row: Row, kept: list[Any]) -> None:
    found, _ = read(name, row)
    text = json.dumps([found.seed, found.metadata])
    assert [one for one in kept if json.dumps(one) not in text] == []


@pytest.mark.parametrize(
    ("name", "row", "said", "skipped"),
    [
        ("argilla", argilla(responses=[
            {"user_id": "u", "status": "draft", "values": {"choice": {"value": "tie"}}},
            {"user_id": "v", "status": "discarded", "values": None},
            {"user_id": "w", "status": "pending", "values": {}},
            {"user_id": "x", "status": "submitted", "values": {"choice": {"value": "both_bad"}}}]),
         [Said("both_bad", None, "x")], {"draft": 2, "discarded": 1}),
        ("argilla", argilla(responses={
            "choice": [{"value": "tie", "user_id": "u"}, {"value": None, "user_id": "v"}],
            "topic": [{"value": None, "user_id": "u"}, {"value": None, "user_id": "v"}]}),
         [Said("tie", None, "u")], {"discarded": 1}),
        ("argilla", {**TEXTS, "choice.responses": ["tie", "both_bad"], "choice.responses.users": ["u", "v"],
                     "choice.responses.status": ["draft", "submitted"]}, [Said("both_bad", None, "v")], {"draft": 1}),
        ("label-studio", task([region("verdict", "choices", choices=["tie"])], drafts=[{"result": []}]),
         [Said("tie", None, "1")], {"draft": 1}),
        ("label-studio", {**task(), "annotations": [
            {"completed_by": {"id": 3, "email": "a@b.c"}, "result": [region("verdict", "choices", choices=["tie"])]},
            {"completed_by": 4, "was_cancelled": True, "result": [region("verdict", "choices", choices=["both_bad"])]},
        ]}, [Said("tie", None, "3")], {"discarded": 1}),
    ],
)  # fmt: skip
def test_drafts_and_discarded_answers_do_not_count(
    name: str, row: Row, said: list[Said], skipped: dict[str, int]
) -> None:
    found, counted = read(name, row)
    assert (list(found.said), counted) == (said, skipped)


@pytest.mark.parametrize("word", ["maybe", "answer_3", "", ["x"], {"y": 1}, 3])
def test_a_verdict_in_unknown_words_costs_its_row(word: Any) -> None:
    row = argilla(responses={"choice": [{"value": word, "user_id": "u"}]})
    if word == "":
        assert read("argilla", row)[0].said == ()
    else:
        with pytest.raises(RowProblem, match="none of prefer answer_1"):
            read("argilla", row)


def test_two_questions_that_may_be_the_verdict_are_asked_about() -> None:
    row = argilla(responses={"helpful": [{"value": "answer_1"}], "harmless": [{"value": "answer_2"}]})
    with pytest.raises(RowProblem, match="helpful and harmless may both be the verdict; name it 'choice'"):
        read("argilla", row)


SHORT = {**TEXTS, "id": 1, "annotator": 1, "annotation_id": 9, "lead_time": 1.5}


@pytest.mark.parametrize(
    ("rows", "wanted", "kept"),
    [
        ([{**SHORT, "choice": LEFT}], [("prefer", "Hazel.")], []),
        ([{**SHORT, "choice": "right"}], [("prefer", "Bolt.")], []),
        ([{**SHORT, "better": RIGHT, "topic": {"choices": ["food", "nuts"]}}], [("prefer", "Bolt.")], ["nuts"]),
        ([{**SHORT, "verdict": "tie", "rationale": "Both are."}], [("tie", "")], []),
        (
            [
                {**SHORT, "choice": LEFT, "topic": "food"},
                {**SHORT, "annotator": 2, "annotation_id": 10, "choice": RIGHT, "topic": "tools"},
            ],
            [("prefer", "Hazel."), ("prefer", "Bolt.")],
            ["food", "tools"],
        ),
        ([{key: value for key, value in SHORT.items() if key != "answer_2"} | {"verdict": "reject"}],
         [("reject", "Hazel.")], []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["label-studio", "auto"])
def test_short_exports_are_read(
    tmp_path: Path, name: str, rows: list[Row], wanted: list[tuple[str, str]], kept: list[str]
) -> None:
    (tmp_path / "short.json").write_text(json.dumps(rows))
    found = read_import(name, tmp_path / "short.json")
    assert (found.format, found.bad) == ("label-studio", [])
    [one] = found.seeds
    assert verdicts(one) == wanted
    assert all(json.dumps(word) in json.dumps(one.metadata) for word in kept)


def test_conversations_of_from_and_value_are_no_answers_of_a_form() -> None:
    row = {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}
    assert not FORMATS["argilla"].fits(row)
