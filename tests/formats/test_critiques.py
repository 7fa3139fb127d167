"""Critiques, revisions and demonstrations as rows, and the records that cover a set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.errors import UsageError
from solon.eval.demonstrations import covering
from solon.formats.contract import LeftOut
from solon.formats.exports import find_format
from solon.formats.records import CritiqueOf, ExportRow, ScoredRow
from solon.store.records.critiques import spell_finding

FAULT = '- major, honesty: "In 1831" Give the right year.'


def row(**more: Any) -> ScoredRow:
    asked = {"prompt": "When?", "messages": [{"role": "user", "content": "When?"}]}
    return ScoredRow(
        **{"id": "r", "recipe": "preference", "seed_id": "s", "response": "In 1832.", **asked, **more}
    )


DRAFT = CritiqueOf("In 1831.", (FAULT,), revision="In 1832.")
SOUND = CritiqueOf("In 1832.", (), accepted=True)
WORSE = CritiqueOf("No idea.", ())


def said(format: str, record: ExportRow) -> list[Any]:
    pieces = find_format(format).pieces(record)
    return [one.reason if isinstance(one, LeftOut) else one["messages"][-1]["content"] for one in pieces]  # type: ignore[index]


def test_what_was_found_and_what_became_of_it() -> None:
    """A rejected text on which nothing was found teaches no critic; a flagged or stale record teaches nobody."""
    judged = row(critiques=(DRAFT, SOUND, WORSE))
    assert said("critique-sft", judged) == [FAULT, "Nothing is wrong with it."]
    assert said("revision-sft", judged) == ["In 1832."]
    (asked,) = find_format("revision-sft").pieces(judged)
    assert FAULT in asked["messages"][0]["content"]  # type: ignore[index]
    assert "In 1831." in asked["messages"][0]["content"]  # type: ignore[index]
    assert said("critique-sft", row(critiques=(WORSE,))) == ["not_criticised"]
    assert said("revision-sft", row(critiques=(SOUND,))) == ["not_revised"]
    for name in ("critique-sft", "revision-sft"):
        assert said(name, row(critiques=(DRAFT,), flags=("unsafe",))) == ["flagged"]
        assert said(name, row(critiques=(DRAFT,), outcome="stale")) == ["stale"]


def test_a_finding_that_fills_its_room_ends_at_a_word() -> None:
    suggestion = f"{'Say what is uncertain ' * 9}so that nothing is assumed"[:200]
    finding = {"severity": "minor", "quote": "x " * 79 + "ab", "suggestion": suggestion}
    told = spell_finding(finding)
    assert told.endswith(f"{suggestion.rpartition(' ')[0]}...")
    assert f'"{"x " * 78}x..."' in told
    whole = {"severity": "minor", "quote": "", "suggestion": suggestion[:199] + "."}
    assert spell_finding(whole) == f"- minor, general: {whole['suggestion']}"


def test_a_demonstration_is_an_answer_or_a_label() -> None:
    assert said("icl", row()) == ["In 1832."]
    assert said("icl", row(outcome="label", label="history")) == ["history"]
    assert said("icl", row(outcome="label", label="contested")) == ["label"]
    assert said("icl", row(outcome="tie", response=None)) == ["tie"]


def test_a_conversation_is_asked_with_all_of_its_turns() -> None:
    """What was asked last says nothing without what was said before."""
    turns = [
        {"role": "user", "content": "Who was Faraday?"},
        {"role": "assistant", "content": "A physicist."},
        {"role": "user", "content": "When was it?"},
    ]
    asked = row(messages=turns, critiques=(DRAFT,))
    text = "user: Who was Faraday?\n\nassistant: A physicist.\n\nuser: When was it?"
    (shown,) = find_format("icl").pieces(asked)
    assert shown == {  # type: ignore[comparison-overlap]
        "input": text,
        "output": "In 1832.",
        "messages": [*turns, {"role": "assistant", "content": "In 1832."}],
    }
    for name in ("critique-sft", "revision-sft"):
        (made,) = find_format(name).pieces(asked)
        assert made["messages"][0]["content"].startswith(f"Request:\n{text}\n\nAnswer:\nIn 1831.\n")  # type: ignore[index]


def test_few_records_cover_all() -> None:
    """Two of three groups of requests, then the third: none twice while another is left."""
    groups = ("herons eat fish in winter", "a bridge of steel and stone", "tea with milk and bread")
    rows = [row(prompt=f"{words} {n}") for words in groups for n in range(5)]
    places = covering(3)(rows)
    assert len({place // 5 for place in places}) == 3
    assert covering(3)(rows) == places
    assert len(covering(100)(rows)) == len(rows)
    with pytest.raises(UsageError, match="0 records are none"):
        covering(0)


def test_a_run_with_revisions_gives_rows_of_all_three(tmp_path: Path) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "preference": {"pairing": "draft-revision"},
        "routing": {"policy": "never"},
    }
    words = ("herons", "rivers", "boats", "bridges", "rain", "snow")
    with Project(f"sqlite:///{tmp_path / 's.db'}", config=config) as project:
        project.run("preference", [f"Explain {word} to a child." for word in words])

        def export(format: str, **more: Any) -> tuple[Any, list[Any]]:
            file = tmp_path / f"{format}.jsonl"
            summary = project.export(format, file, **more)
            return summary, [json.loads(line) for line in file.read_text().splitlines()]

        pairs = export("trl-preference")[1]
        drafts = {one["rejected"][0]["content"]: one["chosen"][0]["content"] for one in pairs}
        drafts |= {better: worse for worse, better in drafts.items()}
        summary, rows = export("revision-sft")
        assert rows
        assert len(rows) == len(pairs) - summary.left_out.get("not_revised", 0)
        for one in rows:
            asked, revised = (turn["content"] for turn in one["messages"])
            assert drafts[revised] in asked
        assert len(export("critique-sft")[1]) >= len(rows)
        summary, rows = export("icl", k=2)
        assert (len(rows), summary.written, summary.left_out["not_chosen"]) == (2, 2, len(pairs) - 2)
        assert summary.read == len(pairs)
        summary, rows = export("trl-sft", k=1)
        assert len(rows) == 1
