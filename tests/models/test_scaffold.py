"""A model's answer is parted from its thinking and the marks of its template; what speaks about them stays."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from solon.agents.models.lean import Completion, completion_of, part_scaffold
from solon.agents.models.scaffold import Split, read_content, read_reasoning, split

A = "Ask the harbour master."


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        (f"<think>\nwho knows?\n</think>\n\n{A}", "who knows?"),
        (f"who knows?\n</think>\n\n{A}", "who knows?"),
        (f"</think>{A}", ""),
        (f"<think>\n\n</think>\n\n{A}", ""),
        (f"<THINKING>who knows?</THINKING> {A}", "who knows?"),
        (f'<think effort="3">who knows?</think>{A}', "who knows?"),
        (f"<think/>{A}", ""),
        (f"<think>a<think>b</think>c</think>{A}", "a\n\nb\n\nc"),
        (f"<think>I name <think> tags</think>{A}", "I name <think> tags"),
        (f"<think>`</think>` is meant.\n</think>\n{A}", "`</think>` is meant."),
        (f"<think>```py\nx\n</think>\n{A}", "```py\nx"),
        (f"<think>a</think>{A}</think>", "a"),
        (f"<think>a</think><think>b</think>{A}", "a\n\nb"),
        (f"[THINK]who knows?[/THINK]{A}</s>", "who knows?"),
        (f"who knows?[/THINK]{A}", "who knows?"),
        (f"<reasoning>who knows?</reasoning>\n{A}", "who knows?"),
        (f"who knows?\n</thought>\n{A}", "who knows?"),
        (f"<scratchpad>who knows?</scratchpad>{A}", "who knows?"),
        (f"<seed:think>who knows?</seed:think>{A}<seed:eos>", "who knows?"),
        (f"<|begin_of_thought|>who?<|end_of_thought|>\n<|begin_of_solution|>{A}<|end_of_solution|>", "who?"),
        (f"<|START_THINKING|>who?<|END_THINKING|><|START_RESPONSE|>{A}<|END_RESPONSE|>", "who?"),
        (f"<|channel>thought\nwho?<channel|>{A}<turn|>", "who?"),
        (f"<unused94>who?<unused95>{A}", "who?"),
        (f"◁think▷who?◁/think▷{A}", "who?"),
        (
            f"<|channel|>analysis<|message|>who?<|end|><|start|>assistant<|channel|>final<|message|>{A}<|return|>",
            "who?",
        ),
        (f"analysisWho?assistantfinal{A}", "Who?"),
        (f"Here is my thought process:\nwho?\nHere is my response:\n{A}", "who?"),
        (f"<think>who?</think><answer>{A}</answer>", "who?"),
        (f"<|im_start|>assistant\n{A}<|im_end|>", ""),
        (f"<|im_start|>assistant\n<think>who?</think>{A}<|im_end|>\n", "who?"),
        (f"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n{A}", "q"),
        (f"{A}<|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>", "And then?"),
        (f"{A}<|endoftext|>Human: more", "Human: more"),
        (f"<|start_header_id|>assistant<|end_header_id|>\n\n{A}<|eot_id|>", ""),
        (f"<start_of_turn>model\n{A}<end_of_turn>\n<eos>", ""),
        (f"<s> {A}</s>", ""),
        (f"<bos>{A}<eos>", ""),
        (f"[INST] Whom? [/INST] {A}</s>", "Whom?"),
        (f"<|assistant|>\n{A}<|end|>", ""),
        (f"<｜Assistant｜>{A}<｜end▁of▁sentence｜>", ""),
        (f"<|start_of_role|>assistant<|end_of_role|>{A}<|end_of_text|>", ""),
    ],
)
def test_the_answer_alone_is_left(text: str, beside: str) -> None:
    assert split(text) == Split(A, beside)


@pytest.mark.parametrize(
    "text", ["<think>p", "<think>", "[THINK]p", "<|channel|>analysis<|message|>p", "◁think▷"]
)
def test_thinking_without_an_end_is_no_answer(text: str) -> None:
    found = split(text)
    assert (found.text, found.unfinished) == ("", True)


@pytest.mark.parametrize("text", ["<|im_start|>assistant<|im_end|>", "<s></s>", "<think>a</think>", "<eos>"])
def test_scaffold_alone_is_an_empty_answer(text: str) -> None:
    assert (split(text).text, split(text).unfinished) == ("", False)


@pytest.mark.parametrize(
    "text",
    [
        "Write `<think>` first and `</think>` last.",
        "```xml\n<think>\nplan\n</think>\n```\nis what the model writes.",
        "~~~\n<|im_start|>user\n<|im_end|>\n~~~",
        'The text "</think>" ends it.',
        "“<|im_start|>assistant” opens a turn.",
        "„<think>“ heißt denken, «</think>» auch.",
        "'<think>' is one of them.",
        "> <think>plan</think>\n\nis a quotation.",
        "<code><think>x</think></code> shows it.",
        "Was <s>10 €</s> 5 €.",
        "<s>10 €</s> 5 €",
        "Strike it like <s>this</s>",
        "Use <s>, <b> and <i>.",
        "The <|im_end|> token ends a turn.",
        "A turn ends with <|eot_id|>, always.",
        "The tag </think> ends the thinking.",
        "Models think between <think> and </think> first.",
        "<form>\n <reasoning>late</reasoning>\n</form>",
        '{"rationale": "it leaves a <think>x</think> in"}',
        "f <| a |> b, a < b, [1] and list[INST]",
        "  kept as it is, <b>spaces</b> too \n",
    ],
)
def test_what_speaks_about_marks_is_left_as_it_is(text: str) -> None:
    assert split(text) == Split(text)


MARKS = [
    "<think>",
    "</think>",
    "[THINK]",
    "[/THINK]",
    "<s>",
    "</s>",
    "<|im_start|>assistant\n",
    "<|im_end|>",
    "`",
    '"',
]


@given(
    st.lists(st.sampled_from([*MARKS, "plan", "The answer.", "\n", " ", "```\n"]), max_size=14).map("".join)
)
def test_parting_twice_is_parting_once_and_loses_no_word(text: str) -> None:
    found = split(text)
    for word in ("plan", "answer"):
        assert text.count(word) == found.text.count(word) + found.reasoning.count(word)


@given(
    st.text(),
    st.sampled_from(["<think>{}</think>", "[THINK]{}[/THINK]", "<|think|>{}<|/think|>"]),
)
def test_whatever_is_thought_stays_out_of_the_answer(thought: str, form: str) -> None:
    assert split(form.format(thought.translate(str.maketrans("<>[]`", "     "))) + A).text == A


def test_hostile_repetition_takes_time_in_proportion() -> None:
    for piece in (
        "<think>",
        "</think>",
        "<",
        '"<think>',
        "`<s>",
        "```\n",
        "<|",
        "<s></s>",
        "<code>",
        "[INST]",
    ):
        split(piece * 20_000)


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        (None, "", ""),
        ("x", "x", ""),
        ([{"type": "text", "text": "x"}, {"type": "text", "text": "y"}], "xy", ""),
        (["x", {"type": "output_text", "text": "y"}], "xy", ""),
        ({"type": "text", "text": {"value": "x"}}, "x", ""),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "p"}]},
                {"type": "text", "text": "x"},
            ],
            "x",
            "p",
        ),
        ([{"type": "thinking", "thinking": "p", "signature": "s"}, {"type": "text", "text": "x"}], "x", "p"),
        ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "p"}]}, "x"], "x", "p"),
        ([{"type": "reasoning_content", "reasoning_content": {"text": "p"}}, "x"], "x", "p"),
        ({"parts": [{"text": "p", "thought": True}, {"text": "x"}]}, "x", "p"),
        (
            [
                {"type": "redacted_thinking", "data": "zz"},
                {"type": "image_url"},
                {"type": "text", "text": None},
            ],
            "",
            "",
        ),
        ([], "", ""),
    ],
)
def test_parts_are_joined_and_thinking_is_told_apart(content: object, text: str, reasoning: str) -> None:
    assert read_content(content) == (text, reasoning)
    found = completion_of(AIMessage(content=content if isinstance(content, str | list) else ""))
    assert not isinstance(content, str | list) or (found.text, found.reasoning) == (text, reasoning)


@pytest.mark.parametrize("content", [1, [1], {"text": 3}, True, [{"text": [2.5]}]])
def test_content_that_is_no_text_is_refused(content: object) -> None:
    with pytest.raises(TypeError):
        read_content(content)


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "p"},
        {"reasoning": "p", "reasoning_details": [{"type": "reasoning.text", "text": "p"}]},
        {"reasoning": None, "thinking": "p"},
        {"reasoning": {"summary": [{"text": "p"}]}},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "p"}]},
        {"reasoning": 7, "thought": "p"},
    ],
)
def test_thinking_that_a_server_parted_is_kept(message: dict[str, object]) -> None:
    assert read_reasoning(message) == "p"
    assert read_reasoning({"reasoning": "", "content": "x"}) == ""


def test_log_probabilities_begin_with_the_answer() -> None:
    tokens = ["<think>", "hm", "</think>", "\n\n", "B", "."]
    told = [{"token": token, "logprob": -0.1, "top_logprobs": []} for token in tokens]
    whole = Completion("".join(tokens), told, 1, 6, "m", "stop", "r")
    found = part_scaffold(whole)
    assert (found.text, found.reasoning) == ("B.", "hm")
    assert found.logprobs == told[4:]
    assert part_scaffold(dataclasses.replace(whole, text="<think>hm")).finish_reason == "length"
    clean = dataclasses.replace(whole, text="B.")
    assert part_scaffold(clean) is clean
