"""A whole run by a provider's batch API, stopped while a batch is there, and gone on with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from fake_batch_provider import Line, Result, line, providing, say

from solon.agents.models import batches
from solon.agents.models.scripted import ScriptedChat
from solon.graphs.runner import Runner
from solon.project import Project

SEEDS = [f"Explain thing number {i}." for i in range(3)]


def play(requests: list[Line]) -> Result:
    """What the scripted fake says to each request, the last one first."""
    lines = []
    for request in requests[::-1]:
        body = dict(request["body"])
        turns = [(turn["role"], turn["content"]) for turn in body.pop("messages")]
        wanted = {
            key: body[key] for key in ("seed", "temperature", "max_tokens", "response_format") if key in body
        }
        lines.append(line(request, say(ScriptedChat().invoke(turns, **wanted).text)))
    return Result(output=lines)


def test_a_stopped_run_finds_its_batches_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "POLL", 0.005)
    monkeypatch.setattr(batches, "LOOK", 0.005)
    runners: list[Runner] = []
    told: list[str] = []

    def work(number: int, requests: list[Line]) -> Result | None:
        if number == 1 and len(runners) == 1:  # the second step of the first session is never done
            told.append(runners[0].meter.batches)
            if told[-1]:
                runners[0].stop("stopped by Ctrl-C")
            return None
        return play(requests)

    with providing(work) as provider:
        model: dict[str, Any] = {"model": "openai:m", "base_url": provider.base_url, "batch": True}
        model |= {"batch_pause": 0.05, "price": {"input": 1, "output": 1, "batch": 0.5}}
        url = f"sqlite:///{tmp_path}/store.db"
        config = {"models": {"default": model}, "routing": {"policy": "never"}}
        with Project(url, config=config) as project:
            first = project.run("preference", SEEDS, on_runner=runners.append)
        assert (first.queued, first.accepted) == (3, 0)
        assert "stopped by Ctrl-C; batch batch_1 with" in str(first.stopped_because)
        with Project(url, config=config) as project:
            second = project.resume(on_runner=runners.append)
    sent = [request["custom_id"] for requests in provider.requests for request in requests]
    assert second.accepted + second.rejected == 3
    assert len(sent) == len(set(sent)), "nothing was sent, or paid for, twice"
    assert len(sent) == second.model_calls
    assert "batch batch_1 at http://127.0.0.1" in told[-1], "progress says what is waited for"
    assert second.cached_tokens == 60 * len(sent), "told by the fake provider of each answer, and kept"
    assert f" ({second.cached_tokens} from the provider's cache) + " in second.spell_spending()
    assert second.cost == pytest.approx(0.5 * 110e-6 * len(sent))
