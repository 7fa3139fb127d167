"""Exports: what is written, what is left out and counted, the same bytes, old files kept on failure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.errors import UsageError
from solon.eval.releases.benchmark import parts_of
from solon.formats import span_formats
from solon.formats.exports import FORMATS, export
from solon.formats.records import Completion, ExportRow, ScoredRow

MARKS = {form.name for form in span_formats.FORMATS}
"""Formats of marked texts, which the records of this file are not: see test_spans."""
TRAINING = sorted(set(FORMATS) - MARKS - {"jsonl", "csv", "csv-spreadsheet", "parquet"})
PAIRED = [
    "trl-preference", "trl-preference-standard", "llama-factory", "openai-preference", "axolotl", "openrlhf",
    "lm-eval",
]  # fmt: skip


def pair(n: int = 1, **changes: Any) -> ExportRow:
    row = ExportRow(
        id=f"r{n}",
        recipe="preference",
        seed_id=f"s{n}",
        prompt=f"Question {n}?",
        messages=[{"role": "user", "content": f"Question {n}?"}],
        chosen=f"Good {n}",
        rejected=f"Bad {n}",
        label="prefer",
        margin=0.5,
        soft_label=0.75,
        lineage={"calls": [f"c{n}"], "constitution": "general@1.0.0"},
        metadata={"level": n},
    )
    return replace(row, **changes)


def single(n: int = 1, **changes: Any) -> ExportRow:
    base = {
        "chosen": None,
        "rejected": None,
        "response": f"Answer {n}",
        "recipe": "instruction",
        "margin": None,
    }
    return pair(n, **{**base, **changes})


def tie(n: int = 1) -> ExportRow:
    return pair(n, chosen=None, rejected=None, outcome="tie", label="tie", soft_label=0.5)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def lines(tmp_path: Path, name: str, *rows: ExportRow) -> tuple[list[dict[str, Any]], dict[str, int]]:
    summary = export(rows, format=name, path=tmp_path / "out.jsonl")
    assert summary.read == len(rows)
    got = read(tmp_path / "out.jsonl")
    assert summary.written == len(got)
    return got, summary.left_out


CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "And now?"},
]


def test_trl_preference(tmp_path: Path) -> None:
    got, left = lines(tmp_path, "trl-preference", pair(), pair(2, messages=CHAT))
    assert got[0] == {
        "prompt": [{"role": "user", "content": "Question 1?"}],
        "chosen": [{"role": "assistant", "content": "Good 1"}],
        "rejected": [{"role": "assistant", "content": "Bad 1"}],
    }
    assert got[1]["prompt"] == CHAT
    assert left == {}


def test_trl_sft_takes_responses_and_chosen_texts(tmp_path: Path) -> None:
    got, left = lines(tmp_path, "trl-sft", pair(), single(2))
    assert [row["messages"][-1] for row in got] == [
        {"role": "assistant", "content": "Good 1"},
        {"role": "assistant", "content": "Answer 2"},
    ]
    assert left == {}


def test_the_other_trl_types(tmp_path: Path) -> None:
    got, _ = lines(tmp_path, "trl-unpaired-preference", pair(), single(2))
    assert [(row["completion"][0]["content"], row["label"]) for row in got] == [
        ("Good 1", True),
        ("Bad 1", False),
        ("Answer 2", True),
    ]
    got, _ = lines(tmp_path, "trl-prompt-only", pair(), tie(2))
    assert got == [{"prompt": [{"role": "user", "content": f"Question {n}?"}]} for n in (1, 2)]
    got, _ = lines(tmp_path, "trl-preference-standard", pair())
    assert got == [{"prompt": "Question 1?", "chosen": "Good 1", "rejected": "Bad 1"}]
    got, _ = lines(tmp_path, "trl-sft-standard", pair())
    assert got == [{"prompt": "Question 1?", "completion": "Good 1"}]
    got, _ = lines(tmp_path, "trl-prompt-only-standard", pair())
    assert got == [{"prompt": "Question 1?"}]
    got, left = lines(tmp_path, "trl-unpaired-preference-standard", pair(), pair(2, messages=CHAT))
    assert got[1] == {"prompt": "Question 1?", "completion": "Bad 1", "label": False}
    assert left == {"multi_turn": 2}


def test_conversation_formats_of_other_trainers(tmp_path: Path) -> None:
    row = pair(messages=CHAT)
    said = [
        {"from": "human", "value": "Hello"},
        {"from": "gpt", "value": "Hi"},
        {"from": "human", "value": "And now?"},
    ]
    chosen, rejected = {"from": "gpt", "value": "Good 1"}, {"from": "gpt", "value": "Bad 1"}
    got, _ = lines(tmp_path, "sharegpt", row)
    assert got == [{"conversations": [{"from": "system", "value": "Be brief."}, *said, chosen]}]
    got, _ = lines(tmp_path, "llama-factory", row)
    assert got == [{"conversations": said, "chosen": chosen, "rejected": rejected, "system": "Be brief."}]
    got, _ = lines(tmp_path, "llama-factory-sft", row)
    assert got == [{"conversations": [*said, chosen], "system": "Be brief."}]
    got, _ = lines(tmp_path, "alpaca", row)
    assert got == [
        {
            "instruction": "And now?",
            "input": "",
            "output": "Good 1",
            "system": "Be brief.",
            "history": [["Hello", "Hi"]],
        }
    ]
    got, _ = lines(tmp_path, "axolotl", row)
    assert got[0]["messages"] == CHAT
    assert got[0]["chosen"] == {"role": "assistant", "content": "Good 1"}
    got, _ = lines(tmp_path, "openrlhf-sft", row)
    assert got == [{"input": CHAT, "output": [{"role": "assistant", "content": "Good 1"}]}]


def test_speakers_that_do_not_take_turns_are_left_out_where_the_trainer_would_drop_them(
    tmp_path: Path,
) -> None:
    twice = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    for name in ("llama-factory", "llama-factory-sft", "alpaca"):
        got, left = lines(tmp_path, name, pair(messages=twice))
        assert got == []
        assert left == {"turns_do_not_alternate": 1}


@pytest.mark.parametrize("name", PAIRED)
def test_what_never_enters_a_preference_format(tmp_path: Path, name: str) -> None:
    rows = [
        pair(1),
        tie(2),
        pair(3, outcome="accepted", label="tie", chosen=None, rejected=None),
        pair(4, outcome="rejected"),
        pair(5, outcome="stale"),
        pair(6, flags=("unsafe",)),
        pair(7, rejected=None),
        pair(8, rejected="Good 8"),
        pair(9, chosen=" "),
        single(10),
    ]
    got, left = lines(tmp_path, name, *rows)
    assert len(got) == 1
    assert left == {
        "empty": 1,
        "flagged": 1,
        "identical": 1,
        "no_pair": 2,
        "rejected": 1,
        "stale": 1,
        "tie": 2,
    }


def test_a_flagged_rejected_text_may_stay_a_bad_example(tmp_path: Path) -> None:
    got, left = lines(tmp_path, "trl-preference", pair(flagged_candidates=("k2",)))
    assert len(got) == 1
    assert left == {}
    got, left = lines(tmp_path, "trl-unpaired-preference", pair(flags=("unsafe",)))
    assert [row["label"] for row in got] == [False]
    assert left == {"flagged": 1}


@pytest.mark.parametrize("name", TRAINING)
def test_no_flagged_answer_is_ever_learned_from(tmp_path: Path, name: str) -> None:
    secret = "FLAGGED-TEXT"
    rows = [
        pair(1, chosen=secret, flags=("personal data",)),
        single(2, response=secret, flags=("unsafe",)),
        pair(3),
    ]
    got, left = lines(tmp_path, name, *rows)
    assert secret not in json.dumps(got)
    if not name.startswith("trl-prompt-only"):
        assert left["flagged"] + left.get("no_pair", 0) == 2


def test_jsonl_has_the_whole_record_and_withholds_flagged_texts(tmp_path: Path) -> None:
    summary = export([pair(), pair(2, flags=("unsafe",)), tie(3)], format="jsonl", path=tmp_path / "a.jsonl")
    got = read(tmp_path / "a.jsonl")
    assert list(got[0]) == [*(field.name for field in fields(ExportRow)), "withheld"]
    assert got[0]["lineage"] == {"calls": ["c1"], "constitution": "general@1.0.0"}
    assert (got[1]["chosen"], got[1]["withheld"], got[1]["flags"]) == (None, ["chosen"], ["unsafe"])
    assert got[1]["rejected"] == "Bad 2"
    assert (got[2]["outcome"], got[2]["soft_label"]) == ("tie", 0.5)
    assert (summary.read, summary.written, summary.withheld, summary.left_out) == (3, 3, 1, {})


@pytest.mark.parametrize("name", ["jsonl", "csv", "csv-spreadsheet", "parquet"])
def test_only_records_with_a_withheld_text_are_counted_as_such(tmp_path: Path, name: str) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    ending = {"jsonl": "jsonl", "parquet": "parquet"}.get(name, "csv")
    rows = [pair(), pair(2, flags=("unsafe",)), tie(3), pair(4)]
    summary = export(rows, format=name, path=tmp_path / f"a.{ending}")
    assert (summary.written, summary.withheld) == (4, 1)


@pytest.mark.parametrize("name", TRAINING)
def test_every_piece_is_written_or_counted(tmp_path: Path, name: str) -> None:
    rows = [
        pair(1),
        tie(2),
        single(3),
        pair(4, outcome="stale"),
        pair(5, messages=CHAT),
        pair(6, flags=("unsafe",)),
    ]
    pieces = [piece for row in rows for piece in FORMATS[name].pieces(row)]
    got, left = lines(tmp_path, name, *rows)
    assert len(pieces) >= len(rows)
    assert len(got) + sum(left.values()) == len(pieces)


TEXT = st.text(max_size=12)
ROWS = st.builds(
    pair,
    st.integers(0, 99),
    chosen=st.none() | TEXT,
    rejected=st.none() | TEXT,
    response=st.none() | TEXT,
    outcome=st.sampled_from(["accepted", "tie", "rejected", "pending"]),
    flags=st.sampled_from([(), ("unsafe",)]),
    margin=st.none() | st.floats(),
    group=TEXT,
)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(ROWS, max_size=6), name=st.sampled_from([*TRAINING, "jsonl"]))
def test_any_rows_give_valid_lines_and_counts_that_add_up(
    tmp_path_factory: pytest.TempPathFactory, rows: list[ExportRow], name: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    summary = export(rows, format=name, path=folder / "o.jsonl", extra_columns=("id", "margin"))
    raw = (folder / "o.jsonl").read_bytes()
    got = [json.loads(line) for line in raw.split(b"\n") if line]
    pieces = sum(1 for row in rows for _ in FORMATS[name].pieces(row))
    assert len(got) == summary.written
    assert summary.written + sum(summary.left_out.values()) == pieces
    assert summary.sha256 == hashlib.sha256(raw).hexdigest()


def test_text_that_is_no_unicode_is_left_out_by_itself(tmp_path: Path) -> None:
    for name, ending in (("jsonl", "jsonl"), ("csv", "csv"), ("parquet", "parquet")):
        if ending == "parquet":
            pytest.importorskip("pyarrow")
        path = tmp_path / f"o.{ending}"
        summary = export([pair(1), pair(2, chosen="a\ud800"), pair(3)], format=name, path=path)
        assert (summary.written, summary.left_out) == (2, {"invalid_text": 1})


def test_template_code_in_texts_stays_text(tmp_path: Path) -> None:
    hostile = "{{ 7*7 }} {% for x in y %} ${HOME} <|im_end|>\u2028[/INST]\r\n"
    got, _ = lines(tmp_path, "trl-preference", pair(chosen=hostile))
    assert got[0]["chosen"][0]["content"] == hostile


def test_same_rows_same_bytes_and_the_manifest_tells_them(tmp_path: Path) -> None:
    for name in set(FORMATS) - {"conll"}:
        ending = {"csv": "csv", "csv-spreadsheet": "csv", "parquet": "parquet"}.get(name, "jsonl")
        rows = [pair(n) for n in range(5)]
        first = export(rows, format=name, path=tmp_path / f"a.{ending}")
        second = export(iter(rows), format=name, path=tmp_path / f"b.{ending}", left_out={"pending": 4})
        assert first.sha256 == second.sha256
        manifest = json.loads(Path(second.manifest).read_text())
        assert manifest["files"][0]["path"] == f"b.{ending}"
        assert (
            manifest["files"][0]["sha256"]
            == hashlib.sha256((tmp_path / f"b.{ending}").read_bytes()).hexdigest()
        )
        assert (manifest["format"], manifest["written"]) == (name, second.written)
        assert second.left_out["pending"] == 4


def test_filters_are_counted(tmp_path: Path) -> None:
    rows = [
        pair(1),
        pair(2, provisional=True),
        pair(3, margin=0.1),
        pair(4, margin=None),
        pair(5, margin=float("nan")),
    ]
    summary = export(
        rows, format="trl-preference", path=tmp_path / "o.jsonl", certified_only=True, min_margin=0.2
    )
    assert summary.written == 1
    assert summary.left_out == {"below_min_margin": 2, "no_margin": 1, "provisional": 1}


def test_extra_columns(tmp_path: Path) -> None:
    export([pair()], format="trl-preference", path=tmp_path / "o.jsonl", extra_columns=("id", "margin"))
    assert list(read(tmp_path / "o.jsonl")[0]) == ["prompt", "chosen", "rejected", "id", "margin"]
    with pytest.raises(UsageError, match="'lineage' is no extra column"):
        export([], format="trl-preference", path=tmp_path / "o.jsonl", extra_columns=("lineage",))


def test_every_format_says_what_it_is() -> None:
    assert {"jsonl", "csv", "parquet", "trl-preference", "trl-sft", "sharegpt", "alpaca"} <= set(FORMATS)
    for name, form in FORMATS.items():
        assert form.name == name
        assert form.about
        json.dumps(dict(form.load))


def test_steps_are_labelled_by_what_the_critic_quoted(tmp_path: Path) -> None:
    text = "First, add.\n\nThen divide by zero.\nAnd so on.\n \nDone."
    wrong = text.index("divide")
    rows = [
        pair(1, chosen=text, faults={"chosen": [[wrong, wrong + 6]], "rejected": []}),
        pair(2, faults={"chosen": [[-1, -1]]}),
        pair(3, messages=CHAT, faults={"chosen": []}),
        single(4, response="a\nb", metadata={"completions": ["a", "b"], "labels": [True, False]}),
    ]
    got, left = lines(tmp_path, "trl-stepwise", *rows)
    assert got == [
        {
            "prompt": "Question 1?",
            "completions": ["First, add.", "Then divide by zero.\nAnd so on.", "Done."],
            "labels": [True, False, True],
        },
        {"prompt": "Question 1?", "completions": ["Bad 1"], "labels": [True]},
        {"prompt": "Question 4?", "completions": ["a", "b"], "labels": [True, False]},
    ]
    assert left == {"fault_without_place": 1, "multi_turn": 2, "not_criticised": 1}


def test_axolotl_answers_have_no_white_space_around_them(tmp_path: Path) -> None:
    got, _ = lines(tmp_path, "axolotl", pair(chosen="\n Good. \n", rejected="Bad. "))
    assert (got[0]["chosen"]["content"], got[0]["rejected"]["content"]) == ("Good.", "Bad.")


def test_weights_and_pseudonyms_are_columns(tmp_path: Path) -> None:
    rows = [
        pair(1, confidence=0.8, source="web"),
        pair(2, route="decided", confidence=0.6, lineage={"decided_by": "ab12"}),
    ]
    columns = ("weight", "annotator", "soft_label", "source")
    export(rows, format="trl-preference", path=tmp_path / "o.jsonl", extra_columns=columns)
    got = [{name: row[name] for name in columns} for row in read(tmp_path / "o.jsonl")]
    assert got == [
        {"weight": 0.8, "annotator": None, "soft_label": 0.75, "source": "web"},
        {"weight": 1.0, "annotator": "ab12", "soft_label": 0.75, "source": None},
    ]


@pytest.mark.parametrize("name", ["csv", "csv-spreadsheet", "parquet"])
def test_tables_have_the_extra_columns_that_their_manifest_names(tmp_path: Path, name: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    rows = [pair(1, confidence=0.8), pair(2, route="decided", lineage={"decided_by": "ab12"})]
    path = tmp_path / ("o.parquet" if name == "parquet" else "o.csv")
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    summary = export(rows, format=name, path=path, extra_columns=("weight", "id", "annotator"))
    frame = pandas.read_parquet(path) if name == "parquet" else pandas.read_csv(path)
    assert list(frame.columns) == list(summary.facts["columns"])
    assert frame["weight"].tolist() == [0.8, 1.0]
    assert frame["annotator"].fillna("").tolist() == ["", "ab12"]


def test_the_manifest_names_every_version_behind_its_records(tmp_path: Path) -> None:
    versions = {"constitution": "c1", "rubric": "r1", "consensus": "v1", "prompts": "p1"}
    rows = [pair(1, lineage=versions), pair(2, lineage={**versions, "consensus": "v2", "rubric": None})]
    export(rows, format="trl-preference", path=tmp_path / "o.jsonl")
    facts = json.loads((tmp_path / "o.jsonl.manifest.json").read_text())["facts"]
    assert facts["constitutions"] == {"c1": 2}
    assert facts["rubrics"] == {"not stated": 1, "r1": 1}
    assert facts["consensus_versions"] == {"v1": 1, "v2": 1}
    assert facts["prompt_sets"] == {"p1": 2}


def test_a_callers_filter_is_counted_and_may_end_the_export(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    made = export(
        [pair(1), pair(2)],
        format="trl-preference",
        path=path,
        refuse=lambda row: "odd" if row.id == "r1" else None,
    )
    assert (made.written, made.left_out) == (1, {"odd": 1})
    before = path.read_bytes()

    def stop(row: ExportRow) -> str | None:
        raise UsageError("no")

    with pytest.raises(UsageError):
        export([pair(3)], format="trl-preference", path=path, refuse=stop)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.jsonl", "o.jsonl.manifest.json"]


SPACED = [
    ("Hazel. ", "Hazel."),
    ("\n\nHazel.", "Hazel."),
    ("\tHazel.\r\n", " Hazel.\u2003"),
    ("Hazel.", "Hazel."),
]


@pytest.mark.parametrize("sides", SPACED)
@pytest.mark.parametrize("name", [*PAIRED, "trl-unpaired-preference", "trl-unpaired-preference-standard"])
def test_sides_that_differ_in_outer_space_only_are_no_pair(
    tmp_path: Path, name: str, sides: tuple[str, str]
) -> None:
    chosen, rejected = sides
    got, left = lines(tmp_path, name, pair(chosen=chosen, rejected=rejected))
    assert (got, left) == ([], {"identical": 1})
    got, left = lines(tmp_path, name, pair(chosen=chosen, rejected=f"{rejected} Bolt."))
    assert (len(got), left) == (2 if "unpaired" in name else 1, {})


def test_a_pair_whose_sides_agree_is_still_an_answer_and_a_record(tmp_path: Path) -> None:
    same = pair(chosen="Hazel. ", rejected="Hazel.")
    for name in ("trl-sft", "alpaca", "jsonl"):
        assert len(lines(tmp_path, name, same)[0]) == 1
    _, left = lines(tmp_path, "trl-unpaired-preference", replace(same, outcome="stale"))
    assert left == {"stale": 1}


def test_scored_candidates_are_written_with_their_scores(tmp_path: Path) -> None:
    own = (
        Completion("k1", "m", "Good 1", 4.5, {"clear": 5.0, "true": 4.0}),
        Completion("k2", "given", "Bad 1", 2.0, {"clear": 2.0}),
        Completion("k3", "m", "Foul", 5.0, {"clear": 5.0}),
    )
    base = {one.name: getattr(pair(flagged_candidates=("k3",)), one.name) for one in fields(ExportRow)}
    row = ScoredRow(**base, completions=own)
    tied = replace(row, chosen=None, rejected=None, outcome="tie", label="tie")
    got, left = lines(tmp_path, "ultrafeedback", row, tied, replace(row, flags=("unsafe",)), pair(4))
    assert [one["text"] for one in got[0]["completions"]] == ["Good 1", "Bad 1"]
    assert got[0]["completions"][0] == {
        "model": "m",
        "text": "Good 1",
        "score": 4.5,
        "scores": {"clear": 5.0, "true": 4.0},
    }
    assert got[0] == got[1]
    assert left == {"flagged": 1, "not_scored": 1}
    got, _ = lines(tmp_path, "reward-model", row, replace(row, outcome="stale"))
    assert [(one["completion"][0]["content"], one["score"]) for one in got] == [
        ("Good 1", 4.5),
        ("Bad 1", 2.0),
    ]
    got, _ = lines(tmp_path, "jsonl", row)
    assert "completions" not in got[0], "whole records are as they were"
    gate_of = [part for part, _ in parts_of(row)]
    assert gate_of.count("completion") == len(own), "a benchmark is looked for in them, too"
