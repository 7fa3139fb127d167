"""Servers that do not tell what an answer took, or tell it in words of their own: limits hold all the same, and what is
estimated says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_openai_server import completion, serving
from hypothesis import given
from hypothesis import strategies as st

from solon.agents.models.tokens import read_cached, read_count, read_usage
from solon.project import Project
from solon.workspace.views import RunSummary


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3}, (7, 3)),
        ({"prompt_tokens": "7", "completion_tokens": " 3 "}, (7, 3)),
        ({"prompt_tokens": 7.0, "completion_tokens": 2.5}, (7, 3)),
        ({"input_tokens": 7, "output_tokens": 3}, (7, 3)),
        ({"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 90}, (97, 3)),
        ({"promptTokenCount": 7, "candidatesTokenCount": 3}, (7, 3)),
        ({"prompt_tokens": 7, "total_tokens": 10}, (7, 3)),
        ({"completion_tokens": 3, "total_tokens": 10}, (7, 3)),
        ({"total_tokens": 10}, (None, None)),
        ({"prompt_tokens": 7}, (7, None)),
        ({"prompt_tokens": 7, "completion_tokens": None}, (7, None)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (None, 0)),
        ({"prompt_tokens": -7, "completion_tokens": -1}, (None, None)),
        ({"prompt_tokens": True, "completion_tokens": False}, (None, None)),
        ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, (None, None)),
        ({"prompt_tokens": "n/a", "completion_tokens": "5"}, (None, 5)),
        ({"prompt_tokens": 10**40, "completion_tokens": "9" * 5000}, (None, None)),
        ({"prompt_tokens": [7], "completion_tokens": {"n": 3}}, (None, None)),
        ({"prompt_tokens": 9, "total_tokens": 3}, (9, None)),
        ({}, (None, None)),
        (None, (None, None)),
        ("7 tokens", (None, None)),
        ([7, 3], (None, None)),
        (12, (None, None)),
    ],
)
def test_what_is_a_number_of_tokens(usage: Any, told: tuple[int | None, int | None]) -> None:
    assert read_usage(usage) == told


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(_ANY, _ANY, _ANY)
def test_no_usage_whatever_is_an_error(prompt: Any, answer: Any, total: Any) -> None:
    told = read_usage({"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": total})
    assert all(number is None or 0 <= number < 2**31 for number in told)
    assert read_count(prompt) is None or read_count(prompt) >= 0  # type: ignore[operator]


def run(
    folder: Path, usage: Any, *, price: bool = True, sessions: int = 1, **limits: Any
) -> tuple[RunSummary, int]:
    """A run of eight seeds on a server that tells this usage; the last summary and the requests sent."""

    async def handler(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if "response_format" in body:
            wanted = body["response_format"]["json_schema"]["schema"]["properties"]
            text = (
                '{"findings": []}'
                if "findings" in wanted
                else '{"verdict": "A", "rationale": "", "confidence": 1}'
            )
        else:
            text = f"Draft {len(server.requests)}"
        answer = completion(text)
        answer.pop("usage")
        return web.json_response(answer if usage is None else {**answer, "usage": usage})

    async def work() -> RunSummary:
        nonlocal server
        async with serving(handler) as server:
            model: dict[str, Any] = {"model": "openai:m", "base_url": server.base_url, "concurrency": 2}
            if price:
                model["price"] = {"input": 1e6, "output": 1e6, "currency": "EUR"}
            config = {
                "models": {"default": model},
                "routing": {"policy": "never", "audit_share": 0},
                "run": {"concurrency": 2},
                "limits": limits,
            }
            with Project(f"sqlite:///{folder / 'store.db'}", config=config) as project:
                for _ in range(sessions):
                    summary = await project.arun("preference", [f"Question {n}?" for n in range(8)])
        return summary

    server: Any = None
    return asyncio.run(work()), len(server.requests)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "n/a",
        {"prompt_tokens": "n/a", "completion_tokens": "5"},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"completion_tokens": 1},
        {"prompt_tokens": -3, "completion_tokens": 2.5},
    ],
)
@pytest.mark.parametrize("limit", [{"tokens": 3000}, {"cost": 3000.0}])
def test_a_limit_holds_where_nothing_is_told(tmp_path: Path, usage: Any, limit: dict[str, Any]) -> None:
    """Over two sessions: what the first estimated counts in the second."""
    summary, sent = run(tmp_path, usage, sessions=2, **limit)
    assert "reached" in (summary.stopped_because or "")
    assert 3000 <= summary.tokens < 3000 + 4 * 1500
    assert sent == summary.model_calls == summary.usage_not_told
    assert summary.cost == pytest.approx(summary.tokens)
    assert summary.queued


def test_the_summary_says_what_is_estimated_and_why(tmp_path: Path) -> None:
    summary, _ = run(tmp_path, None)
    assert "usage not told" in summary.spell_spending()
    assert "no price" not in summary.spell_spending()
    (tmp_path / "other").mkdir()
    told, _ = run(tmp_path / "other", {"prompt_tokens": 7, "completion_tokens": 3}, price=False)
    assert told.usage_not_told == 0
    assert "no price" in told.spell_spending()


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 60}}, 60),
        ({"input_tokens": 100, "input_token_details": {"cache_read": 60}}, 60),
        ({"input_tokens": 40, "cache_read_input_tokens": 60}, 60),
        ({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": "many"}}, 0),
        ({"prompt_tokens": 100, "prompt_tokens_details": None}, 0),
        (None, 0),
    ],
)
def test_tokens_that_a_provider_read_from_its_cache(usage: Any, cached: int) -> None:
    assert read_cached(usage) == cached
