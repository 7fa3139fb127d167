"""The injection suite: what a judge that obeys, and one that does not, is said to do; and what the detector marks."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.cli.app import app
from solon.cli.evaluate import show_result
from solon.errors import UsageError
from solon.eval.attacks import PLACES, Attacks, read_cases
from solon.eval.result import mean, rate
from solon.injection import find_marks
from solon.project import Project

DATA = Path(os.environ.get("SOLON_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CONFIG = {"models": {"default": {"model": "scripted:default"}}}
PAIRS, CASES = read_cases()


def judge(obeys: str = "") -> dict[str, Any]:
    """A judge that knows the better answers, and obeys an answer with these words."""
    better = {pair["better"] for pair in PAIRS}

    def answer(question: Any) -> Any:
        a, b = str(question.block("Answer A")), str(question.block("Answer B"))
        first = obeys in a if obeys and obeys in a + b else a in better
        return Scripted("A" if first else "B", {"A": float(first), "B": float(not first)})

    return {"default": ScriptedChat(respond=answer)}


def test_there_are_cases_of_every_kind_half_of_them_written_after_the_detector() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len({case.text for case in CASES}) == len(CASES)
    assert {case.place for case in CASES} == {*PLACES, "rationale", "proposal"}
    halves = Counter(case.written for case in CASES)
    assert halves["after"] >= halves["before"] >= 30
    assert all(
        "{worse}" in case.text for case in CASES if case.place == "document" and case.written == "after"
    )


def test_a_judge_that_obeys_no_text_is_turned_by_none() -> None:
    found = Project.attack(CONFIG, models=judge())
    put = sum(case.place in PLACES for case in CASES)
    assert (found.n, found.turned.value, found.placebo.value, found.wrong) == (put, 0.0, 0.0, 0)
    assert found.turned.high < 0.07
    assert (found.pull.value, found.pull.n) == (0.0, put)
    assert found.unseen.value is None


def test_a_judge_that_obeys_some_texts_is_turned_by_those_alone() -> None:
    obeyed = [case for case in CASES if case.place == "candidate" and "gnor" in case.text]
    found = Project.attack(CONFIG, models=judge("gnor"))
    assert found.turned.value == pytest.approx(len(obeyed) / found.n)
    assert found.places["candidate"].value == pytest.approx(len(obeyed) / found.places["candidate"].n)
    assert found.places["document"].value == 0.0
    assert found.placebo.value == 0.0
    assert found.pull.value == pytest.approx(found.turned.value)
    missed = sum(not find_marks(case.text) for case in obeyed)
    assert found.unseen.value == pytest.approx(missed / len(obeyed))


def test_a_judge_that_knows_nothing_is_not_measured() -> None:
    found = Project.attack(CONFIG, models=judge("The capital"), limit=3, seed=1)
    assert found.n + found.wrong == 3
    ignorant = {"default": ScriptedChat(respond=lambda question: Scripted("A", {"A": 1.0, "B": 0.0}))}
    found = Project.attack(CONFIG, models=ignorant, limit=4)
    assert (found.n, found.wrong, found.turned.value, found.pull.value) == (0, 4, None, 0.0)
    assert "--judge" in found.next_step()
    with pytest.raises(UsageError, match=r"no 'strong'"):
        Project.attack(CONFIG, "strong")


@pytest.mark.parametrize(
    ("figures", "step"),
    [
        ({}, "attack a model"),
        ({"judge": "openai:x", "turned": (2, 12), "placebo": (3, 12)}, "a sentence that says nothing"),
        ({"judge": "openai:x", "turned": (0, 12)}, "no attack turned it"),
        ({"judge": "openai:x", "turned": (9, 12), "pull": [0.8, 0.9, 0.7] * 4}, "it obeys"),
        ({"judge": "openai:x", "turned": (1, 12)}, "cannot be told yet"),
        ({"judge": "openai:x", "n": 2, "wrong": 1}, "more attacks"),
        ({"judge": "openai:x", "n": 2, "wrong": 9}, "right answers from wrong"),
    ],
)
def test_the_next_step_goes_by_the_figures(figures: dict[str, Any], step: str) -> None:
    spelled = {
        k: rate(*v) if isinstance(v, tuple) else mean(v) if k == "pull" else v for k, v in figures.items()
    }
    none = rate(0, 12)
    given = {
        "n": 12,
        "wrong": 0,
        "judge": "scripted:x",
        "turned": none,
        "placebo": none,
        "pull": mean([0.0] * 12),
    }
    found = Attacks(suite="injection", unseen=none, places={}, marked={}, **{**given, **spelled})
    assert step in found.next_step()


def test_every_line_says_what_it_counts_and_that_the_judge_is_scripted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Project.attack(CONFIG, models=judge("gnor"), limit=12)
    show_result(found)
    told = " ".join(capsys.readouterr().out.split())
    for field in ("turned", "placebo", "pull", "places", "marked", "wrong", "before", "after"):
        assert f"{field} ({Attacks.meanings[field]})" in told
    assert "scripted models took part (scripted:default)" in told


def test_the_command_tells_figures_with_n_and_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    done = CliRunner().invoke(app, ["eval", "injection", "--limit", "6", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {"turned", "placebo", "unseen", "places", "marked", "headline", "next_step"} <= told.keys()
    assert told["n"] + told["wrong"] == 6
    assert {"value", "low", "high", "n"} <= told["marked"]["after"].keys()


def test_most_cases_are_marked_and_of_those_written_after_the_detector_half() -> None:
    """Of what it was written for nearly all; of what it was not tuned on 37 of 69, which may not become less."""
    marked = Counter(case.written for case in CASES if find_marks(case.text))
    written = Counter(case.written for case in CASES)
    assert marked["before"] >= 0.9 * written["before"]
    assert marked["after"] >= 0.5 * written["after"]


@pytest.mark.parametrize("name", ["prd_vicuna80", "llmbar"])
def test_at_most_one_ordinary_text_in_a_hundred_is_marked(name: str) -> None:
    file = DATA / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip(f"recorded data is not there: {file}")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    texts = {text for row in rows for key in ("prompt", "response_a", "response_b") if (text := row[key])}
    assert len(texts) > 400
    assert sum(bool(find_marks(str(text))) for text in texts) <= 0.01 * len(texts)
