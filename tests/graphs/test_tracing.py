"""Spans of a run: they nest, count tokens, and tell no text unless asked to. Scripted model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
