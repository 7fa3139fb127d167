"""Prometheus metrics of one server: numbers only, never texts or names."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counters of this process, and gauges that are read from the store when asked."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "solon_answers_total",
            "Answers taken in, by what became of them.",
            ["kind"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "solon_request_seconds",
            "Time to answer a request.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )
        self._reviews = Gauge("solon_reviews", "Reviews that wait.", ["state"], registry=self.registry)
        self._to_apply = Gauge(
            "solon_decisions_to_apply", "Decisions that wait for a worker.", registry=self.registry
        )

    def render(self, counts: dict[str, Any]) -> bytes:
        """Return all metrics in the text format of Prometheus; `counts` are those of `Live.counts`."""
        for state in ("free", "leased", "escalated", "opening"):
            self._reviews.labels(state).set(counts[state])
        self._to_apply.set(counts["to_apply"])
        return generate_latest(self.registry)
