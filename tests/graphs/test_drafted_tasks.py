"""A drafted task has its own input, wherever it is shown, judged or exported; what does not stand is drafted again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.law.documents import load_constitution, starter_names
from solon.prompts.library import PromptLibrary
from solon.recipes.makers import STANDS

Make = Callable[..., Any]
SEED = {"id": "s", "prompt": "Describe the following animal.", "input": "A heron.", "reference": "Grey."}
TASK = {"instruction": "Sort these rivers by length.", "input": "Elbe\nVolga", "response": "Volga, Elbe."}
ACCEPTS: dict[str, Any] = {"routing": {"policy": "never"}, "instruction": {"accept_score": 1}}
HANGING = {"instruction": "Summarize the following speech.", "input": "", "response": "It is short."}


class Models:
    """Answers for the roles; `drafts` are given one after the other, then the last again."""

    def __init__(self, *drafts: dict[str, Any], findings: tuple[dict[str, Any], ...] = ()) -> None:
        self.drafts, self.findings = list(drafts), list(findings)
        self.asked: list[Any] = []

    def __call__(self, question: Any) -> Any:
        self.asked.append(question)
        if question.schema_name == "InstructionDraft":
            return self.drafts.pop(0) if len(self.drafts) > 1 else self.drafts[0]
        return {"findings": self.findings} if question.schema_name == "Findings" else None

    def of(self, role: str) -> list[Any]:
        return [question for question in self.asked if question.role == role]


def export(desk: Any, folder: Path, format: str) -> list[dict[str, Any]]:
    path = folder / f"{format}.jsonl"
    desk.project.export(format, path)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_agents_see_the_tasks_own_input_and_not_the_seeds(make_desk: Make) -> None:
    models = Models(TASK)
    desk = make_desk(answer=models, routing={"policy": "always"})
    desk.project.run("instruction", [SEED])
    assert models.of("generator")[0].block("input of the example") == "A heron."
    for role in ("critic", "judge"):
        (asked, *_) = models.of(role)
        assert asked.block("request") == TASK["instruction"]
        assert asked.block("input") == TASK["input"]
        assert "heron" not in asked.prompt


def test_the_input_is_on_the_page_and_stays_with_an_edit(make_desk: Make, tmp_path: Path) -> None:
    desk = make_desk(answer=Models(TASK), routing={"policy": "always"})
    desk.project.run("instruction", [SEED])
    (review,) = desk.project.reviews()
    assert (review.prompt, review.input) == (TASK["instruction"], TASK["input"])
    desk.project.decide(
        review.id, "edit", candidate=review.candidates[0].id, text="The Volga, then the Elbe."
    )
    desk.project.resume()
    (row,) = export(desk, tmp_path, "alpaca")
    assert (row["instruction"], row["input"]) == (TASK["instruction"], TASK["input"])
    assert row["output"] == "The Volga, then the Elbe."


def test_every_format_says_the_input(make_desk: Make, tmp_path: Path) -> None:
    desk = make_desk(answer=Models(TASK), **ACCEPTS)
    desk.project.run("instruction", [SEED])
    whole = f"{TASK['instruction']}\n\n{TASK['input']}"
    (row,) = export(desk, tmp_path, "jsonl")
    assert (row["prompt"], row["input"], row["response"]) == (whole, TASK["input"], TASK["response"])
    (row,) = export(desk, tmp_path, "alpaca")
    assert (row["instruction"], row["input"]) == (TASK["instruction"], TASK["input"])
    (row,) = export(desk, tmp_path, "trl-sft")
    assert row["messages"][0] == {"role": "user", "content": whole}
    (row,) = export(desk, tmp_path, "llama-factory-sft")
    assert row["conversations"][0] == {"from": "human", "value": whole}
    (row,) = export(desk, tmp_path, "trl-sft-standard")
    assert row["prompt"] == whole


def test_a_record_comes_back_as_the_same_conversation(make_desk: Make, tmp_path: Path) -> None:
    desk = make_desk(answer=Models(TASK), **ACCEPTS)
    desk.project.run("instruction", [SEED])
    export(desk, tmp_path, "alpaca")
    desk.project.import_("alpaca", tmp_path / "alpaca.jsonl")
    keys = {row["pair_key"] for row in desk.rows("Record")}
    assert len(keys) == 1


def test_seeds_with_an_input_fill_the_same_column(make_desk: Make, tmp_path: Path) -> None:
    desk = make_desk(**ACCEPTS)
    desk.project.run("preference", [SEED])
    (row,) = export(desk, tmp_path, "alpaca")
    assert (row["instruction"], row["input"]) == (SEED["prompt"], SEED["input"])


def test_what_hangs_is_drafted_again_and_kept_under_its_name(make_desk: Make) -> None:
    desk = make_desk(answer=Models(HANGING, TASK), **ACCEPTS)
    desk.project.run("instruction", [SEED])
    assert desk.states() == {"accepted": 1}
    assert [row["kind"] for row in desk.rows("Candidate")] == ["dangling_reference", "draft"]


@pytest.mark.parametrize(
    ("draft", "name"),
    [
        (HANGING, "dangling_reference"),
        ({**HANGING, "input": "[speech]"}, "dangling_reference"),
        (
            {
                "instruction": "Write a new task that is related to the example but clearly different from it.",
                "response": "Here is one.",
            },
            "template_echo",
        ),
    ],
)
def test_what_never_stands_is_rejected_by_name_within_the_bounds(
    make_desk: Make, draft: dict[str, str], name: str
) -> None:
    models = Models(draft)
    desk = make_desk(answer=models, routing={"policy": "never", "max_redrafts": 2})
    desk.project.run("instruction", [SEED])
    (item,) = desk.rows("Item")
    assert (item["state"], item["reason"]) == ("rejected", f"too few usable drafts: 3 {name}"), (
        "drafts of all three rounds"
    )
    assert len(models.of("generator")) == 3
    assert not models.of("critic")


def test_a_template_that_asks_for_no_input_is_held_to_none(make_desk: Make, tmp_path: Path) -> None:
    """As items that were begun before tasks had an input: their replay gives what they had."""
    source = PromptLibrary()["generator.instruction"].source
    before, _, _ = source.rpartition("Reply in JSON")
    (tmp_path / "prompts").mkdir()
    kept = "\n".join(line for line in before.splitlines() if '"input"' not in line)
    text = f'{kept}\nReply in JSON: {{"instruction": "the new task", "response": "its answer"}}\n'
    (tmp_path / "prompts" / "generator.instruction.md").write_text(text)
    desk = make_desk(answer=Models(HANGING), **ACCEPTS, prompts_dir=str(tmp_path / "prompts"))
    desk.project.run("instruction", [SEED])
    assert desk.states() == {"accepted": 1}


def test_a_refusal_is_a_finding_and_mended(make_desk: Make) -> None:
    models = Models({**TASK, "response": "As an AI language model, I cannot sort rivers."})
    desk = make_desk(answer=models, routing={"policy": "always"})
    desk.project.run("instruction", [SEED])
    (critique,) = desk.rows("Critique")
    (finding,) = json.loads(desk.text(critique["text_id"]))
    assert (finding["principle"], finding["severity"]) == (STANDS, "major")
    assert finding["quote"] in models.drafts[0]["response"]
    assert [row["kind"] for row in desk.rows("Candidate")] == ["draft", "revision"]
    assert models.of("generator")[1].block("input") == TASK["input"]


def test_answers_to_given_requests_may_decline(make_desk: Make) -> None:
    models = Models(TASK)
    desk = make_desk(answer=models, routing={"policy": "always"})
    refusal = "I'm sorry, but I can't help with that."
    desk.project.run(
        "preference", [{"prompt": "Pick a lock.", "responses": [{"text": refusal}, {"text": "No."}]}]
    )
    assert {row["worst"] for row in desk.rows("Critique")} == {"none"}


@pytest.mark.parametrize("name", starter_names())
def test_every_starter_has_the_principle(name: str) -> None:
    assert STANDS in load_constitution(name).ids()
