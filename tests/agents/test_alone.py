"""Agents that are asked alone: without a store, a run or a graph."""

from __future__ import annotations

import asyncio
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from solon.agents import critic, generator, judge, resolver
from solon.agents.case import Case
from solon.agents.models import scripted
from solon.config import parse_config
from solon.errors import ConfigError, LimitReached, UsageError
from solon.graphs.build import build_graph
from solon.recipes.preference import PREFERENCE

SCRIPTED = {"models": {"default": {"model": "scripted:default"}}}
A, B = "A heron is a large wading bird.", "A bird."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_agent_answers_without_a_store(folder: Path) -> None:
    async def ask_all() -> None:
        async with Case.open(SCRIPTED, prompt="Say what a heron is.") as case:
            assert (await critic.critique(case, A)).worst in critic.SEVERITIES
            pair = await judge.pair(case, A, B)
            assert [verdict.order for verdict in pair] == ["AB", "BA"] * len(case.config.judges)
            assert {verdict.outcome for verdict in pair} <= {"A", "B", "tie"}
            assert {verdict.outcome for verdict in await judge.score(case, A)} <= {"accept", "reject"}
            labels = await judge.label(case, A, ("bird", "fish"))
            assert {verdict.outcome for verdict in labels} <= {"bird", "fish"}
            resolution = await resolver.resolve(case, A, B, for_a="it says more")
            assert resolution.favours or resolution.handed_over
            assert (await generator.draft(case)).ok
            calls = case.caller.meter.finished
            assert await judge.pair(case, A, B) == pair
            assert (case.caller.meter.finished, case.caller.meter.cached) == (calls, len(pair))

    asyncio.run(ask_all())
    assert not list(folder.iterdir())


@pytest.mark.parametrize("gives", [True, False])
def test_a_score_is_the_expectation_where_the_model_gives_log_probabilities(
    monkeypatch: pytest.MonkeyPatch, gives: bool
) -> None:
    asked: list[bool] = []

    def unsure(text: str, probabilities: Any) -> dict[str, Any]:
        """Every score of the fake might as well have been a 2."""
        parts = re.split(r"(?<=: )(\d)", text)
        top = [{"token": name, "logprob": math.log(0.5)} for name in ("2", "")]
        entry = {"logprob": 0.0, "top_logprobs": []}
        asked.append(True)
        return {
            "content": [
                {**entry, "token": part, "top_logprobs": [{**top[0]}, {**top[1], "token": part}]}
                if part.isdigit()
                else {**entry, "token": part}
                for part in parts
            ]
        }

    monkeypatch.setattr(scripted, "_logprobs", unsure)
    model = {"model": "scripted:default", "logprobs": gives}

    async def score() -> list[judge.Verdict]:
        async with Case.open({"models": {"default": model}}, prompt="Say what a heron is.") as case:
            return await judge.score(case, A)

    for verdict in asyncio.run(score()):
        assert verdict.scores is not None
        assert verdict.call is not None
        given = json.loads(verdict.call.text)["scores"]
        wanted = {name: (one + 2) / 2 if gives else one for name, one in given.items()}
        assert verdict.scores == pytest.approx(wanted, abs=1e-3)
        assert verdict.basis == ("expectation" if gives else "json")
        assert (verdict.call.logprobs is not None) == bool(asked) == gives


@pytest.mark.parametrize("kind", ["file", "default", "values", "config"])
def test_a_configuration_is_a_file_values_or_itself(folder: Path, kind: str) -> None:
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    given: Any = {
        "file": folder / "solon.toml",
        "default": None,
        "values": SCRIPTED,
        "config": parse_config(SCRIPTED),
    }[kind]
    case = Case.open(given, prompt="Say what a heron is.", input="birds", reference="a bird")
    assert case.config.models["default"].model == "scripted:default"
    assert (case.prompt, case.input, case.reference) == ("Say what a heron is.", "birds", "a bird")


def test_limits_and_wrong_keys_are_told() -> None:
    async def ask_twice() -> None:
        async with Case.open({**SCRIPTED, "limits": {"calls": 1}}, prompt="Say what a heron is.") as case:
            await critic.critique(case, A)
            await critic.critique(case, B)

    with pytest.raises(LimitReached):
        asyncio.run(ask_twice())
    with pytest.raises(ConfigError, match="unknown key"):
        Case.open({"model": "x"}, prompt="Say what a heron is.")


def test_a_graph_without_an_item_says_what_to_call() -> None:
    graph = build_graph(PREFERENCE).compile()
    with pytest.raises(UsageError, match="was given none") as refused:
        asyncio.run(graph.ainvoke({"item": "1"}))
    assert ".graph(" in refused.value.next_step
