"""The preset instruction-backtranslate, whole: begun over documents, killed between two requests, gone on with,
answered and exported; questions whose answers quote their passage; and what stands there without its maker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
ASKED = '{"instruction": "Explain for a beginner: $topic?"}'
RULES = [
    {
        "role": "generator",
        "schema": "RequestDraft",
        "prompt": r"\[passage \w+\]\n(?P<topic>[^.\n]+)",
        "answer": ASKED,
    },
    {
        "role": "generator",
        "schema": "InstructionDraft",
        "answer": {"instruction": "Name a bird.", "response": "Wren."},
    },
    {"role": "critic", "answer": {"findings": []}},
    {"role": "judge", "prompt": "Menu", "answer": {"rationale": "A menu.", "scores": {"example": 1}}},
    {"role": "judge", "answer": {"rationale": "It serves.", "scores": {"example": 5}}},
]
"""A request begins as its passage does; judges find all good but a page's menu."""
TIDES = "The moon pulls on the sea.\n\nWater heaps up where the pull is strongest."
DOCUMENTS = {
    "a/tides.md": TIDES,
    "knots.html": "<title>Knots</title><p>A bowline&nbsp;holds.</p><p>It can be <b>untied</b> again.</p>",
    "menu.txt": "Menu home contact",
    "nothing.html": "<script>track()</script>",
    "picture.png": "",
}


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "instruction-backtranslate", "--model", "scripted:rules.json", "--yes")
    assert made.code == 0
    home = folder / "instruction-backtranslate"
    (home / "rules.json").write_text(json.dumps(RULES))
    for name, text in DOCUMENTS.items():
        (home / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "docs" / name).write_text(text)
    monkeypatch.chdir(home)
    configure(home, size="size = 100", policy='policy = "always"')
    return home


def configure(home: Path, **lines: str) -> None:
    """Put these lines in place of those that begin with the names."""
    text = (home / "solon.toml").read_text().splitlines()
    for name, line in lines.items():
        text = [line if one.startswith(f"{name} =") else one for one in text]
    (home / "solon.toml").write_text("\n".join(text))


def export(solon: Cli) -> dict[str, dict[str, Any]]:
    assert solon("export", "--format", "jsonl", "--output", "tasks.jsonl").code == 0
    rows = map(json.loads, Path("tasks.jsonl").read_text().splitlines())
    return {row["seed_id"]: row for row in rows if row["outcome"] == "accepted"}


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed(
        "solon.agents.backtranslator:write_request", 2, "run", "instruction-backtranslate", "--seeds", "docs"
    )
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"], summary["pending_review"]) == (3, 0, 3)
    (bad,) = home.glob("*.bad-rows.jsonl")
    reasons = [json.loads(line)["reason"] for line in bad.read_text().splitlines()]
    assert [reason.split(" ")[:2] for reason in reasons] == [["not", "a"], ["not", "a"]]
    assert "'nothing.html'" in reasons[0]
    assert "'picture.png'" in reasons[1]
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project(expert=ada) as project:
        for review in project.reviews():
            (candidate,) = review.candidates
            choice = "reject" if "Menu" in candidate.text else "accept"
            project.decide(review, choice, candidate, rationale="I read it.")
    summary = solon("resume", "--json").json
    assert (summary["accepted"], summary["rejected"]) == (2, 1)
    rows = export(solon)
    assert set(rows) == {f"a/tides.md#0-{len(TIDES)}", "knots.html#0-41"}
    tides, knots = (rows[name] for name in sorted(rows))
    assert tides["prompt"] == "Explain for a beginner: The moon pulls on the sea?"
    assert tides["response"] == TIDES, "the passage is the answer, letter for letter"
    assert tides["metadata"]["passage"] == {"document": "a/tides.md", "start": 0, "end": len(TIDES)}
    assert tides["lineage"]["scores"]["chosen"] == {"score": 5.0, "scores": {"example": 5.0}}
    assert knots["response"] == "A bowline holds.\n\nIt can be untied again."


def test_the_panel_leaves_out_what_teaches_nothing(solon: Cli, home: Path) -> None:
    configure(home, policy='policy = "never"')
    assert solon("run", "instruction-backtranslate", "--seeds", "docs", "--json").json["rejected"] == 1
    assert "menu.txt" not in {name.split("#")[0] for name in export(solon)}


def test_what_is_quoted_stands_in_the_document(solon: Cli, home: Path) -> None:
    configure(home, answer='answer = "quoted"', policy='policy = "never"')
    text = "Before.\n" * 10 + "\n" + 'The dam – built in 1932 – holds\n"ten million" litres. It leaks.'
    (home / "dam.txt").write_text(text)
    draft = {"instruction": "How much does the dam hold?", "response": "Ten million litres."}
    wrong = {**draft, "quotes": ["It holds eleven million litres"]}
    right = {**draft, "quotes": ["built in 1932 - holds “ten million” litres."]}
    rules = [
        {"schema": "QuotedDraft", "prompt": "The dam", "answer": wrong, "times": 1},
        {"schema": "QuotedDraft", "prompt": "The dam", "answer": right},
        {"schema": "QuotedDraft", "answer": {**wrong, "instruction": "What comes before?"}},
        *RULES,
    ]
    (home / "rules.json").write_text(json.dumps(rules))
    run = solon("run", "instruction-backtranslate", "--seeds", "dam.txt")
    assert "2 misquoted" in run.err, "what is refused is counted"
    (row,) = export(solon).values()
    assert row["response"] == "Ten million litres.\n\n> built in 1932 - holds “ten million” litres."
    (quote,) = row["lineage"]["quotes"]
    source = 'built in 1932 – holds\n"ten million" litres'
    assert row["input"][slice(*quote["source"])] == source
    assert (quote["document"], text[slice(*quote["in_document"])]) == ("dam.txt", source)
    assert quote["differs"] == ["dash", "quotation mark", "line break"]
    with Project() as project:
        way = project.trace(row["id"])
    assert [one["kind"] for one in way["candidates"]] == ["misquoted", "draft"]
    assert "another dash and another quotation mark and another line break" in way["critiques"][0]["text"]


def test_without_its_maker_no_answer_is_a_passage(solon: Cli, home: Path) -> None:
    configure(home, policy='policy = "never"')
    assert solon("run", "instruction", "--seeds", "seeds.jsonl", "--limit", "2", "--json").json["failed"] == 0
    assert {row["response"] for row in export(solon).values()} == {"Wren."}
