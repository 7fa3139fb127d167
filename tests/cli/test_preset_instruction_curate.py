"""The preset instruction-curate, whole: begun, killed at a fix, gone on with, answered and exported; what is
dropped, and what stands there without its own parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from solon import Project
from solon.store.tables import decisions

Cli = Callable[..., Any]


def row(name: str, prompt: str, answer: str) -> dict[str, Any]:
    return {"id": name, "prompt": prompt, "responses": [{"text": answer}]}


HARD = "Notwithstanding economical considerations, " + "comprehensively investigate installations, " * 3
HELD = "A farmer has seventeen sheep and all but nine of them run away from the field at night."
ROWS = [
    row("taken", "Why is the radiator cold at the top?", "Air is in it. Opne the valve."),
    row("edited", "How do I clear a slow shower drain?", "Pour hot watr into it."),
    row("kept", "It smells of gas. What first?", "Dont ring the bell."),
    row("fine", "May I take the smoke alarm down at night?", "Only to change its battery."),
    row("hard", "How do I keep pipes from freezing in January?", HARD),
    row("again", "Why is the radiator cold at the top, please?", "Bleed it."),
    row("held", f"{HELD} How many are left?", "Nine."),
    {"id": "bare", "prompt": "What is a fuse?"},
]
MISSPELT = {"principle": "plain-words", "quote": "$word", "severity": "minor", "suggestion": "spell it right"}
RULES = [
    {
        "role": "critic",
        "prompt": r"task: Answer a question.*\[answer \w+\]\n.*(?P<word>Opne|watr|Dont)",
        "answer": json.dumps({"findings": [MISSPELT]}),
    },
    {"role": "critic", "answer": {"findings": []}},
    {"role": "generator", "prompt": "Opne", "answer": "Air is in it. Open the valve."},
    {"role": "generator", "prompt": "watr", "answer": "Pour hot water into it."},
    {"role": "generator", "prompt": "Dont", "answer": "Do not ring the bell."},
    {"role": "generator", "prompt": "reading ease", "answer": "Look at the taps first."},
]
RUN = ("run", "instruction-curate", "--seeds", "rows.jsonl")
FIXES = {
    "taken": "Air is in it. Open the valve.",
    "edited": "Pour hot water into it.",
    "kept": "Do not ring the bell.",
    "fine": "",
    "hard": "Look at the taps first.",
}


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert solon("init", "instruction-curate", "--model", "scripted:rules.json", "--yes").code == 0
    home = folder / "instruction-curate"
    (home / "rules.json").write_text(json.dumps(RULES))
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (home / "exam.jsonl").write_text(json.dumps({"question": HELD}) + "\n")
    config = (
        (home / "solon.toml")
        .read_text()
        .replace('# benchmarks = ["gsm8k.jsonl"]', 'benchmarks = ["exam.jsonl"]')
    )
    # one after the other: of two requests that are alike the first one stays
    (home / "solon.toml").write_text(f"{config}\n[run]\nconcurrency = 1\n")
    monkeypatch.chdir(home)
    return home


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed("solon.agents.generator:revise", 2, *RUN)
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["pending_review"], summary["rejected"]) == (7, 5, 2)
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project(expert=ada) as project:
        seeds = {item.id: item.seed for item in project.items()}
        reviews = {seeds[review.item_id]: review for review in project.reviews()}
        reasons = {item.seed: item.reason for item in project.items() if item.state == "rejected"}
        assert {name: review.fix for name, review in reviews.items()} == FIXES
        assert [one["quote"] for one in reviews["edited"].findings] == ["watr"]
        assert "hard to read (reading ease" in reviews["hard"].findings[0]["suggestion"]
        shown = solon("review", "show", reviews["taken"].id).out
        assert "found (minor): 'Opne': spell it right" in shown
        assert FIXES["taken"] in shown
        for name, review in reviews.items():
            (candidate,) = review.candidates
            text = {"taken": review.fix, "edited": "Pour hot, not boiling, water."}.get(name)
            edit = {"text": text} if text else {}
            choice = "edit" if text else "reject" if name == "hard" else "accept"
            project.decide(review, choice, candidate, rationale="I read it.", **edit)
    assert reasons == {
        "again": "dropped by filters: the seed's request, by request_duplicates",
        "held": "dropped by filters: the seed's request, by request_benchmarks",
    }
    summary = solon("resume", "--json").json
    assert (summary["accepted"], summary["rejected"]) == (4, 3)
    assert solon("export", "--format", "jsonl", "--output", "set.jsonl").code == 0
    rows = {one["seed_id"]: one for one in map(json.loads, Path("set.jsonl").read_text().splitlines())}
    accepted = {name: one for name, one in rows.items() if one["outcome"] == "accepted"}
    assert {name: (one["response"], one["lineage"].get("fix")) for name, one in accepted.items()} == {
        "taken": ("Air is in it. Open the valve.", "taken"),
        "edited": ("Pour hot, not boiling, water.", "edited"),
        "kept": ("Dont ring the bell.", "kept"),
        "fine": ("Only to change its battery.", None),
    }
    with Project() as project, project.store.connect() as connection:
        blind = connection.execute(select(func.count()).where(decisions.c.counts)).scalar_one()
    assert blind == 0, "the fix was in sight"


def test_what_stands_may_not_be_handed_in_twice_and_what_was_rejected_may(solon: Cli, home: Path) -> None:
    (home / "rows.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + json.dumps(ROWS[3]) + "\n")
    assert solon(*RUN, "--json").json["pending_review"] == 2
    with Project() as project:
        for review in project.reviews():
            choice = "reject" if "radiator" in review.prompt else "accept"
            project.decide(review, choice, review.candidates[0], rationale="I read it.")
    assert solon("resume", "--json").json["accepted"] == 1
    mended = row("mended", ROWS[0]["prompt"], "Air is in it. Open the valve.")
    (home / "rows.jsonl").write_text(json.dumps(mended) + "\n" + json.dumps(ROWS[3]) + "\n")
    again = solon(*RUN, "--new-run", "--json").json
    assert (again["pending_review"], again["rejected"]) == (1, 1)
    assert solon("export", "--format", "jsonl", "--output", "set.jsonl").code == 0
    rows = map(json.loads, Path("set.jsonl").read_text().splitlines())
    assert [one["seed_id"] for one in rows if one["outcome"] == "accepted"] == ["fine"]


def test_without_its_parts_nothing_is_found_or_proposed(solon: Cli, home: Path) -> None:
    """Under the plain recipe of instructions the expert's answer is judged as it stands."""
    config = (home / "solon.toml").read_text()
    kept = config[: config.index("[recipes")] + config[config.index("[critic]") :]
    (home / "solon.toml").write_text(kept)
    assert solon("run", "instruction", "--seeds", "rows.jsonl", "--limit", "5", "--json").json["failed"] == 0
    with Project() as project:
        assert len(project.reviews()) == 5
        assert {(review.findings, review.fix) for review in project.reviews()} == {((), "")}


def test_a_row_without_an_answer_is_refused_alone(solon: Cli, home: Path) -> None:
    summary = solon(*RUN, "--json").json
    assert (summary["items"], summary["bad_rows"]) == (7, 1)
    assert "the answer is missing" in Path(summary["bad_rows_file"]).read_text()


def test_a_benchmark_that_is_not_there_is_told_before_the_run(solon: Cli, home: Path) -> None:
    (home / "exam.jsonl").unlink()
    told = solon(*RUN)
    assert told.code != 0
    assert "exam.jsonl" in told.err
