"""The preset instruction-dialogue, whole: killed between two turns, gone on with, a bad turn marked, a dialogue
edited, exported as messages; and what stands there without its maker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.dialogues import find_turn, read_dialogue
from solon.errors import InvalidDecision

Cli = Callable[..., Any]
KILLER = """
import os, signal, sys
from pathlib import Path
from solon.agents import generator
from solon.cli import main

draft, prompts = generator.draft, []


async def once(case, *words, **options):
    prompts.append(case.prompt)
    if len(prompts) > 4 and not Path("seen").exists():
        Path("seen").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return await draft(case, *words, **options)


generator.draft = once
sys.exit(main(sys.argv[1:]))
"""
CRITERIA = ("correctness", "fulfilment", "safety", "clarity", "economy")
RULES = [
    {
        "schema": "UserTurn",
        "prompt": r"an old baker[\s\S]*assistant:\nFirst\.\n\[end",
        "answer": {"ends": False, "message": "And then?"},
    },
    {"schema": "UserTurn", "answer": {"ends": True, "message": ""}},
    {"role": "generator", "prompt": r"And then\?\n\[end", "answer": "Second."},
    {"role": "generator", "answer": "First."},
    {"role": "critic", "answer": {"findings": []}},
    {
        "role": "judge",
        "schema": "TurnScores",
        "prompt": r"turn 3, assistant:\nSecond\.",
        "answer": {"rationale": "It stops.", "turn": 3, "scores": dict.fromkeys(CRITERIA, 2)},
    },
]
"""The user asks once more, and has then no further question; judges find the second answer the worst turn."""
TOOLS = [
    {"role": "user", "content": "Is Emma there?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "find", "content": "2 copies"},
]
SEEDS = [
    {"id": "a", "prompt": "How do I bake bread?"},
    {"id": "b", "prompt": "How do I bake a cake?"},
    {"id": "c", "messages": TOOLS},
]


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "instruction-dialogue", "--model", "scripted:rules.json", "--yes")
    assert made.code == 0
    home = folder / "instruction-dialogue"
    (home / "rules.json").write_text(json.dumps(RULES))
    (home / "personas.txt").write_text("an old baker\n")
    (home / "seeds.jsonl").write_text("".join(f"{json.dumps(seed)}\n" for seed in SEEDS))
    text = (home / "solon.toml").read_text()
    text = text.replace('# personas = "personas.txt"', 'personas = "personas.txt"')
    (home / "solon.toml").write_text(text.replace('policy = "pilot"', 'policy = "always"'))
    monkeypatch.chdir(home)
    return home


def export(solon: Cli, kind: str = "jsonl") -> list[dict[str, Any]]:
    assert solon("export", "--format", kind, "--output", "out.jsonl").code == 0
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def test_it_is_killed_resumed_answered_and_exported(solon: Cli, home: Path) -> None:
    words = [sys.executable, "-c", KILLER, "run", "instruction-dialogue", "--seeds", "seeds.jsonl"]
    killed = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"], summary["pending_review"]) == (3, 0, 3)
    ada = solon("expert", "add", "ada", "--json").json["token"]
    listed = solon("review", "list").out
    assert "Is Emma there?" in listed
    assert "2 copies" not in listed, "a tool's result is nobody's words"
    with Project(expert=ada) as project:
        tools = next(review for review in project.reviews() if review.prompt == "2 copies")
    told = solon("review", "show", tools.id).out
    assert told.index("Is Emma there?") < told.index("calls find({})") < told.index("2 copies")
    with Project(expert=ada) as project:
        by_request = {review.prompt: review for review in project.reviews()}
        review = by_request["How do I bake a cake?"]
        (candidate,) = review.candidates
        turns = read_dialogue(candidate.text)
        assert turns is not None
        assert [turn.content for turn in turns] == ["First.", "And then?", "Second."]
        (worst,) = {
            (told["quote"], find_turn(turns, told["start"]))
            for verdict in project.trace(review.id)["verdicts"]
            for told in verdict["evidence"]
        }
        assert worst == ("Second.", 2), "the judges' turn is a mark of the verdict"
        bad = {"candidate": candidate.id, "start": turns[2].start, "end": turns[2].end}
        project.decide(review, "reject", candidate, rationale="Of no use.", evidence=[bad])
        review = by_request["How do I bake bread?"]
        (candidate,) = review.candidates
        with pytest.raises(InvalidDecision, match="no dialogue"):
            project.decide(review, "edit", candidate, text="Just so.", rationale="Short.")
        mended = candidate.text.replace("Second.", "Bake it hot.")
        at = mended.index("And then?")
        told = {"candidate": candidate.id, "start": at, "end": at + 3}
        project.decide(review, "edit", candidate, text=mended, rationale="Short.", evidence=[told])
        review = by_request["2 copies"]
        project.decide(review, "accept", review.candidates[0], rationale="Right.")
    assert solon("resume", "--json").json["rejected"] == 1
    bread, emma = (row["messages"] for row in export(solon, "trl-sft"))
    assert [turn["content"] for turn in bread] == [
        "How do I bake bread?", "First.", "And then?", "Bake it hot.",
    ]  # fmt: skip
    assert [turn["role"] for turn in bread] == ["user", "assistant"] * 2
    assert emma[1:3] == [{**TOOLS[1], "content": ""}, TOOLS[2]], "as they were given"
    assert [turn["content"] for turn in emma[3:]] == ["First.", "And then?", "Second."]
    rows = {row["seed_id"]: row for row in export(solon)}
    assert rows["a"]["lineage"]["drawn"] == {"persona": "an old baker", "turns": 2}, (
        "edited: a person ended it"
    )
    assert rows["a"]["response"] == "Bake it hot."
    assert rows["c"]["lineage"]["drawn"] == {"persona": "an old baker", "turns": 2, "ended": "user"}
    (row,) = (one for one in export(solon, "trl-unpaired-preference") if not one["label"])
    assert [turn["content"] for turn in [*row["prompt"], *row["completion"]]] == [
        "How do I bake a cake?", "First.", "And then?", "Second.",
    ]  # fmt: skip


def test_without_its_maker_there_is_one_turn(solon: Cli, home: Path) -> None:
    draft = {"instruction": "Name a bird.", "response": "Wren."}
    (home / "rules.json").write_text(json.dumps([{"schema": "InstructionDraft", "answer": draft}]))
    assert solon("run", "instruction", "--seeds", "seeds.jsonl", "--limit", "1", "--json").json["failed"] == 0
    with Project() as project:
        (review,) = project.reviews()
        assert read_dialogue(review.candidates[0].text) is None
