"""OpenTelemetry spans for items, nodes and model calls, in the OpenInference conventions, and an event of the GenAI
conventions for each evaluation. Off unless asked for.

Ids and figures only; texts are added with `capture_content`. Without an exporter of the application's own, both go
where OTEL_EXPORTER_OTLP_ENDPOINT says, beside the work: nothing waits for a collector that is away. Solon has no
telemetry of its own. Must not import anything of Solon but `config`, `errors` and `observers`; imports OpenTelemetry
only when tracing is on.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from solon.config.sections import TracingConfig
from solon.errors import ConfigError
from solon.observers import Observer

KIND, INPUT, OUTPUT = "openinference.span.kind", "input.value", "output.value"
EVALUATION = "gen_ai.evaluation.result"
"""Name of the event that tells an evaluation (OpenTelemetry's semantic conventions for generative AI)."""
REACH_SECONDS = 1.0
"""How long a collector may take to be reached when a process ends."""
T = TypeVar("T")


class Span(Protocol):
    """What a caller may say of its span."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute of the span."""
        ...


class _Nothing:
    """The span of a tracer that is off, or that could not open one."""

    def set_attribute(self, key: str, value: Any) -> None:
        return None


_NOTHING = _Nothing()


class _Watched:
    """A span behind the boundary: what its tracer raises changes nothing."""

    def __init__(self, span: Span, observer: Observer) -> None:
        self._span, self._observer = span, observer

    def set_attribute(self, key: str, value: Any) -> None:
        self._observer.call(self._span.set_attribute, key, value)


class Tracing:
    """Opens spans and emits events, and lets no failure of a tracer out; one that is off opens none and costs an
    attribute lookup."""

    def __init__(self, tracer: Any = None, *, events: Any = None, capture_content: bool = False) -> None:
        self._tracer, self._events = tracer, events
        self.capture_content = capture_content
        self._observer = Observer("tracing")

    @property
    def on(self) -> bool:
        """Whether spans are opened; False where tracing is off."""
        return self._tracer is not None

    @contextmanager
    def span(self, name: str, kind: str, attributes: Mapping[str, Any] | None = None) -> Iterator[Span]:
        """Open a span for the work of a `with` block, and give it to set further attributes.

        Args:
            name: name of the span, e.g. `solon.node.judge`.
            kind: OpenInference's kind of span: AGENT, CHAIN or LLM.
            attributes: what is known of the work before it begins; those that are None are left out.
        """
        if self._tracer is None:
            yield _NOTHING
            return
        known = {key: value for key, value in (attributes or {}).items() if value is not None}
        spans = ExitStack()
        opened = self._observer.call(self._open, spans, name, {KIND: kind, **known})
        span = _NOTHING if opened is None else _Watched(opened, self._observer)
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            raise
        finally:
            self._observer.call(spans.close)

    def _open(self, spans: ExitStack, name: str, attributes: Mapping[str, Any]) -> Span:
        # An interrupt travels as an exception, and texts may stand in the words of any: only its type is told.
        opening = self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        )
        opened: Span = spans.enter_context(opening)
        return opened

    def evaluation(
        self,
        name: str,
        *,
        label: str | None = None,
        value: float | None = None,
        explanation: str = "",
        about: Mapping[str, Any],
    ) -> None:
        """Emit the result of an evaluation as an event of the span that is open.

        Args:
            name: what was evaluated: a verdict, a decision, or a criterion.
            label: the result as a word.
            value: the result as a number.
            explanation: why, in words of a model; told only with `capture_content`.
            about: further attributes; those that are None are left out.
        """
        if self._events is not None:
            told = explanation if self.capture_content else ""
            result = {
                "gen_ai.evaluation.name": name,
                "gen_ai.evaluation.score.label": label,
                "gen_ai.evaluation.score.value": value,
                "gen_ai.evaluation.explanation": told or None,
                **about,
            }
            known = {key: found for key, found in result.items() if found is not None}
            self._observer.call(self._emit, known)

    def _emit(self, attributes: Mapping[str, Any]) -> None:
        from opentelemetry._logs import LogRecord, SeverityNumber

        now, severity = time.time_ns(), SeverityNumber.INFO
        record = LogRecord(
            timestamp=now, event_name=EVALUATION, attributes=attributes, severity_number=severity
        )
        self._events.emit(record)

    def node(self, work: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        """Return a graph's node with a span around it; as it is where tracing is off, or where it is no coroutine."""
        if self._tracer is None or not iscoroutinefunction(work):
            return work
        name = getattr(work, "__name__", "node")

        @wraps(work)  # LangGraph reads from the signature what a node wants to be given
        async def traced(*args: Any, **kwargs: Any) -> T:
            with self.span(f"solon.node.{name}", "CHAIN", {"solon.node": name}):
                return await work(*args, **kwargs)

        return traced


OFF = Tracing()


def make_tracing(config: TracingConfig) -> Tracing:
    """Return the tracing that a configuration asks for; `OFF` where it asks for none.

    Raises:
        ConfigError: tracing is on and OpenTelemetry is not installed.
    """
    if not config.enabled:
        return OFF
    try:
        from opentelemetry import _logs, trace
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracing needs the package {error.name}", next_step="pip install 'solon[tracing]'"
        ) from None
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        spans, events = own_providers()
        trace.set_tracer_provider(spans)
        _logs.set_logger_provider(events)
        atexit.register(close, spans, events)
    return Tracing(
        trace.get_tracer("solon"), events=_logs.get_logger("solon"), capture_content=config.capture_content
    )


def close(spans: Any, events: Any) -> None:
    """Let providers send what they still hold, each where its collector can be reached; else leave it, since an
    exporter would try again for many seconds."""
    for signal, provider in (("TRACES", spans), ("LOGS", events)):
        named = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        url = urlsplit(named or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection((url.hostname or "", port), timeout=REACH_SECONDS).close()
        except OSError as error:
            told = f"no collector at {url.hostname}:{port} ({error}); the last {signal.lower()} are lost"
            with suppress(Exception):
                sys.stderr.write(f"warning: {told}\n")
        else:
            provider.shutdown()


def own_providers() -> tuple[Any, Any]:
    """Return a provider of spans and one of events that send to OpenTelemetry's usual address; `close` ends them.

    Raises:
        ConfigError: OpenTelemetry's exporter is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracing needs the package {error.name}", next_step="pip install 'solon[tracing]'"
        ) from None
    resource = Resource.create({"service.name": "solon"})
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)  # `close` ends them
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    events = LoggerProvider(resource=resource, shutdown_on_exit=False)
    events.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    return spans, events


def call_attributes(
    *, run: str, item: str, role: str, seat: str, template: str, model: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attributes of a model call's span that are known before the call; `model` is `provider:model`."""
    provider, _, short = model.partition(":")
    return {
        "session.id": run,
        "solon.item": item,
        "solon.role": role,
        "solon.seat": seat or None,
        "solon.template": template,
        "llm.provider": provider,
        "llm.model_name": short,
        "llm.invocation_parameters": json.dumps(dict(parameters), default=str),
    }
