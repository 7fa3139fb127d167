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
import logging
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
SEND_SECONDS = 2.0
"""How long one sending may take, tries included, where the environment says nothing else."""
ENDPOINT, TIMEOUT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TIMEOUT"
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


class _Sender:
    """An exporter that tells its first failure by address and next step, and that sends no more after a failure once
    the process ends: what is left would take as long again, part by part.

    Args:
        exporter: of OpenTelemetry.
        signal: what it sends, `TRACES` or `LOGS`.
    """

    closing = False

    def __init__(self, exporter: Any, signal: str) -> None:
        self._exporter, self._signal, self._failed = exporter, signal, False

    def export(self, batch: Any) -> Any:
        if self._failed and self.closing:
            return None
        result = self._exporter.export(batch)
        if result is not None and result.name != "SUCCESS" and not self._failed:
            _warn(
                f"the collector at {find_collector(self._signal)} did not take {self._signal.lower()}; what it does "
                "not take is lost",
                "look at its log, and whether it takes OTLP over HTTP",
            )
        self._failed = result is not None and result.name != "SUCCESS"
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._exporter.force_flush(timeout_millis))


def find_collector(signal: str) -> str:
    """Return the address that spans (`TRACES`) or events (`LOGS`) are sent to, as the environment names it.

    Raises:
        ConfigError: it is no address over HTTP.
    """
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    name = own if os.environ.get(own) else ENDPOINT
    address = os.environ.get(name) or "http://localhost:4318"
    with suppress(ValueError):
        url = urlsplit(address)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return address
    raise ConfigError(
        f"{name}: {address[:60]!r} is no address of a collector",
        next_step="name one such as http://localhost:4318",
    )


def _warn(cause: str, next_step: str) -> None:
    with suppress(Exception):  # standard error may be closed by now
        sys.stderr.write(f"warning: {cause}\n  -> {next_step}\n")


def close(spans: Any, events: Any) -> None:
    """Let providers send what they still hold, each where its collector can be reached; else leave it, since an
    exporter would try again for many seconds."""
    _Sender.closing = True
    try:
        for signal, provider in (("TRACES", spans), ("LOGS", events)):
            if _reaches(signal):
                provider.shutdown()
    finally:
        _Sender.closing = False


def _reaches(signal: str) -> bool:
    """Whether the collector takes a connection; tells where it does not."""
    url = urlsplit(find_collector(signal))
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=REACH_SECONDS).close()
    except OSError as error:
        _warn(
            f"no collector at {url.hostname}:{port} ({error}); the last {signal.lower()} are lost",
            f"start one, or name another by {ENDPOINT}",
        )
        return False
    return True


def own_providers() -> tuple[Any, Any]:
    """Return a provider of spans and one of events that send to OpenTelemetry's usual address; `close` ends them.

    Raises:
        ConfigError: OpenTelemetry's exporter is not installed, or the environment names no address over HTTP.
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
    for signal in ("TRACES", "LOGS"):
        find_collector(signal)
    # what goes wrong is told by `_Sender`; an application that logs is told in the exporter's own words, too
    logging.getLogger("opentelemetry.exporter").addHandler(logging.NullHandler())
    to_traces: Any = _Sender(OTLPSpanExporter(timeout=_timeout("TRACES")), "TRACES")
    to_logs: Any = _Sender(OTLPLogExporter(timeout=_timeout("LOGS")), "LOGS")
    resource = Resource.create({"service.name": "solon"})
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)  # `close` ends them
    spans.add_span_processor(BatchSpanProcessor(to_traces))
    events = LoggerProvider(resource=resource, shutdown_on_exit=False)
    events.add_log_record_processor(BatchLogRecordProcessor(to_logs))
    return spans, events


def _timeout(signal: str) -> float | None:
    """None where the environment says how long a sending may take, which the exporter then reads."""
    told = os.environ.get(TIMEOUT) or os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT")
    return None if told else SEND_SECONDS


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
