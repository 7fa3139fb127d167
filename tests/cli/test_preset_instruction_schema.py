"""The preset instruction-schema, whole: begun, killed at an answer, gone on with, answered and exported; what is
mended, what stops, what goes to a person; and what stands there without its own parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
ROWS = [
    {
        "id": "shop",
        "prompt": "Describe {product} for {buyer}. Keep {this}.",
        "slots": {"product": ["a lamp", "a kettle"], "buyer": "who buys it"},
        "constraints": {"words": [3, 6], "keywords": ["warm"]},
    },
    {
        "id": "note",
        "prompt": "When is the appointment?",
        "constraints": {
            "json": {
                "type": "object",
                "properties": {"day": {"$ref": "#/$defs/day"}},
                "$defs": {"day": {"enum": ["Monday"]}},
                "required": ["day"],
            }
        },
    },
    {"id": "never", "prompt": "Say nothing of birds.", "constraints": {"ends": "as you wish, birds"}},
    {
        "id": "ifeval",
        "prompt": "No commas.",
        "instruction_id_list": ["punctuation:no_comma", "combination:repeat_prompt"],
        "kwargs": [{}, {}],
    },
]
LONG = "A lamp that is warm and bright and good for everybody."
RULES = [
    {"schema": "SlotValues", "answer": {"values": ["a {this} nurse"]}},
    {"schema": "AnswerObject", "prompt": "critic found", "answer": {"day": "Monday"}},
    {"schema": "AnswerObject", "answer": {"day": "Sunday"}},
    {"role": "generator", "prompt": r"critic found.*Here it is 11\.", "answer": "Warm light, small price."},
    {"role": "generator", "prompt": "as you wish, birds", "answer": "As you wish."},
    {"role": "generator", "prompt": "No commas", "answer": "None at all."},
    {"role": "generator", "answer": LONG},
    {"role": "critic", "answer": {"findings": []}},
]
"""The first answers break what is asked, and are mended but for those that shall end with birds."""
RUN = ("run", "instruction-schema", "--seeds", "rows.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert solon("init", "instruction-schema", "--model", "scripted:rules.json", "--yes").code == 0
    home = folder / "instruction-schema"
    (home / "rules.json").write_text(json.dumps(RULES))
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    monkeypatch.chdir(home)
    with (home / "solon.toml").open("a") as config:
        config.write("\n[instruction]\naccept_score = 1\n")
    configure(policy="always")
    return home


def configure(**values: str) -> None:
    """Set these keys in solon.toml."""
    lines = Path("solon.toml").read_text().splitlines()
    for name, value in values.items():
        lines = [f"{name} = {json.dumps(value)}" if one.startswith(f"{name} =") else one for one in lines]
    Path("solon.toml").write_text("\n".join(lines))


def export(solon: Cli) -> dict[str, dict[str, Any]]:
    assert solon("export", "--format", "jsonl", "--output", "tasks.jsonl").code == 0
    rows = map(json.loads, Path("tasks.jsonl").read_text().splitlines())
    return {row["seed_id"]: row for row in rows if row["outcome"] == "accepted"}


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed("solon.agents.filler:mend", 1, *RUN)
    told = solon("resume")
    assert "rejected: 1 x verify: the answer breaks ends" in told.err + told.out
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project(expert=ada) as project:
        seeds = {item.id: item.seed for item in project.items()}
        reviews = {seeds[review.item_id]: review for review in project.reviews()}
        assert set(reviews) == {"shop#1", "shop#2", "note", "ifeval"}
        for name, review in reviews.items():
            (candidate,) = review.candidates
            edit = {"text": "Warm."} if name == "shop#2" else {}
            project.decide(review, "edit" if edit else "accept", candidate, rationale="I read it.", **edit)
    assert solon("resume", "--json").json["accepted"] == 4
    rows = export(solon)
    kept = {
        name: [(one["kind"], one["kept"]) for one in row["lineage"]["constraints"]]
        for name, row in rows.items()
    }
    assert kept == {
        "shop#1": [("words", True), ("keywords", True)],
        "shop#2": [("words", False), ("keywords", True)],
        "note": [("json", True)],
        "ifeval": [("punctuation:no_comma", True), ("combination:repeat_prompt", None)],
    }, "what an expert wrote is verified, too"
    told = 'Write 3 to 6 words. Use the words "warm".'
    assert rows["shop#1"]["prompt"] == f"Describe a lamp for a {{this}} nurse. Keep {{this}}.\n\n{told}"
    assert rows["shop#2"]["prompt"].startswith("Describe a kettle for a {this} nurse.")
    assert rows["shop#1"]["metadata"]["filled"] == {"product": "a lamp", "buyer": "a {this} nurse"}
    assert rows["shop#1"]["response"] == "Warm light, small price."
    assert json.loads(rows["note"]["response"]) == {"day": "Monday"}
    assert rows["ifeval"]["prompt"] == "No commas.", "what IFEval's columns ask for the prompt says itself"
    assert {rows[name]["group"] for name in ("shop#1", "shop#2")} == {"shop"}


def test_what_still_breaks_a_constraint_goes_to_a_person(solon: Cli, home: Path) -> None:
    configure(unmet="ask", policy="never")
    assert solon(*RUN, "--json").json["pending_review"] == 1
    with Project() as project:
        (review,) = project.reviews()
        assert 'the answer breaks ends. End with "as you wish, birds". Here it ends "As you wish."' in str(
            review.reasons
        )
        kinds = [call["role"] for call in project.trace(review.item_id)["calls"]]
    assert kinds.count("generator") == 2, "a mended answer that is the same is not asked for again"


def test_without_its_parts_nothing_is_verified(solon: Cli, home: Path) -> None:
    configure(policy="never")
    plain = {"schema": "InstructionDraft", "answer": {"instruction": "Describe a lamp.", "response": LONG}}
    (home / "rules.json").write_text(json.dumps([plain, *RULES]))
    assert solon("run", "instruction", "--seeds", "rows.jsonl", "--limit", "1", "--json").json["failed"] == 0
    (row,) = export(solon).values()
    assert row["lineage"]["constraints"] == [
        {"kind": "words", "kept": False},
        {"kind": "keywords", "kept": True},
    ]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"constraints": {"words": [9, 2]}}, "constraints.words: the least, 9, is more than the most, 2"),
        ({"constraints": {"json": {"$ref": "http://example.org/x"}}}, "only '#/$defs/NAME' is looked up"),
        ({"slots": {"who": ["a"]}}, "slots.who: {who} stands nowhere in the prompt"),
        ({"slots": {"it": []}}, "slots.it"),
        ({"slots": "{it: 1}"}, "slots is text that is not JSON"),
        ({"constraints": {"json": False}}, "constraints.json: this asks for nothing"),
        (
            {"instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]},
            "no such instruction (saw 'punctuation:no_coma'); did you mean punctuation:no_comma?",
        ),
        (
            {"instruction_id_list": ["keywords:existence"], "kwargs": [{}]},
            "kwargs.0: not what keywords:existence needs",
        ),
        ({"responses": [{"text": "yes"}]}, "the recipe has a use for 0 of them"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_alone(
    solon: Cli, home: Path, row: dict[str, Any], named: str
) -> None:
    rows = [{"id": "bad", "prompt": "Say {it}.", **row}, ROWS[-1]]
    (home / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    summary = solon(*RUN, "--json").json
    assert (summary["items"], summary["bad_rows"]) == (1, 1)
    assert named in Path(summary["bad_rows_file"]).read_text().replace('\\"', '"')


def test_tables_hold_lists_and_objects_as_json(solon: Cli, home: Path) -> None:
    head = "id,prompt,slots,constraints"
    row = 'a,Say {it}.,"{""it"": [""ah"", ""oh""]}","{""words"": 1}"'
    Path("rows.csv").write_text(f"{head}\n{row}\n")
    assert solon(*RUN[:2], "--seeds", "rows.csv", "--json").json["items"] == 2
    with Project() as project:
        assert {item.seed for item in project.items()} == {"a#1", "a#2"}
