"""The metrics of a receiver: counters of its own, and the state of all jobs from Postgres."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hookline.process.log_metrics import LogLines
from hookline.process.postgres_metrics import PostgresMetrics
from hookline.receiver.bodies import BodyBudget

__all__ = ["ReceiverMetrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ReceiverMetrics:
    """The metrics of one receiver. Its registry is its own, so two in one process do not mix.

    `state` is what Postgres says of all jobs.
    """

    def __init__(self, state: PostgresMetrics | None = None) -> None:
        self._registry = CollectorRegistry()
        self._webhooks = Counter(
            "hookline_webhooks",
            "Deliveries answered",
            ["source", "outcome", "http"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "hookline_webhook_seconds",
            "Time from headers to answer",
            ["source"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._drained = Counter(
            "hookline_drained_total",
            "Objects that the drain wrote, deleted or failed at",
            ["result"],
            registry=self._registry,
        )
        self._bodies = Gauge("hookline_bodies_bytes", "Bodies in memory", registry=self._registry)
        self._registry.register(LogLines())
        if state is not None:
            self._registry.register(state)

    def watch_bodies(self, bodies: BodyBudget) -> None:
        """Report how many bytes `bodies` holds at the time of a scrape."""
        self._bodies.set_function(lambda: bodies.in_use)

    def count(self, source: str, outcome: str, http: int, seconds: float) -> None:
        """Count a delivery that was answered."""
        key = (source, outcome, http)
        # Looking up a series by its labels costs more than counting in it.
        if (series := self._series.get(key)) is None:
            series = self._webhooks.labels(source, outcome, str(http)), self._seconds.labels(source)
            self._series[key] = series
        answered, took = series
        answered.inc()
        took.observe(seconds)

    def count_drained(self, result: str) -> None:
        """Count an object that the drain handled: `stored`, `deleted` or `failed`."""
        self._drained.labels(result).inc()

    async def exposition(self) -> bytes:
        """All metrics in the text format 0.0.4 of Prometheus."""
        return generate_latest(self._registry)
