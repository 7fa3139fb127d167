"""Traces of OpenTelemetry, Langfuse and LangSmith: what they become, and that nothing of them vanishes."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.config import Config
from solon.formats.imported import Imported, Skipped
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import RowProblem
from solon.formats.traces import trace_formats
from tests.exchange.reading import read_import

Rows = list[dict[str, Any]]
Cli = Callable[..., tuple[int, str, str]]
CALL = {"id": "c1", "type": "function", "function": {"name": "rain", "arguments": '{"city": "Rome"}'}}
SPOKEN = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Rain in Rome?\n[image left out]"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": '{"rain": false}', "tool_call_id": "c1"},
]
"""What every trace below asks, as a seed has it; each has an image beside the request, too."""


def read(
    name: str, rows: Rows, thumbs: tuple[str, ...] = ()
) -> tuple[list[Imported], Counter[str], list[str]]:
    """Seeds, what was passed over by reason, and why rows were refused."""
    form = trace_formats(thumbs)[name]
    seeds, skipped, refused = [], Counter[str](), []
    for raw in form.gather(iter(list(enumerate(json.loads(json.dumps(rows)), 1)))):
        if isinstance(raw, BadRow):
            refused.append(raw.reason)
            continue
        try:
            for one in form.read(raw[1]):
                if isinstance(one, Skipped):
                    skipped[one.reason] += 1
                else:
                    seeds.append(one)
        except RowProblem as problem:
            refused.append(str(problem))
    return seeds, skipped, refused


def votes(seed: Imported) -> list[tuple[str, str]]:
    return [(one["judge"], one["verdict"]) for one in seed.seed["verdicts"]]


# OpenTelemetry


def otlp(value: Any) -> dict[str, Any]:
    """A value as OTLP's AnyValue."""
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [otlp(one) for one in value]}}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def pairs(values: dict[str, Any]) -> Rows:
    return [{"key": key, "value": otlp(value)} for key, value in values.items()]


def span(own: str, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"traceId": "t", "spanId": own, "name": own, "attributes": pairs(attributes), **more}


def spans(*found: dict[str, Any], schema: str = "1.44.0") -> dict[str, Any]:
    scope = {"spans": list(found), "schemaUrl": f"https://opentelemetry.io/schemas/{schema}"}
    return {
        "resourceSpans": [
            {"resource": {"attributes": pairs({"service.name": "shop"})}, "scopeSpans": [scope]}
        ]
    }


def logs(*found: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(found)}]}]}


def log(own: str, name: str, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"traceId": "t", "spanId": own, "eventName": name, "attributes": pairs(attributes), **more}


ASKED = [
    {"role": "user", "parts": [{"type": "text", "content": "Rain in Rome?"},
                               {"type": "uri", "modality": "image", "uri": "https://example.org/a.png"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "rain", "arguments": {"city": "Rome"}}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"rain": False}}]},
]  # fmt: skip
SAID = [
    {"role": "assistant", "finish_reason": "stop",
     "parts": [{"type": "reasoning", "content": "Look."}, {"type": "text", "content": "No."}]},
]  # fmt: skip
INSTRUCTIONS = [{"type": "text", "content": "Be brief."}]
GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.response.model": "m-1",
    "gen_ai.response.id": "r",
    "gen_ai.system_instructions": json.dumps(INSTRUCTIONS),
    "gen_ai.input.messages": json.dumps(ASKED),
    "gen_ai.output.messages": json.dumps(SAID),
}
FLAT = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m-1",
    "input.value": "raw",
    **{f"llm.input_messages.{place}.message.{key}": value for place, key, value in (
        (0, "role", "system"), (0, "content", "Be brief."), (1, "role", "user"),
        (1, "contents.0.message_content.type", "text"), (1, "contents.0.message_content.text", "Rain in Rome?"),
        (1, "contents.1.message_content.type", "image"),
        (1, "contents.1.message_content.image.image.url", "data:image/png;base64,AA"),
        (2, "role", "assistant"), (2, "tool_calls.0.tool_call.id", "c1"),
        (2, "tool_calls.0.tool_call.function.name", "rain"),
        (2, "tool_calls.0.tool_call.function.arguments", '{"city": "Rome"}'),
        (3, "role", "tool"), (3, "content", '{"rain": false}'), (3, "tool_call_id", "c1"))},
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "No.",
}  # fmt: skip
DETAILS = {
    "gen_ai.request.model": "m-1",
    "gen_ai.system_instructions": INSTRUCTIONS,
    "gen_ai.input.messages": [{**ASKED[0]}, ASKED[1], {**ASKED[2], "parts": [
        {"type": "tool_call_response", "id": "c1", "response": '{"rain": false}'}]}],
    "gen_ai.output.messages": SAID,
}  # fmt: skip
OLD = (
    ("gen_ai.system.message", {"content": "Be brief."}),
    ("gen_ai.user.message", {"content": [{"type": "text", "text": "Rain in Rome?"}, {"type": "image_url"}]}),
    ("gen_ai.assistant.message", {"tool_calls": [CALL]}),
    ("gen_ai.tool.message", {"content": '{"rain": false}', "id": "c1"}),
    ("gen_ai.choice", {"finish_reason": "stop", "message": {"role": "assistant", "content": "No."}}),
)
OTEL = {
    "attributes of GenAI": [spans(span("s", GENAI))],
    "attributes of OpenInference": [spans(span("s", FLAT))],
    "an event with the details": [logs(log("s", "gen_ai.client.inference.operation.details", DETAILS))],
    "events of each message": [
        logs(*(log("s", name, {}, body=otlp(body)) for name, body in OLD)),
        spans(span("s", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"})),
    ],
}


@pytest.mark.parametrize("rows", OTEL.values(), ids=OTEL)
def test_a_call_in_otlp_is_a_seed_with_its_tool_turns(rows: Rows) -> None:
    [found], skipped, refused = read("otel", rows)
    assert found.seed["messages"] == SPOKEN
    assert [one["text"] for one in found.seed["responses"]] == ["No."]
    assert "m-1" in (found.seed["responses"][0].get("model"), json.dumps(found.metadata))
    assert (skipped, refused) == ({"image_left_out": 1}, [])
    assert found.metadata["left_out"] == {"image": 1}


def test_reasoning_and_other_attributes_are_metadata() -> None:
    [found], _, _ = read("otel", [spans(span("s", {**GENAI, "gen_ai.prompt.name": "rain-v2"}))])
    assert {"type": "reasoning", "content": "Look."} in found.metadata["aside"]
    assert found.metadata["span"]["attributes"]["gen_ai.prompt.name"] == "rain-v2"
    assert found.metadata["span"]["resource"] == {"service.name": "shop"}


def test_evaluations_are_votes_and_of_a_trace_those_of_the_call_that_answers() -> None:
    outer = {"input.value": "Rain?", "output.value": "No.", "openinference.span.kind": "AGENT"}
    result = "gen_ai.evaluation.result"
    given = [
        log("outer", result, {"gen_ai.evaluation.name": "thumbs", "gen_ai.evaluation.score.value": 1.0}),
        log("", result, {"gen_ai.evaluation.name": "Thumbs", "gen_ai.evaluation.score.label": "fail",
                         "gen_ai.response.id": "r", "user.id": "ada"}),
        log("s", result, {"gen_ai.evaluation.name": "toxicity", "gen_ai.evaluation.score.value": 0.0}),
    ]  # fmt: skip
    rows = [logs(*given), spans(span("s", GENAI, parentSpanId="outer"), span("outer", outer))]
    [found], skipped, refused = read("otel", rows)
    assert votes(found) == [("ada", "reject"), ("unnamed", "accept")]
    assert skipped == {"image_left_out": 1, "no_model_call": 1, "score_that_is_no_thumb": 1}
    assert len(found.metadata["scores"]) == 3
    assert found.metadata["trace"]["name"] == "outer"
    assert refused == []


def test_a_thumb_on_what_was_shown_in_place_of_the_calls_answer_makes_that_a_seed() -> None:
    outer = {"input.value": "Rain?", "output.value": "Sorry.", "openinference.span.kind": "AGENT"}
    thumb = log("outer", "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "thumbs",
                                                      "gen_ai.evaluation.score.label": "down"})  # fmt: skip
    seeds, _, _ = read(
        "otel", [spans(span("s", GENAI, parentSpanId="outer"), span("outer", outer)), logs(thumb)]
    )
    assert {one.seed["responses"][0]["text"]: votes(one) for one in seeds} == {
        "No.": [], "Sorry.": [("unnamed", "reject")],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([spans(span("s", {k: v for k, v in GENAI.items() if "output" not in k}))], "there is no answer"),
        ([spans(span("s", {"gen_ai.operation.name": "chat"}))], "neither request nor answer was recorded"),
        ([spans(span("s", {**GENAI, "gen_ai.output.messages": json.dumps([ASKED[1]])}))], "the answer calls tools"),
        ([spans(span("s", {"gen_ai.operation.name": "chat"}), schema="1.99.0")], "it states schema 1.99.0"),
        ([{**spans(), "resourceMetrics": []}, {"resourceMetrics": []}], "holds no spans or log records"),
        ([spans({"spanId": "s", "attributes": [{"key": "x", "value": {"graphValue": 1}}]})], "kind 'graphValue'"),
        ([spans(span("s", {**GENAI, "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "blob"}]}]'}))],
         "has no text beside an image"),
        ([spans(span("s", {**GENAI, "gen_ai.input.messages": '[{"role": "owl", "content": "Hoo."}]'}))], "'owl'"),
        ([logs(log("s", "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "thumbs"}))], "that a score names has"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(rows: Rows, reason: str) -> None:
    seeds, _, [refused] = read("otel", rows)
    assert reason in refused
    assert seeds == []


def test_media_within_a_text_leave_a_mark_and_are_no_words_by_themselves() -> None:
    media = "@@@langfuseMedia:type=image/png|id=1@@@"
    for asked, content in ((f"See {media}!", "See [image left out]!"), (media, None)):
        seeds, _, refused = read("langfuse", [{**OBSERVATION, "input": asked}])
        assert [one.seed["messages"][0]["content"] for one in seeds] == ([content] if content else [])
        assert refused == ([] if content else ["there is no request"])


def test_a_newer_schema_that_can_be_read_is_told() -> None:
    [_], skipped, _ = read("otel", [spans(span("s", GENAI), schema="1.99.0")])
    assert skipped["newer_schema_1.99.0"] == 1


# Langfuse

OBSERVATION = {
    "id": "o", "traceId": "t", "type": "GENERATION", "startTime": "2026-11-01T10:00:00Z", "projectId": "p",
    "providedModelName": "m-1", "name": "answer", "usageDetails": {"input": 9},
    "input": [SPOKEN[0], {"role": "user", "content": [{"type": "text", "text": "Rain in Rome?"},
              {"type": "image_url", "image_url": {"url": "@@@langfuseMedia:type=image/png|id=1@@@"}}]}, *SPOKEN[2:]],
    "output": {"role": "assistant", "content": "No."},
}  # fmt: skip
TRACE = {
    "id": "t", "timestamp": "2026-11-01T10:00:00Z", "name": "chat", "userId": "u9", "tags": ["shop"],
    "input": {"question": "Rain in Rome?"}, "output": "No.",
}  # fmt: skip
SCORE = {
    "id": "1", "traceId": "t", "name": "user-feedback", "value": 0, "stringValue": "False", "dataType": "BOOLEAN",
    "source": "API", "comment": "It rained!", "timestamp": "2026-11-01T11:00:00Z", "environment": "default",
    "createdAt": "2026-11-01T11:00:00Z", "updatedAt": "2026-11-01T11:00:00Z",
}  # fmt: skip
NAMED = {**SCORE, "id": "2", "observationId": "o", "source": "ANNOTATION", "authorUserId": "ada", "value": 1,
         "stringValue": "True"}  # fmt: skip


def exported(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the export to blob storage has it: snake case, texts in place of objects."""
    named = {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in row.items()}
    return {
        k: json.dumps(v) if k in ("input", "output") and not isinstance(v, str) else v
        for k, v in named.items()
    }


LANGFUSE = {
    "rows of the API": [SCORE, NAMED, TRACE, OBSERVATION],
    "rows of an export": [exported(one) for one in (SCORE, NAMED, TRACE, OBSERVATION)],
    "a page of the API": [{"data": [TRACE, OBSERVATION], "meta": {}}, {"data": [SCORE, NAMED], "meta": {}}],
    "one trace with all that it has": [{**TRACE, "observations": [OBSERVATION], "scores": [SCORE, NAMED]}],
    "a trace as it is downloaded": [
        {"trace": {**TRACE, "scores": [SCORE, NAMED]}, "observations": [OBSERVATION]}
    ],
}


@pytest.mark.parametrize("rows", LANGFUSE.values(), ids=LANGFUSE)
def test_a_generation_of_langfuse_is_a_seed_and_scores_are_votes(rows: Rows) -> None:
    assert all(trace_formats()["langfuse"].fits(row) for row in rows)
    [found], skipped, refused = read("langfuse", rows)
    assert found.seed["messages"] == SPOKEN
    assert found.seed["responses"] == [{"text": "No.", "model": "m-1"}]
    assert votes(found) == [("ada", "accept"), ("unnamed", "reject")]
    assert (skipped, refused) == ({"image_left_out": 1, "no_model_call": 1}, [])
    assert {one["comment"] for one in found.metadata["scores"]} == {"It rained!"}
    assert found.metadata["trace"]["user_id"] == "u9"


def test_the_same_trace_twice_is_one_and_its_thumbs_count_once() -> None:
    [found], _, refused = read("langfuse", [*LANGFUSE["one trace with all that it has"] * 2, SCORE])
    assert len(votes(found)) == 2
    assert Counter(one.split(" (")[0] for one in refused) == {
        "the span stands in the file already": 2, "the score stands in the file already": 2,
    }  # fmt: skip


def test_a_trace_without_a_call_is_a_seed_itself() -> None:
    [found], _, _ = read("langfuse", [TRACE, SCORE])
    assert [turn["content"] for turn in found.seed["messages"]] == ["Rain in Rome?"]
    assert (found.seed["id"], votes(found)) == ("t", [("unnamed", "reject")])


def test_of_a_raters_thumbs_the_last_counts_and_names_of_ones_own_are_thumbs() -> None:
    scores = [{**NAMED, "id": f"own {number}", "name": "Helpful", "value": value, "stringValue": value}
              for number, value in enumerate(["no", "yes", "perhaps"])]  # fmt: skip
    [found], skipped, _ = read("langfuse", [OBSERVATION, SCORE, *scores], thumbs=("helpful",))
    assert votes(found) == [("ada", "accept")]
    assert skipped == {"image_left_out": 1, "thumb_given_again": 1, "score_that_is_no_thumb": 2}


# LangSmith

schemas = pytest.importorskip("langsmith.schemas")
WHEN = datetime(2026, 11, 1, tzinfo=UTC)


def run(number: int, kind: str, asked: Any, answered: Any, **more: Any) -> dict[str, Any]:
    """A run as LangSmith's own class writes it."""
    made = schemas.Run(
        id=uuid.UUID(int=number), trace_id=uuid.UUID(int=1), name=kind, run_type=kind, start_time=WHEN,
        dotted_order=f"{number:03}", inputs=asked, outputs=answered, **more,
    )  # fmt: skip
    return dict(json.loads(made.model_dump_json(exclude_none=True)))


def langchain(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    names = ["langchain", "schema", "messages", f"{kind}Message"]
    return {"lc": 1, "type": "constructor", "id": names, "kwargs": {"content": content, **more}}


def runs() -> Rows:
    called = {"name": "rain", "args": {"city": "Rome"}, "id": "c1", "type": "tool_call"}
    image = [{"type": "text", "text": "Rain in Rome?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    asked = {"messages": [[langchain("System", "Be brief."), langchain("Human", image),
                           langchain("AI", "", tool_calls=[called]),
                           langchain("Tool", '{"rain": false}', tool_call_id="c1")]]}  # fmt: skip
    said = {"generations": [[{"text": "No.", "type": "ChatGeneration", "message": langchain("AI", "No.")}]]}
    inner = run(
        2, "llm", asked, said, parent_run_id=uuid.UUID(int=1), extra={"metadata": {"ls_model_name": "m-1"}}
    )
    stats = {"user_score": {"n": 3, "avg": 0.6667}, "quality": {"n": 1, "avg": 0.4}}
    return [run(1, "chain", {"question": "Rain in Rome?"}, {"output": "No."}, feedback_stats=stats), inner]


def test_runs_of_langsmith_are_seeds_and_feedback_is_votes() -> None:
    rows = runs()
    assert all(trace_formats()["langsmith"].fits(row) for row in rows)
    nested = [{**rows[0], "child_runs": [rows[1]]}]
    for told in (rows, nested):
        [found], skipped, refused = read("langsmith", told)
        assert found.seed["messages"] == SPOKEN
        assert found.seed["responses"] == [{"text": "No.", "model": "m-1"}]
        assert votes(found) == [("unnamed", "accept"), ("unnamed", "accept"), ("unnamed", "reject")]
        assert skipped == {"image_left_out": 1, "no_model_call": 1, "score_that_is_no_thumb": 1}
        assert refused == []


def test_feedback_of_its_own_goes_before_the_mere_number() -> None:
    given = schemas.Feedback(
        id=uuid.UUID(int=9), run_id=uuid.UUID(int=1), trace_id=uuid.UUID(int=1), key="user_score", score=1,
        created_at=WHEN, modified_at=WHEN,
        feedback_source=schemas.FeedbackSourceBase(type="app", user_id="ada"),
    )  # fmt: skip
    [found], _, _ = read("langsmith", [*runs(), json.loads(given.model_dump_json())])
    assert votes(found) == [("ada", "accept")]


def test_a_message_of_a_newer_langchain_and_a_run_that_failed_are_refused_by_name() -> None:
    newer = run(1, "llm", {"messages": [[{**langchain("Human", "Rain?"), "lc": 2}]]}, {"output": "No."})
    failed = run(2, "llm", {"messages": [{"role": "user", "content": "Rain?"}]}, None, error="TimeoutError")
    seeds, _, refused = read("langsmith", [newer, failed])
    assert seeds == []
    assert "LangChain's format lc 2; this Solon reads lc 1" in refused[0]
    assert refused[1] == "there is no answer"


# All of them


def test_a_file_of_one_trace_over_many_lines_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    file.write_text(json.dumps({**LANGFUSE["a trace as it is downloaded"][0], "version": "2"}, indent=2))
    config = Config.model_validate({"import": {"thumbs": ["another"]}})
    for chosen, number in ((Config(), 2), (config, 0)):
        content = read_import("auto", file, chosen)
        assert (content.format, content.bad) == ("langfuse", [])
        assert [len(one.seed["verdicts"]) for one in content.seeds] == [number]


def stray(**of: str) -> dict[str, Any]:
    more = {"gen_ai.response.id": of["response"]} if "response" in of else {}
    given = {"gen_ai.evaluation.name": "thumbs", "gen_ai.evaluation.score.value": 1.0, **more}
    return logs(log(of.get("span", ""), "gen_ai.evaluation.result", given))


@pytest.mark.parametrize(
    ("form", "call", "score", "what"),
    [
        ("otel", spans(span("s", GENAI)), stray(span="gone"), "span"),
        ("otel", spans(span("s", GENAI)), stray(response="gone"), "response"),
        ("otel", spans(span("s", GENAI)), stray(span="s", response="gone"), "response"),
        ("langfuse", OBSERVATION, {**SCORE, "observationId": "gone"}, "span"),
        ("langsmith", runs()[1], {"run_id": "gone", "trace_id": runs()[1]["trace_id"], "key": "like", "score": 1},
         "span"),
    ],
)  # fmt: skip
def test_a_thumb_on_what_is_not_in_the_file_is_no_vote_on_another_answer(
    form: str, call: dict[str, Any], score: dict[str, Any], what: str
) -> None:
    [found], _, refused = read(form, [call, score])
    assert (votes(found), refused) == ([], [f"the {what} that a score names has no answer in the file"])


def test_a_thumb_on_a_whole_trace_is_a_vote_on_its_last_call() -> None:
    for form, rows in (("otel", [spans(span("s", GENAI)), stray()]), ("langfuse", [OBSERVATION, SCORE])):
        [found], _, refused = read(form, rows)
        assert (len(votes(found)), refused) == (1, [])


def test_an_import_tells_what_was_noted_what_nobody_decided_and_which_span_was_refused(
    solon: Cli, tmp_path: Path
) -> None:
    bare = {
        "id": "b",
        "traceId": "t",
        "type": "GENERATION",
        "name": "gen",
        "startTime": "2026",
        "input": "Hi?",
    }
    gone = {**SCORE, "observationId": "gone"}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (OBSERVATION, bare, gone)))
    code, out, _ = solon("import", "langfuse", "rows.jsonl")
    assert code == 0
    assert "  noted: 1 image_left_out\n  not a decision: 1 nobody_decided\n" in out
    [bad] = tmp_path.glob("*.bad-rows.jsonl")
    assert [json.loads(line)["excerpt"] for line in bad.read_text().splitlines()] == [
        "score user-feedback, span gone, trace t", "span b, trace t, name gen",
    ]  # fmt: skip
    [waiting] = json.loads(solon("review", "list", "--json")[1].splitlines()[-1])["reviews"]
    shown = solon("review", "show", waiting["id"])[1]
    assert "request\nRain in Rome?\n[image left out]\n" in shown
    assert 'tool\n{"rain": false}\n' in shown
    code, _, err = solon("import", "langsmith", "rows.jsonl")
    assert code != 0
    assert "`auto` reads it as langfuse" in err


@pytest.mark.parametrize("text", ["", "[]", '{"resourceSpans": []}'])
def test_a_file_without_anything_is_called_empty(solon: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "none.json").write_text(text)
    for name in ("otel", "auto"):
        code, _, err = solon("import", name, "none.json")
        assert code != 0
        assert "none.json is empty" in err


NAMES = sorted(
    {"resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "stringValue", "kvlistValue", "values",
     "resourceLogs", "scopeLogs", "logRecords", "eventName", "type", "id", "traceId", "input", "output", "name",
     "source", "observations", "scores", "data", "meta", "trace", "timestamp",
     "run_type", "inputs", "outputs", "child_runs",
     "feedback_stats", "feedback", "messages", "role", "content", "parts", "lc", "kwargs", "tool_calls", "extra", "n"}
)  # fmt: skip
WORDS = st.sampled_from(["GENERATION", "user", "assistant", "llm", "text", "tool_call", "[]", "{}", "1", ""])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(rows=st.lists(st.dictionaries(st.sampled_from(NAMES), ANY, max_size=6), max_size=3))
def test_no_file_breaks_a_reader(rows: Rows) -> None:
    for name, form in trace_formats().items():
        assert all(form.fits(row) in (True, False) for row in rows)
        seeds, _, _ = read(name, rows)
        assert all(one.seed["responses"][0]["text"].strip() for one in seeds)


@pytest.mark.annotation
def test_langfuses_own_types_take_the_rows_of_these_tests() -> None:
    parse = pytest.importorskip("langfuse.api.core.pydantic_utilities").parse_obj_as
    types = pytest.importorskip("langfuse.api.commons.types")
    assert parse(types.ObservationV2, OBSERVATION).trace_id == "t"
    assert [parse(types.Score, row).author_user_id for row in (SCORE, NAMED)] == [None, "ada"]
