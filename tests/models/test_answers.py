"""The structured answer in a text: the last object that fits, however it is wrapped; and what tools were given."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from solon.agents.models.answers import find_answer, json_values, tool_calls


class Verdict(BaseModel):
    verdict: Literal["A", "B", "tie"]
    rationale: str = ""
    confidence: float = Field(default=0.5, ge=0, le=1)


class Findings(BaseModel):
    findings: list[Verdict] = Field(max_length=3)


class Draft(BaseModel):
    instruction: str
    input: str = ""


B = '{"verdict": "B"}'
QUOTED = json.dumps(B)


@pytest.mark.parametrize(
    "text",
    [
        B,
        f'{{"verdict": "A"}} no, on second thought {B}',
        f'The form is {{"verdict": "A | B | tie"}}. {B}',
        f'{{"verdict": "A"}}\n{B}\n{{"verdict": "neither"}}',
        f'{{"verdict": "A"}} {B} {{"note": "done"}}',
        f"{{not json}} {{ {B}",
        f"```json\n{B}\n```",
        f'He said "yes" {B} and "no"',
        f"[{B}]",
        f'[{{"verdict": "A"}}, {B}]',
        f"[[{B}]]",
        f'{{"answer": {B}}}',
        f'{{"Verdict": [{B}]}}',
        f'{{"name": "Verdict", "arguments": {B}}}',
        f'{{"name": "Verdict", "arguments": {QUOTED}}}',
        f'{{"name": "Verdict", "parameters": {B}}}',
        f'{{"type": "tool_use", "id": "t", "name": "Verdict", "input": {B}}}',
        f'{{"type": "function", "function": {{"name": "Verdict", "arguments": {QUOTED}}}}}',
        f'{{"tool_calls": [{{"function": {{"name": "Verdict", "arguments": {QUOTED}}}}}]}}',
        f'[TOOL_CALLS] [{{"name": "Verdict", "arguments": {B}}}]',
        f'<tool_call>\n{{"name": "Verdict", "arguments": {B}}}\n</tool_call>',
        f'{{"role": "assistant", "content": {QUOTED}}}',
        QUOTED,
        json.dumps(QUOTED),
        f"The answer: {QUOTED}",
        QUOTED[1:-1],
        '"\\n  {\\"verdict\\": \\"B\\"}"',
        '\ufeff{"verdict": "B"}',
        '{"verdict": "B", "rationale": "it says {\\"verdict\\": \\"A\\"}"}',
        '{"verdict": "B", "rationale": "two\nlines"}',
        '{"verdict": "B", "more": {"verdict": "A"}}',
        f'{"9" * 5000} {{"n": {"9" * 5000}}} {B}',
        f'{{"thought": "A at first {{", "answer": {B}}}',
        f'{{"name": "Verdict", "errors": [], "output": {B}}}',
        f'{{"thought": "r", "answer": {QUOTED}}}',
        f'{{"type": "json", "value": {{"result": [{B}]}}}}',
        '{"a": {"b": ' * 300 + B,
        '{"code": "x' * 150 + " and then" + chr(10) + B,
    ],
)
def test_the_last_object_that_fits_is_the_answer(text: str) -> None:
    parsed, problem = find_answer(text, Verdict)
    assert parsed is not None, problem
    assert (parsed.verdict, problem) == ("B", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        ("A", "no JSON object"),
        ("[]", "no JSON object"),
        ('{"verdict": "B"', "no JSON object"),
        ('{"verdict": "maybe"}', "verdict: Input should be"),
        ('{"verdict": "x"} {"verdict": "B", "confidence": NaN} ', "confidence"),
        ('{"rationale": "{\\"verdict\\": \\"B\\"}"}', "verdict: Field required"),
        ('{"verdict": "neither", "example": {"verdict": "B"}}', "verdict: Input should be"),
        ('{"first": {"verdict": "A"}, "second": {"verdict": "B"}}', "verdict: Field required"),
        ('{"a":{"b":{"c":{"d":{"e":{"f":{"verdict":"B"}}}}}}}', "verdict: Field required"),
    ],
)
def test_what_does_not_fit_is_told(text: str, problem: str) -> None:
    parsed, told = find_answer(text, Verdict)
    assert parsed is None
    assert problem in told


def test_fields_that_hold_json_as_text_are_read() -> None:
    parsed, _ = find_answer(json.dumps({"findings": f"[{B}]"}), Findings)
    assert parsed == Findings(findings=[Verdict(verdict="B")])
    assert find_answer('{"findings": "[{"}', Findings)[0] is None


def test_a_field_of_ours_with_the_name_of_a_wrapping() -> None:
    own = {"instruction": "Do it.", "input": '{"instruction": "Do another."}'}
    assert find_answer(json.dumps(own), Draft)[0] == Draft(**own)
    assert find_answer(json.dumps({"name": "Draft", "input": own}), Draft)[0] == Draft(**own)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"verdict":' + "[" * 100_000 + "]" * 100_000 + "}",
        "{" * 500_000,
        '"{' * 300_000,
        '{"a":"' * 200_000,
        '{"a": ' * 900 + '"' + "x" * 1_000_000,
        '{"a":\t' * 900 + " " * 1_000_000,
        '{"a' * 300_000,
        "{}," * 1_000_000,
        "".join("{" + "\\" * n + '"' for n in range(1, 2_000)),
    ],
    ids=[
        *("open", "closed", "inner", "braces", "quotes", "texts", "unterminated", "blanks"),
        *("broken", "empty", "escapes"),
    ],
)
def test_hostile_nesting_is_a_bad_answer_in_bounded_work(text: str) -> None:
    assert find_answer(text, Verdict)[0] is None


@given(st.text(alphabet='{}[]":,\\ aAn\n1', max_size=80))
def test_any_text_can_be_searched(text: str) -> None:
    assert all(isinstance(value, dict | str) for value in json_values(text))
    find_answer(text, Verdict)
    parsed, _ = find_answer(text + "\n" + B, Verdict)
    assert parsed is not None or '"' in text or "{" in text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({}, ""),
        ({"tool_calls": None, "function_call": None, "content": "x"}, ""),
        ({"tool_calls": [{"function": {"name": "V", "arguments": B}}]}, B),
        ({"tool_calls": [{"function": {"name": "V", "arguments": json.loads(B)}}]}, B),
        ({"tool_calls": [{"name": "V", "args": json.loads(B)}]}, B),
        ({"invalid_tool_calls": [{"name": "V", "args": B, "error": "e"}]}, B),
        ({"function_call": {"name": "V", "arguments": B}}, B),
        (
            {"content": [{"type": "text", "text": "t"}, {"type": "tool_use", "input": json.loads(B)}]},
            f"\n{B}",
        ),
        ({"tool_calls": [None, 7, "x", {}, {"function": None}, {"function": {"arguments": 7}}]}, "\n\n"),
        ({"tool_calls": {"function": {"arguments": B}}}, ""),
    ],
)
def test_what_tools_were_called_with(message: dict[str, Any], text: str) -> None:
    assert tool_calls(message) == text
