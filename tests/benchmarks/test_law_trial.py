"""The law trial with a scripted fake that follows the rule once it is law: plumbing, no rate of any model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.law_trial import DATA, RULE, made_cases, recorded_cases, rows, run_trial
from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.agents.models.scripted_answers import Question

FAKE = {"model": "scripted:default"}


def respond(question: Question) -> Any:
    if question.role == "legislator":
        ids = re.findall(r"^\[([0-9a-f]{20,})\] experts decided", question.prompt, re.MULTILINE)
        change = {"action": "add", "id": "is-short", "text": RULE, "priority": 1}
        return {"reason": "Experts prefer the shorter one.", "cites": ids, "changes": [change]}
    if question.role == "judge" and question.logprobs:
        a, b = str(question.block("Answer A")), str(question.block("Answer B"))
        shorter = 0.9 if len(a) < len(b) else 0.1
        p = shorter if RULE in question.system else 1 - shorter
        return Scripted("A" if p > 0.5 else "B", {"A": p, "B": 1 - p})
    return None


@pytest.mark.parametrize("drafter", ["legislator", "person"])
def test_the_trial_tells_agreement_before_and_after(drafter: str, tmp_path: Path) -> None:
    models = {"default": ScriptedChat(respond=respond)}
    found = run_trial(FAKE, made_cases(24, 12), tmp_path, drafter=drafter, models=models)
    assert found["drafted_by"] == drafter
    assert found["state"] == "ratified"
    assert found["changes"] == [f"[{'is-short' if drafter == 'legislator' else 'as-decided'}] added: {RULE}"]
    assert found["before"]["agreement"] == found["with_precedents"]["agreement"] == 0.0
    assert found["with_both"]["agreement"] == 1.0
    assert found["with_both"]["n"] == found["held_out"] > 6
    assert found["law_on_precedents"]["difference"] == found["both"]["difference"] == 1.0
    assert found["law_alone"]["difference"] == found["with_law"]["agreement"] == 1.0
    assert found["precedents_alone"]["difference"] == 0.0


def test_a_trial_that_was_broken_off_goes_on_with_what_was_finished(tmp_path: Path) -> None:
    whole = run_trial(FAKE, made_cases(24, 12), tmp_path, models={"default": ScriptedChat(respond=respond)})
    for stage in ("ratified", "law"):
        (tmp_path / f"{stage}.json").unlink()
    again = ScriptedChat(respond=respond)
    assert run_trial(FAKE, made_cases(24, 12), tmp_path, models={"default": again}) == whole


def test_both_answers_differ_in_length_and_neither_side_gives_it_away() -> None:
    made = rows(80, 0)
    assert len({row["prompt"] for row in made}) == 80
    first_shorter = 0
    for row in made:
        first, second = (answer["text"] for answer in row["responses"])
        assert 2 * min(len(first), len(second)) < max(len(first), len(second))
        first_shorter += len(first) < len(second)
    assert 20 < first_shorter < 60


@pytest.mark.skipif(not (DATA / "llmbar_rationales.jsonl").is_file(), reason="needs the recorded data")
def test_recorded_decisions_hold_the_same_pairs_out_and_name_no_letter() -> None:
    few, many = recorded_cases(10), recorded_cases(30)
    assert few.held_out == many.held_out
    assert few.decided == many.decided[:10]
    assert not {row["prompt"] for row in many.decided} & {row["prompt"] for row in many.held_out}
    for row in many.decided:
        better = many.better(row["prompt"], [])
        reason = many.reason(row["prompt"], 0)
        assert better in [answer["text"] for answer in row["responses"]]
        assert reason
        assert not re.search(r"\([ab]\)", reason.lower())
