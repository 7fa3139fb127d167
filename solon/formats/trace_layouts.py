"""What the three kinds of trace files hold, line by line, as spans and scores. Touches no file.

Sources: OTLP's JSON encoding (`opentelemetry.proto.trace.v1`, `logs.v1`) with OpenTelemetry's conventions for
generative AI (attributes, events, and the events of 1.36 and before) and OpenInference's; Langfuse's API types and the
fields of its exports to blob storage; LangSmith's `Run` and `Feedback`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solon.formats.imported import Row, as_list, as_object
from solon.formats.outcomes import number_of
from solon.formats.paths import decoded, is_absent
from solon.formats.seed_files import excerpt_of
from solon.formats.seed_rows import RowProblem
from solon.formats.trace_turns import Call

SCHEMA = (1, 45)
"""The newest schema of OpenTelemetry's conventions that was read."""
MOST_THUMBS = 1000
"""Thumbs of one key that a run may tell as a mere number."""


@dataclass(slots=True)
class Span:
    """One step of a trace.

    Attributes:
        line: where it stands in the file.
        key: its id, unique in the file.
        trace: id of its trace.
        parent: id of the span around it; may be empty.
        called: whether it is a call of a model.
        asked, answered, system: what was said, in any spelling.
        said: what events tell of the same, for a span that does not.
        model: name of the model; may be empty.
        response: id of the answer; may be empty.
        begun: when, as the file writes it: such texts of one file are in order.
        newer: the schema that it states, where that is newer than `SCHEMA`.
        facts: all else.
        partial: True where an event tells of the span, not the span itself.
        scores: what was said of its answer.
        root: the outermost span of its trace, if that is another.
        call: its turns; None where they cannot be read.
        problem: why it becomes no seed.
        passed_over: True where it is no call of a model and nobody rated it.
    """

    line: int
    key: str
    trace: str = ""
    parent: str = ""
    called: bool = False
    asked: Any = None
    answered: Any = None
    system: Any = None
    said: dict[str, list[Any]] = field(default_factory=dict)
    model: str = ""
    response: str = ""
    begun: str = ""
    newer: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    partial: bool = False
    scores: list[Score] = field(default_factory=list)
    root: Span | None = None
    call: Call | None = None
    problem: str = ""
    passed_over: bool = False

    def __str__(self) -> str:
        return excerpt_of(f"span {self.key}, trace {self.trace}, name {self.facts.get('name') or ''}")

    @property
    def identity(self) -> str:
        """What only the same span has: its key; what an event says of one has what it says, too."""
        return repr((self.key, self.begun, self.said)) if self.partial else self.key


@dataclass(frozen=True, slots=True)
class Score:
    """What somebody said of a span, or of a trace where it names no span.

    Attributes:
        line: where it stands in the file.
        name: of what it scores.
        value: a number, a word, true or false.
        by: who gave it; empty where the file does not say.
        key: id of the span; may be empty.
        trace: id of the trace; may be empty.
        response: id of the answer; may be empty.
        facts: the score as it stands in the file.
        place: which it is of the thumbs that a span tells as a number, from 1; 0 for one that stands by itself.
        at: when it was given, where it names no span.
    """

    line: int
    name: str
    value: Any
    by: str = ""
    key: str = ""
    trace: str = ""
    response: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0
    at: str = ""

    @property
    def identity(self) -> str:
        """What only the same score has: its id, or all that it says."""
        own = self.facts.get("id")
        said = (self.key, self.trace, self.at, self.name, self.value, self.by, self.place, self.facts)
        return f"score {own}" if own else repr(said)

    def __str__(self) -> str:
        return excerpt_of(f"score {self.name}, span {self.key}, trace {self.trace}")


Found = Iterator[Span | Score]


# OpenTelemetry ----------------------------------------------------------------------------------------------------

_CALLS = ("chat", "text_completion", "generate_content")
_MESSAGES = {
    "asked": ("gen_ai.input.messages", "llm.input_messages", "gen_ai.prompt", "llm.prompts", "input.value"),
    "answered": (
        "gen_ai.output.messages",
        "llm.output_messages",
        "gen_ai.completion",
        "llm.choices",
        "output.value",
    ),
    "system": ("gen_ai.system_instructions",),
}
_MESSAGE_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message|gen_ai\.choice")
_RATERS = ("solon.judge", "enduser.id", "user.id")
EVALUATION, DETAILS = "gen_ai.evaluation.result", "gen_ai.client.inference.operation.details"


def is_otel(row: Row) -> bool:
    """Tell whether a row is a line of OTLP's JSON."""
    return "resourceSpans" in row or "resourceLogs" in row


def read_otel(line: int, row: Row) -> Found:
    """Yield spans, what log records say of spans, and evaluations, of a line of OTLP's JSON.

    Raises:
        RowProblem: it holds neither spans nor log records, or a value of a kind that is not known.
    """
    if not is_otel(row):
        raise RowProblem(
            f"the line holds no spans or log records of OTLP, but {', '.join(map(str, row))[:80]}"
        )
    for whole, scopes, items in (
        ("resourceSpans", "scopeSpans", "spans"),
        ("resourceLogs", "scopeLogs", "logRecords"),
    ):
        for resource in map(as_object, as_list(row.get(whole))):
            facts = _attributes(as_object(resource.get("resource")).get("attributes"))
            for scope in map(as_object, as_list(resource.get(scopes))):
                newer = _newer(str(scope.get("schemaUrl") or resource.get("schemaUrl") or ""))
                for item in map(as_object, as_list(scope.get(items))):
                    if items == "spans":
                        yield from _otel_span(line, item, facts, newer)
                    else:
                        name, attributes = _event_of(item)
                        yield from _otel_event(line, item, name, attributes, _any(item.get("body")))


def _otel_span(line: int, item: Row, resource: Mapping[str, Any], newer: str) -> Found:
    attributes = _attributes(item.get("attributes"))
    parts = {name: _first(attributes, keys) for name, keys in _MESSAGES.items()}
    kind = str(attributes.get("openinference.span.kind") or "")
    told = any(_is_of(key, _MESSAGES["answered"][:4]) for key in attributes)
    parent = str(item.get("parentSpanId") or "")
    trace = str(item.get("traceId") or "")
    facts = {
        "name": item.get("name"),
        "status": item.get("status"),
        "resource": resource,
        "attributes": _beside(attributes),
    }
    span = Span(
        line, _otel_key(item), trace, f"{trace}:{parent}" if parent else "",
        called=kind == "LLM" or (not kind and (told or attributes.get("gen_ai.operation.name") in _CALLS)),
        **parts, model=_model(attributes), response=str(attributes.get("gen_ai.response.id") or ""),
        begun=str(item.get("startTimeUnixNano") or ""), newer=newer, facts=facts,
    )  # fmt: skip
    yield span
    for event in map(as_object, as_list(item.get("events"))):
        name, attributes = _event_of(event)
        found = list(_otel_event(line, {**item, **event}, name, attributes, None))
        if not found and name:
            span.facts.setdefault("events", []).append({"name": name, "attributes": attributes})
        yield from found


def _otel_event(line: int, item: Row, name: str, attributes: dict[str, Any], body: Any) -> Found:
    key, trace = _otel_key(item), str(item.get("traceId") or "")
    if name == EVALUATION:
        value = attributes.get(
            "gen_ai.evaluation.score.label", attributes.get("gen_ai.evaluation.score.value")
        )
        by = next((str(attributes[rater]) for rater in _RATERS if attributes.get(rater)), "")
        told = str(attributes.get("gen_ai.evaluation.name") or "")
        answer, own = str(attributes.get("gen_ai.response.id") or ""), bool(item.get("spanId"))
        yield Score(
            line, told, value, by, key if own else "", trace, answer, attributes, at="" if own else key
        )
        return
    said: dict[str, list[Any]] = {}
    if name == DETAILS:
        said = {
            part: [value]
            for part, keys in _MESSAGES.items()
            if (value := _first(attributes, keys)) is not None
        }
    elif found := _MESSAGE_EVENT.fullmatch(name):
        message = as_object(decoded(attributes.get("gen_ai.event.content", body or attributes)))
        spoken = as_object(message.get("message")) or message
        role = found[1] or "assistant"
        message = {"role": role, **spoken, **({"tool_call_id": spoken.get("id")} if role == "tool" else {})}
        said = {"answered" if found[1] is None else "asked": [message]}
    if said:
        model, response = _model(attributes), str(attributes.get("gen_ai.response.id") or "")
        yield Span(
            line, key, trace, called=True, said=said, model=model, response=response,
            partial=True, begun=str(item.get("timeUnixNano") or ""),
            facts={"attributes": _beside(attributes)} if name == DETAILS else {},
        )  # fmt: skip


def _otel_key(item: Row) -> str:
    """The id of a span; what is told of no span is told of a span of its own."""
    own = item.get("spanId") or f"at {item.get('timeUnixNano') or item.get('observedTimeUnixNano') or ''}"
    return f"{item.get('traceId') or ''}:{own}"


def _event_of(item: Row) -> tuple[str, dict[str, Any]]:
    attributes = _attributes(item.get("attributes"))
    return str(item.get("eventName") or item.get("name") or attributes.pop("event.name", "")), attributes


def _model(attributes: Mapping[str, Any]) -> str:
    keys = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
    return next((str(attributes[key]) for key in keys if attributes.get(key)), "")


def _first(attributes: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What stands under the first of the keys that says anything, flat (`KEY.0.role`) or whole."""
    for key in keys:
        value = attributes.get(key)
        value = _gathered(attributes, key) if is_absent(value) else value
        if not is_absent(value):
            return value
    return None


def _beside(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that hold no messages."""
    used = [key for keys in _MESSAGES.values() for key in keys]
    return {key: value for key, value in attributes.items() if not _is_of(key, used)}


def _is_of(key: str, names: Sequence[str]) -> bool:
    """Tell whether an attribute is one of the names, or a place within its list."""
    return any(
        key == name or (key.startswith(f"{name}.") and key[len(name) + 1 : len(name) + 2].isdecimal())
        for name in names
    )


def _gathered(attributes: Mapping[str, Any], name: str) -> list[Any]:
    """The list that flat attributes tell, such as `llm.input_messages.0.message.role`."""
    tree: dict[str, Any] = {}
    for key, value in attributes.items():
        if key == name or not _is_of(key, (name,)):
            continue
        node, steps = tree, key[len(name) + 1 :].split(".")
        for step in steps[:-1]:
            inner = node.setdefault(step, {})
            node = inner if isinstance(inner, dict) else {}
        node[steps[-1]] = value
    listed = _listed(tree)
    return listed if isinstance(listed, list) else []


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(step.isdecimal() for step in node):
        return [_listed(node[step]) for step in sorted(node, key=int)]
    return {step: _listed(inner) for step, inner in node.items()}


def _attributes(value: Any) -> dict[str, Any]:
    return {str(one.get("key")): _any(one.get("value")) for one in map(as_object, as_list(value))}


def _any(value: Any) -> Any:
    """The value of OTLP's AnyValue."""
    if not isinstance(value, Mapping) or not value:
        return None
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue":
        return [_any(one) for one in as_list(as_object(inner).get("values"))]
    if kind == "kvlistValue":
        return _attributes(as_object(inner).get("values"))
    if kind == "intValue":
        return int(inner) if str(inner).lstrip("-").isdecimal() and len(str(inner)) < 20 else inner
    if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        return inner
    raise RowProblem(f"an attribute has a value of the kind {kind[:40]!r}, which this Solon does not know")


def _newer(schema: str) -> str:
    """The version of a schema, where it is newer than the newest that is known."""
    found = re.fullmatch(r"https://opentelemetry\.io/schemas/(\d{1,9})\.(\d{1,9})\.\d{1,9}", schema)
    return schema.rpartition("/")[2] if found and (int(found[1]), int(found[2])) > SCHEMA else ""


# Langfuse ---------------------------------------------------------------------------------------------------------

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OBSERVATIONS = (
    "GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
)  # fmt: skip
_MODELS = ("provided_model_name", "model", "model_id")


def is_langfuse(row: Row) -> bool:
    """Tell whether a row is an observation, a trace or a score of Langfuse, or holds such."""
    one = _snake(row)
    if isinstance(one.get("observations"), list) or (isinstance(one.get("data"), list) and "meta" in one):
        return True
    return _is_score(one) or _is_observation(one) or _is_trace(one)


def read_langfuse(line: int, row: Row) -> Found:
    """Yield observations, traces and scores of Langfuse: of its API (camel case) or its exports (snake case).

    Raises:
        RowProblem: the row is none of these.
    """
    one = _snake(row)
    if isinstance(one.get("data"), list) and "meta" in one:  # a page of the API
        for inner in one["data"]:
            yield from read_langfuse(line, as_object(inner))
        return
    if isinstance(one.get("trace"), Mapping):  # a trace as the page downloads it
        one = {
            **_snake(one.pop("trace")),
            **{name: one[name] for name in ("observations", "scores") if one.get(name)},
        }
    if _is_score(one):
        yield _langfuse_score(line, one)
    elif _is_observation(one):
        yield _langfuse_span(line, one, str(one.get("trace_id") or ""), str(one.get("type")) == "GENERATION")
    elif _is_trace(one) or isinstance(one.get("observations"), list):
        trace = str(one.get("id") or "")
        inner = {name: as_list(decoded(one.pop(name, None))) for name in ("observations", "scores")}
        yield _langfuse_span(line, one, trace, False)
        for part in (*inner["observations"], *inner["scores"]):
            if isinstance(part, Mapping):  # the list of traces has ids only
                yield from read_langfuse(line, {"trace_id": trace, **_snake(part)})
    else:
        raise RowProblem(
            f"it is no observation, trace or score of Langfuse (columns: {', '.join(map(str, row))[:80]})"
        )


def _langfuse_span(line: int, one: dict[str, Any], trace: str, called: bool) -> Span:
    used = ("id", "input", "output", "trace_id", "parent_observation_id", *_MODELS)
    key, parent = str(one.get("id") or ""), str(one.get("parent_observation_id") or "")
    return Span(
        line, key, trace, parent or (trace if trace != key else ""), called=called,
        asked=one.get("input"), answered=one.get("output"),
        model=next((str(one[name]) for name in _MODELS if one.get(name)), ""),
        begun=str(one.get("start_time") or one.get("timestamp") or ""),
        facts={name: value for name, value in one.items() if name not in used},
    )  # fmt: skip


def _langfuse_score(line: int, one: dict[str, Any]) -> Score:
    about = _snake(as_object(one.get("subject")))
    of = {str(about.get("kind") or "").lower(): about.get("id")}
    said = one.get("value") if is_absent(one.get("string_value")) else one["string_value"]
    by = str(one.get("author_user_id") or "")
    if not by and str(one.get("source")).upper() == "EVAL":
        by = f"eval:{one['name']}"
    return Score(
        line, str(one["name"]), said, by,
        str(one.get("observation_id") or of.get("observation") or ""),
        str(one.get("trace_id") or of.get("trace") or about.get("trace_id") or ""),
        facts=one,
    )  # fmt: skip


def _is_score(one: Row) -> bool:
    named = "name" in one and ("source" in one or "data_type" in one)
    return named and ("value" in one or "string_value" in one) and "input" not in one and "type" not in one


def _is_observation(one: Row) -> bool:
    return (
        str(one.get("type")) in _OBSERVATIONS and "id" in one and ("start_time" in one or "trace_id" in one)
    )


def _is_trace(one: Row) -> bool:
    return {"id", "timestamp", "input", "output"} <= one.keys() and "type" not in one


def _snake(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {_CAPITAL.sub("_", str(name)).lower(): value for name, value in row.items()}


# LangSmith --------------------------------------------------------------------------------------------------------


def is_langsmith(row: Row) -> bool:
    """Tell whether a row is a run or a feedback of LangSmith."""
    return {"run_type", "inputs"} <= row.keys() or ({"run_id", "key"} <= row.keys() and _rates(row))


def _rates(row: Row) -> bool:
    return "score" in row or "value" in row


def read_langsmith(line: int, row: Row) -> Found:
    """Yield runs of LangSmith with the runs within them, and what was said of them: a `feedback` of its own, or the
    figures that a run has of it.

    Raises:
        RowProblem: the row is neither a run nor a feedback.
    """
    if not is_langsmith(row):
        raise RowProblem(f"it is no run or feedback of LangSmith (columns: {', '.join(map(str, row))[:80]})")
    if "run_type" not in row:
        yield _feedback(line, row)
        return
    used = ("id", "inputs", "outputs", "trace_id", "parent_run_id", "child_runs", "feedback")
    key = str(row.get("id") or f"line {line}")
    trace = str(row.get("trace_id") or key)
    extra = as_object(decoded(row.get("extra")))
    told = {**as_object(extra.get("invocation_params")), **as_object(extra.get("metadata"))}
    yield Span(
        line, key, trace, str(row.get("parent_run_id") or ""), called=row["run_type"] == "llm",
        asked=row.get("inputs"), answered=row.get("outputs"),
        model=next((str(told[name]) for name in ("ls_model_name", "model", "model_name") if told.get(name)), ""),
        begun=str(row.get("dotted_order") or row.get("start_time") or ""),
        facts={name: value for name, value in row.items() if name not in used},
    )  # fmt: skip
    single = [as_object(one) for one in as_list(decoded(row.get("feedback")))]
    yield from (_feedback(line, {"run_id": key, "trace_id": trace, **one}) for one in single)
    named = {one.get("key") for one in single}
    for name, stats in as_object(decoded(row.get("feedback_stats"))).items():
        if name not in named:
            yield from _counted(line, name, as_object(stats), key, trace)
    for child in as_list(decoded(row.get("child_runs"))):
        yield from read_langsmith(line, as_object(child))


def _feedback(line: int, one: Row) -> Score:
    value = one.get("value") if one.get("score") is None else one["score"]
    source = as_object(decoded(one.get("feedback_source")))
    by = str(source.get("user_id") or source.get("user_name") or "")
    if not by and source.get("type") in ("model", "evaluator", "auto_eval"):
        by = f"eval:{one.get('key')}"
    key, trace = str(one.get("run_id") or ""), str(one.get("trace_id") or "")
    return Score(line, str(one.get("key") or ""), value, by, key, trace, facts=one)


def _counted(line: int, name: str, stats: Row, key: str, trace: str) -> Iterator[Score]:
    """The thumbs that a number and an average tell; a score of another kind is one as it is."""
    number, average = number_of(stats.get("n")) or 0.0, number_of(stats.get("avg"))
    up = -1.0 if average is None else average * number
    if not (1 <= number <= MOST_THUMBS and 0 <= up <= number and abs(up - round(up)) < 0.01):
        yield Score(line, name, stats.get("avg"), "", key, trace, place=1)
        return
    for place in range(1, int(number) + 1):
        yield Score(line, name, place <= round(up), "", key, trace, place=place)
