"""The fake that ships: deterministic, valid, different where it should be, failing where it is told to."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from solon.agents.models.capabilities import Capabilities, capabilities_of
from solon.agents.models.logprobs import label_shares
from solon.agents.models.scripted import ScriptedChat, make_scripted
from solon.agents.models.scripted_rules import Rule, Script
from solon.agents.models.structured import Reply, ask, response_format
from solon.config import Config
from solon.config.sections import ModelConfig
from solon.errors import BadOutput, ConfigError, ModelRefused, ModelUnavailable, TooLong

CAPABLE = Capabilities(json_schema=True, logprobs=True, context=None, default_concurrency=4)
PERSONAS = [judge.persona for judge in Config().judges]


class Finding(BaseModel):
    principle: str
    quote: str = Field(max_length=2000)
    severity: Literal["minor", "major", "fatal"]


class Findings(BaseModel):
    findings: list[Finding] = Field(max_length=3)


class PairVerdict(BaseModel):
    rationale: str = Field("", max_length=40)
    verdict: Literal["A", "B", "tie"]
    confidence: float = Field(0.5, ge=0, le=1)


class Points(BaseModel):
    clear: Literal[1, 2, 3, 4, 5]
    true: int = Field(ge=1, le=5)


class Scores(BaseModel):
    scores: Points
    extra: dict[str, float]
    maybe: str | None


class Resolution(BaseModel):
    cites: list[str] = Field(max_length=8)
    verdict: Literal["A", "B", "hand_over"]


def pair(a: str, b: str, persona: str = PERSONAS[0]) -> list[Any]:
    system = f"You judge which of two answers is better. You are {persona}.\n[honest] Be honest.\n[safe] Do no harm."
    blocks = (("request", "how?"), ("Answer A", a), ("Answer B", b))
    user = "\n".join(f"[{label} m7]\n{text}\n[end of {label} m7]" for label, text in blocks) + "\nA or B?"
    return [SystemMessage(system), HumanMessage(user)]


def get(chat: ScriptedChat, messages: list[Any] | str, **kwargs: Any) -> Reply:
    if isinstance(messages, str):
        messages = [HumanMessage(messages)]
    return asyncio.run(ask(chat, CAPABLE, messages, **{"max_tokens": 200, **kwargs}))


def prefers_a(chat: ScriptedChat, a: str, b: str, persona: str = PERSONAS[0]) -> float:
    found = label_shares(get(chat, pair(a, b, persona), max_tokens=1, logprobs=True).logprobs)
    assert found is not None
    return found.shares["A"]


def test_the_same_call_gives_the_same_answer_everywhere() -> None:
    code = (
        "import asyncio\nfrom langchain_core.messages import HumanMessage\n"
        "from solon.agents.models.scripted import ScriptedChat\n"
        "print(asyncio.run(ScriptedChat().ainvoke([HumanMessage('tell me about gardens')], seed=5)).content)"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert get(ScriptedChat(), "tell me about gardens", seed=5, max_tokens=512).text
    here = asyncio.run(ScriptedChat().ainvoke([HumanMessage("tell me about gardens")], seed=5)).content
    assert elsewhere.strip() == here


def test_seeds_temperatures_prompts_and_samples_make_a_difference() -> None:
    chat = ScriptedChat()
    texts = [get(chat, "tell me about gardens", seed=seed).text for seed in range(20)]
    texts += [
        get(chat, "tell me about gardens", seed=0, temperature=1.0).text,
        get(chat, "of seas", seed=0).text,
    ]
    texts += [get(chat, "tell me about gardens").text for _ in range(3)]
    assert len(set(texts)) == len(texts)
    result = asyncio.run(chat.agenerate([[HumanMessage("gardens")]], n=4, seed=1))
    assert len({generation.text for generation in result.generations[0]}) == 4


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), schema=st.sampled_from([Findings, PairVerdict, Scores, Resolution]))
def test_structured_answers_are_valid(seed: int, schema: type[BaseModel]) -> None:
    reply = get(ScriptedChat(), pair("one", "two"), schema=schema, seed=seed, max_tokens=400)
    assert reply.attempts == 1
    assert reply.parsed is not None


def test_structured_answers_make_sense() -> None:
    answer = "Water boils at a hundred degrees at sea level, and lower on a mountain."
    messages = [
        SystemMessage("You are a critic.\n[honest] Be honest.\n[safe] Do no harm."),
        HumanMessage(f"[answer m7]\n{answer}\n[end of answer m7]"),
    ]
    seen: Counter[str] = Counter()
    for seed in range(60):
        parsed = get(ScriptedChat(), messages, schema=Findings, seed=seed, max_tokens=800).parsed
        assert isinstance(parsed, Findings)
        for finding in parsed.findings:
            assert finding.principle in ("honest", "safe")
            assert finding.quote in answer
            seen[finding.severity] += 1
    assert seen["minor"] > seen["major"] > seen["fatal"]
    resolved = get(ScriptedChat(), pair("one", "two"), schema=Resolution).parsed
    assert isinstance(resolved, Resolution)
    assert set(resolved.cites) <= {"honest", "safe"}


def test_judges_hold_their_verdict_under_a_swap_and_mostly_agree() -> None:
    chat = ScriptedChat()
    agree = 0
    for number in range(60):
        a, b = f"answer {number}", f"reply {number}"
        mine, swapped = prefers_a(chat, a, b), prefers_a(chat, b, a)
        assert mine == pytest.approx(1 - swapped, abs=1e-4)
        agree += (mine > 0.5) == (prefers_a(chat, a, b, PERSONAS[1]) > 0.5)
        in_words = get(chat, pair(a, b), schema=PairVerdict).parsed
        assert isinstance(in_words, PairVerdict)
        assert in_words.verdict == ("A" if mine > 0.5 else "B") or abs(mine - 0.5) < 0.031
    assert 45 <= agree < 60


def test_split_makes_the_default_judges_disagree_every_time() -> None:
    chat = make_scripted(ModelConfig(model="scripted:split"))
    for number in range(30):
        a, b = f"answer {number}", f"reply {number}"
        first, second = prefers_a(chat, a, b), prefers_a(chat, a, b, PERSONAS[1])
        assert (first > 0.5) != (second > 0.5)
        assert first == pytest.approx(1 - prefers_a(chat, b, a), abs=1e-4)


def test_rules_are_tried_in_order(tmp_path: Path) -> None:
    script = {
        "rules": [
            {"role": "judge", "prompt": r"color of (?P<thing>\w+)", "answer": "the $thing, said the $role"},
            {"schema": "PairVerdict", "answer": {"verdict": "tie", "confidence": 0.5, "rationale": "equal"}},
            {"prompt": "which", "probabilities": {"A": 0.3, "B": 0.7}},
            {"prompt": "story", "answer": ["one", "two"]},
        ],
        "otherwise": "refuse",
    }
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(script))
    chat = make_scripted(ModelConfig(model=f"scripted:{file}"))
    assert get(chat, "the color of grass", role="judge").text == "the grass, said the judge"
    assert get(chat, "x", schema=PairVerdict).parsed == PairVerdict(verdict="tie", rationale="equal")
    reply = get(chat, "which", max_tokens=1, logprobs=True)
    assert reply.text == "B"
    found = label_shares(reply.logprobs)
    assert found is not None
    assert found.shares == pytest.approx({"A": 0.3, "B": 0.7}, abs=1e-5)
    assert {get(chat, "a story", seed=seed).text for seed in range(20)} == {"one", "two"}
    with pytest.raises(ModelRefused, match="no rule"):
        get(chat, "the color of grass", role="critic")
    assert chat.calls_by_role == {"judge": 1, "": 22, "critic": 1}
    assert chat.calls == 24


@pytest.mark.parametrize(
    ("fail", "expected"),
    [
        ("timeout", ModelUnavailable),
        ("unavailable", ModelUnavailable),
        ("rate_limit", ModelUnavailable),
        ("refused", ModelRefused),
        ("too_long", TooLong),
        ("garbage", BadOutput),
        ("empty", BadOutput),
        ("cut", BadOutput),
    ],
)
def test_every_way_to_fail(fail: Any, expected: type[Exception]) -> None:
    chat = ScriptedChat(script=Script(rules=(Rule(fail=fail),)))
    with pytest.raises(expected):
        get(chat, "x", schema=PairVerdict)
    once = ScriptedChat(script=Script(rules=(Rule(fail=fail, times=1),)))
    if expected is BadOutput and fail != "cut":  # a cut answer would run out of room again
        assert get(once, "x", schema=PairVerdict).attempts == 2
    else:
        with pytest.raises(expected):
            get(once, "x", schema=PairVerdict)
        assert get(once, "x", schema=PairVerdict).attempts == 1


def test_rates_hit_the_same_calls_each_time_and_spare_the_repetition() -> None:
    def outcomes() -> list[bool]:
        chat = make_scripted(
            ModelConfig(model="scripted:default", options={"rates": {"timeout": 0.2, "refused": 0.1}})
        )
        failed = []
        for number in range(200):
            try:
                get(chat, f"question {number}", seed=1)
                failed.append(False)
            except (ModelUnavailable, ModelRefused):
                failed.append(True)
        again = sum(not _fails(chat, f"question {number}") for number, bad in enumerate(failed) if bad)
        assert again > 0
        return failed

    first = outcomes()
    assert first == outcomes()
    assert 35 <= sum(first) <= 85


def _fails(chat: ScriptedChat, prompt: str) -> bool:
    try:
        get(chat, prompt, seed=1)
    except (ModelUnavailable, ModelRefused):
        return True
    return False


def test_latency_runs_in_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ScriptedChat(script=Script(latency=0.1))
    waited: list[float] = []

    async def many() -> None:
        together = asyncio.Barrier(20)

        async def wait(seconds: float) -> None:
            waited.append(seconds)
            await together.wait()  # nobody goes on before all twenty wait at once

        monkeypatch.setattr("solon.agents.models.scripted.asyncio.sleep", wait)
        async with asyncio.timeout(30):
            await asyncio.gather(*(chat.ainvoke([HumanMessage(str(number))]) for number in range(20)))

    asyncio.run(many())
    assert waited == [0.1] * 20


def test_the_log_counts_calls_across_processes(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    chat = make_scripted(ModelConfig(model="scripted:default", options={"log": str(log)}))
    get(chat, "x", role="judge")
    code = (
        "import asyncio, sys\nfrom langchain_core.messages import HumanMessage\n"
        "from solon.agents.models.scripted import ScriptedChat\n"
        "from solon.agents.models.scripted_rules import Script\n"
        "asyncio.run(ScriptedChat(script=Script(log=sys.argv[1])).ainvoke([HumanMessage('x')]))"
    )
    subprocess.run([sys.executable, "-c", code, str(log)], check=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["role"] for line in lines] == ["judge", ""]
    assert len({line["pid"] for line in lines}) == 2


def test_a_callable_answers_first() -> None:
    chat = ScriptedChat(
        respond=lambda q: {"verdict": "A"} if q.schema_name else (None if q.role else "plain")
    )
    assert get(chat, "x", schema=PairVerdict).parsed == PairVerdict(verdict="A")
    assert get(chat, "x").text == "plain"
    assert "plain" not in get(chat, "x", role="critic").text


def test_stop_and_length_and_usage() -> None:
    chat = ScriptedChat(respond=lambda q: "one. two. three.")
    assert get(chat, "x", stop=[" two"]).text == "one."
    cut = get(chat, "x" * 40, max_tokens=1)
    assert (cut.text, cut.finish_reason) == ("one.", "length")
    assert cut.input_tokens == 11


def test_it_streams_and_works_synchronously() -> None:
    chat = ScriptedChat(respond=lambda q: "one two three")

    async def scene() -> str:
        return "".join([str(chunk.content) async for chunk in chat.astream("x")])

    assert asyncio.run(scene()) == "one two three"
    answer = chat.invoke("x")
    assert isinstance(answer, AIMessage)
    assert answer.content == "one two three"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("3", "object or a list"),
        ('{"rules": [{"prompt": "("}]}', "regular expression"),
        ('{"rules": [{"anser": "x"}]}', "rules.0.anser"),
        ('{"rules": [{"answer": "x", "fail": "timeout"}]}', "at most one"),
        ('{"rates": {"explode": 1}}', "rates"),
    ],
)
def test_a_bad_script_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "rules.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=words) as caught:
        make_scripted(ModelConfig(model=f"scripted:{file}"))
    assert str(file) in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        make_scripted(ModelConfig(model="scripted:/nowhere/rules.json"))


def test_it_says_that_it_is_a_fake() -> None:
    assert "fake" in (ScriptedChat.__doc__ or "")
    assert ScriptedChat()._llm_type == "solon-scripted-fake"
    assert capabilities_of(ModelConfig(model="scripted:default")).json_schema
    assert response_format(PairVerdict)["type"] == "json_schema"
