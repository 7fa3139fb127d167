"""The preset preference-scored, whole: begun, killed between two scores, gone on with, answered and exported; and what
its pairing does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
RUN = ("run", "preference", "--seeds", "seeds.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "preference-scored", "--model", "scripted:default", "--yes")
    assert made.code == 0
    monkeypatch.chdir(folder / "preference-scored")
    return folder / "preference-scored"


def export(solon: Cli, form: str, *options: str) -> list[dict[str, Any]]:
    assert solon("export", "--format", form, "--output", f"{form}.jsonl", *options).code == 0
    return [json.loads(line) for line in Path(f"{form}.jsonl").read_text().splitlines()]


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed("solon.agents.judge:score", 13, *RUN)
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"], summary["rejected"]) == (10, 0, 0)
    assert summary["pending_review"] > 0, "the pilot at least"
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project("sqlite:///solon.db") as project:  # without a token: the best one of the panel first
        stored = {review.id: review.candidates for review in project.reviews()}
    with Project("sqlite:///solon.db", expert=ada) as project:
        for place, review in enumerate(project.reviews()):
            preferred = stored[review.id][place == 0]
            project.decide(review, "prefer", preferred, rationale="It says what was asked.")
    assert solon("resume", "--json").json["accepted"] == 10
    sets = export(solon, "ultrafeedback")
    assert [len(row["completions"]) for row in sets] == [4] * 10
    columns = ("score_chosen", "score_rejected", "score_margin", "margin")
    pairs = export(solon, "trl-preference", *(word for name in columns for word in ("--extra-column", name)))
    for row, scored in zip(pairs, sets, strict=True):
        scores = {one["text"]: one["score"] for one in scored["completions"]}
        sides = row["chosen"][0]["content"], row["rejected"][0]["content"]
        assert {scores[text] for text in sides} == {max(scores.values()), min(scores.values())}, "West-of-N"
        assert (row["score_chosen"], row["score_rejected"]) == tuple(scores[text] for text in sides)
        assert row["score_margin"] == pytest.approx(row["score_chosen"] - row["score_rejected"])
    assert min(row["margin"] for row in pairs) < 0 < max(row["margin"] for row in pairs), (
        "a person overruled the panel"
    )
    kept = export(solon, "jsonl")[0]["lineage"]["scores"]
    criteria = sets[0]["completions"][0]["scores"].keys()
    assert kept["chosen"]["scores"].keys() == kept["rejected"]["scores"].keys() == criteria
    assert len(criteria) > 1


def test_of_two_answers_none_is_scored_and_the_run_says_so(solon: Cli, home: Path) -> None:
    (home / "solon.toml").write_text((home / "solon.toml").read_text().replace("n = 4 ", "n = 2 "))
    told = solon(*RUN, "--limit", "1")
    assert "nothing is scored: pairing 'best-worst'" in told.err
    with Project("sqlite:///solon.db") as project:
        assert project.trace(project.items()[0].id)["shortlist"] == []


def test_without_its_pairing_the_pair_is_of_the_two_best(solon: Cli, home: Path) -> None:
    """What the preset's own part does: the plain pairing leaves the worst answer out."""
    text = (home / "solon.toml").read_text().replace('policy = "pilot" ', 'policy = "never" ')
    for pairing, places in (("best-worst", (0, -1)), ("best-second", (0, 1))):
        (home / "solon.toml").write_text(text.replace('"best-worst"', f'"{pairing}"'))
        summary = solon(*RUN, "--store", f"sqlite:///{pairing}.db", "--json").json
        assert (summary["accepted"], summary["failed"]) == (10, 0)
        scored = export(solon, "ultrafeedback", "--store", f"sqlite:///{pairing}.db")
        pairs = export(solon, "jsonl", "--store", f"sqlite:///{pairing}.db")
        for row, found in zip(pairs, scored, strict=True):
            ranked = sorted((one["score"] for one in found["completions"]), reverse=True)
            of_pair = [side["score"] for side in row["lineage"]["scores"].values()]
            assert sorted(of_pair, reverse=True) == [ranked[place] for place in places]
