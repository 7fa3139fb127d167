"""What a model thinks stays in the lineage: no reviewer, judge or export sees it, and forgetting erases it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import Project
from solon.store.tables import calls, candidates, texts

Cli = Callable[..., Any]
PLAN = "a quagga in the attic"


def think(folder: Path, *rules: dict[str, Any], more: str = "") -> None:
    (folder / "thinks.json").write_text(json.dumps({"rules": list(rules)}))
    (folder / "solon.toml").write_text(f'[models.default]\nmodel = "scripted:thinks.json"\n{more}')


def count_plans() -> int:
    """How many texts of the store hold what was thought."""
    with Project() as project, project.store.connect() as connection:
        bodies = connection.execute(select(texts.c.body).where(texts.c.body.is_not(None)))
        return sum(PLAN in body for body in bodies.scalars())


@pytest.fixture
def thinking(folder: Path) -> None:
    answer = f"<|im_start|>assistant\n<think>{PLAN}</think>\nWritten at $temperature.<|im_end|>"
    critic = f'{PLAN}</think>{{"findings": []}}'
    think(folder, {"role": "generator", "answer": answer}, {"role": "critic", "answer": critic})


@pytest.mark.usefixtures("thinking")
def test_thinking_is_in_the_lineage_alone(solon: Cli, five_seeds: Path, folder: Path) -> None:
    toml = folder / "solon.toml"
    toml.write_text(f'{toml.read_text()}[routing]\npolicy = "always"\n')
    assert solon("run", "preference", "--seeds", five_seeds).code == 3
    review = solon("review", "list", "--json").json["reviews"][0]["id"]
    assert PLAN not in solon("review", "show", review, "--json").out
    solon("review", "decide", review, "--choice", "prefer_A")
    with Project() as project, project.store.connect() as connection:
        bodies = connection.execute(select(texts.c.body).join(candidates, candidates.c.text_id == texts.c.id))
        assert {body.split(" at ")[0] for body in bodies.scalars()} == {"Written"}
        prompts = connection.execute(select(texts.c.body).join(calls, calls.c.prompt_id == texts.c.id))
        assert not [body for body in prompts.scalars() if body and (PLAN in body or "im_start" in body)]
    told = solon("show", review, "--json").json
    assert {call["reasoning"] for call in told["calls"] if call["role"] in ("generator", "critic")} == {PLAN}
    assert {call["reasoning"] for call in told["calls"] if call["role"] == "judge"} == {None}
    assert f"reasoning: {PLAN}" in solon("show", review).out
    for format_ in ("jsonl", "trl-preference"):
        assert solon("export", "--format", format_, "-o", f"{format_}.out").code == 0
    assert not [file for file in folder.glob("*.out") if PLAN in file.read_text()]


@pytest.mark.usefixtures("thinking")
def test_forgetting_erases_thinking_to_the_last_byte(solon: Cli, five_seeds: Path, folder: Path) -> None:
    assert solon("run", "preference", "--seeds", five_seeds).code in (0, 3)
    assert count_plans() > 0
    found = solon("forget", "--match", "QUAGGA in the", "--yes", "--json")
    assert found.code == 0, found.err
    assert len(found.json["seeds"]) == 5
    assert count_plans() == 0
    assert not [file for file in folder.glob("solon*") if PLAN.encode() in file.read_bytes()]


def test_a_run_whose_drafts_all_run_out_of_room_stops_early(
    solon: Cli, write_seeds: Callable[..., Path], folder: Path
) -> None:
    think(
        folder,
        {"role": "generator", "answer": f"<think>{PLAN}", "finish_reason": "length"},
        more="[run]\nconcurrency = 2\n",
    )
    seeds = write_seeds(*({"id": f"s{i}", "prompt": f"Name river {i}."} for i in range(60)))
    told = solon("run", "preference", "--seeds", seeds)
    told.fails(1, "max_tokens", "reasoning")
    (status,) = solon("status", "--json").json["runs"]
    assert status["queued"] >= 45
    assert status["parked"] + status["queued"] == 60
    assert status["accepted"] + status["rejected"] == 0


def test_one_draft_that_ran_out_of_room_is_drafted_again(solon: Cli, five_seeds: Path, folder: Path) -> None:
    think(folder, {"role": "generator", "answer": f"<think>{PLAN}", "finish_reason": "length", "times": 1})
    told = solon("run", "preference", "--seeds", five_seeds, "--json")
    assert told.json["failed"] == 0
    assert told.json["accepted"] + told.json["pending_review"] == 5


@pytest.mark.parametrize(
    ("rule", "calls"),
    [
        ({"answer": "Half an", "finish_reason": "content_filter"}, 2),
        ({"answer": "", "finish_reason": "refusal"}, 2),
        ({"answer": " "}, 4),
    ],
    ids=["filtered", "refused", "empty"],
)
def test_a_model_that_gives_nothing_stops_the_run_early(
    rule: dict[str, Any], calls: int, solon: Cli, write_seeds: Callable[..., Path], folder: Path
) -> None:
    think(folder, {"role": "generator", **rule}, more="[run]\nconcurrency = 1\n")
    one = solon("run", "preference", "--seeds", write_seeds({"prompt": "Name a river."}), "--json")
    assert (one.code, one.json["rejected"], one.json["model_calls"]) == (1, 1, calls)
    seeds = write_seeds(*({"id": f"s{i}", "prompt": f"Name river {i}."} for i in range(30)))
    solon("run", "preference", "--seeds", seeds).fails(1, "one item after the other has no draft")
    (status,) = (run for run in solon("status", "--json").json["runs"] if run["items"] == 30)
    assert (status["rejected"], status["queued"]) == (8, 22)


def test_items_that_a_provider_withholds_do_not_end_a_run_that_makes_others(
    solon: Cli, write_seeds: Callable[..., Path], folder: Path
) -> None:
    rule = {"role": "generator", "prompt": "bomb", "answer": "", "finish_reason": "content_filter"}
    think(folder, rule, more='[run]\nconcurrency = 1\n[routing]\npolicy = "never"\n')
    prompts = ["A bomb?" if i % 4 else f"River {i}?" for i in range(1, 13)]
    seeds = write_seeds(*({"id": f"s{i}", "prompt": prompt} for i, prompt in enumerate(prompts)))
    told = solon("run", "preference", "--seeds", seeds, "--json")
    assert (told.code, told.json["rejected"], told.json["accepted"]) == (0, 9, 3)
