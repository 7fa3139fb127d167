"""Spans of a run: they nest, count tokens, and tell no text unless asked to. Scripted model."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from solon.errors import ConfigError
from solon.project import Project

trace = pytest.importorskip("opentelemetry.trace", reason="opentelemetry is not installed")
sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")
SECRET = "Why is the sky mauve over Poltava?"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield memory
    provider.shutdown()


def run_traced(tmp_path: Path, **tracing: bool) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config={**config, "tracing": tracing}) as project:
        assert project.run("preference", [SECRET]).pending_review == 1


def test_spans_of_item_nodes_and_calls_nest(tmp_path: Path, exported: Any) -> None:
    run_traced(tmp_path, enabled=True)
    spans = {span.context.span_id: span for span in exported.get_finished_spans()}
    [item] = [span for span in spans.values() if span.name == "solon.item"]
    nodes = [span for span in spans.values() if span.name.startswith("solon.node.")]
    calls = [span for span in spans.values() if span.name.startswith("solon.call.")]
    assert item.attributes["solon.outcome"] == "waiting"
    assert {span.name for span in nodes} >= {"solon.node.draft", "solon.node.critique", "solon.node.judge"}
    assert all(span.parent.span_id == item.context.span_id for span in nodes)
    assert calls
    assert all(spans[span.parent.span_id] in nodes for span in calls)
    for span in calls:
        assert span.attributes["openinference.span.kind"] == "LLM"
        assert span.attributes["llm.model_name"] == "default"
        assert span.attributes["llm.token_count.prompt"] > 0
        assert span.attributes["solon.item"] == item.attributes["solon.item"]


def test_texts_are_told_only_where_they_are_wanted(tmp_path: Path, exported: Any) -> None:
    run_traced(tmp_path, enabled=True)
    assert SECRET not in "".join(span.to_json() for span in exported.get_finished_spans())
    exported.clear()
    (tmp_path / "open").mkdir()
    run_traced(tmp_path / "open", enabled=True, capture_content=True)
    [drafted, *_] = [s for s in exported.get_finished_spans() if s.name == "solon.call.generator"]
    assert SECRET in drafted.attributes["input.value"]
    assert drafted.attributes["output.value"]


def test_off_by_default(tmp_path: Path, exported: Any) -> None:
    run_traced(tmp_path)
    assert exported.get_finished_spans() == ()


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Any:
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

    memory = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    monkeypatch.setattr(_logs._internal, "_LOGGER_PROVIDER", provider)
    return memory


def told(events: Any) -> list[dict[str, Any]]:
    records = [one.log_record for one in events.get_finished_logs()]
    assert {record.event_name for record in records} == {"gen_ai.evaluation.result"}
    return [{**record.attributes, "span": record.span_id} for record in records]


def test_verdicts_and_decisions_are_events_of_their_spans(tmp_path: Path, exported: Any, events: Any) -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as theirs

    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    config |= {"tracing": {"enabled": True}}
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=config) as project:
        project.run("preference", [SECRET])
        [review] = project.reviews()
        project.decide(review, "prefer", review.candidates[0], rationale="It names the dust.")
        project.resume()
        lineage = project.trace(review.item_id)
    verdicts = {one["id"]: one for one in _verdict_rows(tmp_path)}
    spans = {span.context.span_id: span for span in exported.get_finished_spans()}
    found = told(events)
    votes = [one for one in found if one[theirs.GEN_AI_EVALUATION_NAME] == "verdict"]
    [decision] = [one for one in found if one[theirs.GEN_AI_EVALUATION_NAME] == "decision"]
    assert {one["solon.verdict"] for one in votes} == verdicts.keys()
    for one in votes:
        row = verdicts[one["solon.verdict"]]
        assert one[theirs.GEN_AI_EVALUATION_SCORE_LABEL] == row["outcome"]
        assert one.get(theirs.GEN_AI_EVALUATION_SCORE_VALUE) == row["p"]
        assert spans[one["span"]].name == "solon.node.judge"
    assert decision[theirs.GEN_AI_EVALUATION_SCORE_LABEL] in ("A", "B")
    assert spans[decision["span"]].name == "solon.node.settle"
    chosen = next(one for one in lineage["candidates"] if one["id"] == review.candidates[0].id)
    calls = {span.attributes.get(theirs.GEN_AI_RESPONSE_ID): span.name for span in spans.values()}
    assert calls[decision[theirs.GEN_AI_RESPONSE_ID]] == "solon.call.generator"
    assert decision[theirs.GEN_AI_RESPONSE_ID] == chosen["call_id"]
    assert not {theirs.GEN_AI_EVALUATION_EXPLANATION} & {key for one in found for key in one}
    assert "dust" not in str(found)


def _verdict_rows(folder: Path) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from solon.store import tables
    from solon.store.database.store import Store

    with Store(f"sqlite:///{folder / 'store.db'}") as store, store.connect() as connection:
        return [dict(row) for row in connection.execute(select(tables.verdicts)).mappings()]


def test_scores_are_events_by_criterion_and_reasons_are_told_where_texts_are(
    tmp_path: Path, exported: Any, events: Any
) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    tracing = {"enabled": True, "capture_content": True}
    with Project(f"sqlite:///{tmp_path / 'a.db'}", config={**config, "tracing": tracing}) as project:
        project.run("instruction", [SECRET])
        criteria = {one.id for one in project.rubric().criteria}
    found = told(events)
    assert {one["gen_ai.evaluation.name"] for one in found} == {"verdict", *criteria}
    scores = [one for one in found if one["gen_ai.evaluation.name"] in criteria]
    assert all(1 <= one["gen_ai.evaluation.score.value"] <= 5 for one in scores)
    assert any(one.get("gen_ai.evaluation.explanation") for one in found)
    events.clear()
    guarded = {**config, "tracing": tracing, "privacy": {"class": "deidentified"}}
    with Project(f"sqlite:///{tmp_path / 'b.db'}", config=guarded) as project:
        project.run("instruction", ["Why is the sky blue?"])
    assert told(events)
    assert not any(one.get("gen_ai.evaluation.explanation") for one in told(events))


def test_a_collector_that_is_away_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from solon.tracing import close

    class Provider:
        closed = 0

        def shutdown(self) -> None:
            self.closed += 1

    spans, events, server = Provider(), Provider(), socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.0.0.1:1/v1/logs")
    close(spans, events)
    assert (spans.closed, events.closed) == (1, 0)
    server.close()
    close(spans, events)
    assert (spans.closed, events.closed) == (1, 0)
    assert capsys.readouterr().err.count("no collector at 127.0.0.1:1 ") == 2


def test_a_sending_that_failed_is_told_once_and_is_the_last_when_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A collector that takes connections and no spans; each sending of the real exporter would take its whole time."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    from solon.tracing import SEND_SECONDS, _Sender, _timeout

    class Refusing:
        sent = 0

        def export(self, batch: Any) -> SpanExportResult:
            self.sent += 1
            return SpanExportResult.FAILURE

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4444")
    exporter = Refusing()
    sender = _Sender(exporter, "TRACES")
    sender.export(["a"])
    sender.export(["b"])  # while the process works each batch has its try
    assert exporter.sent == 2
    monkeypatch.setattr(_Sender, "closing", True)
    sender.export(["c"])
    assert exporter.sent == 2
    assert capsys.readouterr().err.count("the collector at http://127.0.0.1:4444 did not take traces") == 1
    assert _timeout("TRACES") == SEND_SECONDS
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10")
    assert _timeout("TRACES") is None, "the exporter reads it"


@pytest.mark.parametrize("address", ["nonsense", "http://", "grpc://here:4317", "http://here:port"])
def test_an_address_that_is_none_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    from solon.tracing import own_providers

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT: .* is no address of a collector"):
        own_providers()


def test_the_collector_in_the_examples_is_sent_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By OTLP over HTTP, up to the last ones, which leave when the process ends."""
    from opentelemetry import _logs

    from solon.tracing import close, own_providers

    spec: Any = spec_from_file_location("collector", Path(__file__).parents[2] / "examples" / "collector.py")
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    server = ThreadingHTTPServer(("127.0.0.1", 0), example.Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    spans, events = own_providers()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans)
    monkeypatch.setattr(_logs._internal, "_LOGGER_PROVIDER", events)
    run_traced(tmp_path, enabled=True)
    close(spans, events)
    server.shutdown()
    server.server_close()
    printed = capsys.readouterr().out.splitlines()
    assert [one for one in printed if one.startswith("span ") and " solon.item " in one]
    verdicts = [one for one in printed if " gen_ai.evaluation.name=verdict " in one]
    assert verdicts
    assert {one.split()[1] for one in verdicts} == {one.split()[1] for one in printed}  # one trace
    assert "mauve" not in "".join(printed)
