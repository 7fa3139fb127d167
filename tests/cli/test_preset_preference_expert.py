"""The preset preference-expert, whole: begun, killed between two drafts, gone on with, answered on the command line and
from Python, and exported; and what ranking does that choosing between two does not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.recipes import Pair
from solon.recipes.preference import PREFERENCE_EXPERT

Cli = Callable[..., Any]
KILLER = """
import os, signal, sys
from pathlib import Path
from solon.agents import generator
from solon.cli import main

draft, drafts = generator.draft, []


async def once(case, *arguments, **options):
    drafts.append(case.prompt)
    if len(drafts) > 6 and not Path("seen").exists():
        Path("seen").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return await draft(case, *arguments, **options)


generator.draft = once
sys.exit(main(sys.argv[1:]))
"""
RULES = {"rules": [{"role": "generator", "answer": "An answer at $temperature."}]}
RUN = ("run", "preference-expert", "--seeds", "seeds.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "preference-expert", "--model", "scripted:rules.json", "--yes")
    assert made.code == 0
    home = folder / "preference-expert"
    (home / "rules.json").write_text(json.dumps(RULES))
    monkeypatch.chdir(home)
    return home


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [sys.executable, "-c", KILLER, *RUN]
    killed = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["pending_review"], summary["failed"]) == (10, 10, 0)
    assert summary["model_calls"] == 40, "a killed draft is made once"
    ada = solon("expert", "add", "ada", "--json").json["token"]
    monkeypatch.setenv("SOLON_TOKEN", ada)
    with Project() as project:
        first, second, third, *others = project.reviews()
    asked = solon("review", "show", first.id).out
    assert "rank --ranking helpful:PLACES --ranking safe:PLACES" in " ".join(asked.split())
    why = ("--rationale", "By what would help.")
    ranked = ("rank", "--ranking", "helpful:2,1=3,4", "--ranking", "safe:4,3,2,1")
    left_out = solon(
        "review", "decide", first.id, "rank", "--ranking", "helpful:2,1", "--ranking", "safe:1,2,3,4"
    )
    assert left_out.code == 2
    assert "leaves out" in left_out.err
    assert solon("review", "decide", first.id, *ranked, *why).code == 0
    assert solon("review", "decide", second.id, "write", "--text", "See a doctor.", *why).code == 0
    assert solon("review", "decide", third.id, "all_bad", *why).code == 0
    with Project(expert=ada) as project:
        for review in others:
            ids = [one.id for one in review.candidates]
            project.decide(
                review, "rank", ranking={"helpful": ids, "safe": [ids]}, rationale="By what would help."
            )
    done = solon("resume", "--json").json
    assert (done["accepted"], done["pending_review"]) == (9, 1), "where all were bad, four others are drafted"
    form = ("--format", "trl-preference", "--extra-column", "weight", "--extra-column", "question")
    assert solon("export", *form, "--extra-column", "seed_id", "--output", "pairs.jsonl").code == 0
    rows = [json.loads(line) for line in Path("pairs.jsonl").read_text().splitlines()]
    assert len(rows) == (5 + 6) + 2 * 4 + 7 * 6
    sums: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["seed_id"], row["question"])
        sums[key] = sums.get(key, 0.0) + row["weight"]
    assert {round(found, 9) for found in sums.values()} == {1.0}, "one ranking counts once"
    assert len(sums) == 2 + 2 + 7, "where all are alike by a question there is no pair"
    with Project() as project:
        found = next(row for row in project.records() if row.lineage["decision"] and row.label == "prefer")
    told = " ".join(solon("show", found.id).out.split())
    assert "a pair of a ranking by" in told
    assert "safe: " in told


def test_the_plain_question_makes_one_pair_of_an_item(home: Path) -> None:
    """What the preset's own part does: asked which of two is better, people tell one pair, which weighs nothing."""
    plain = replace(PREFERENCE_EXPERT, name="plain", question=Pair())
    with Project("sqlite:///plain.db", recipes=[plain]) as project:
        project.run("plain", "seeds.jsonl", limit=1)
        token = project.add_expert("ada")
        [review] = project.reviews()
        assert len(review.candidates) == 2
        assert "rank" not in review.choices
        project.decide(review, "prefer", review.candidates[0], rationale="So.", expert=token)
        project.resume()
        assert [row.lineage.get("ranking") for row in project.records()] == [None]
