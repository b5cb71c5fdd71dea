"""The metrics of a worker: counters of its own, and the state of all jobs from Postgres."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hookline.process.log_metrics import LogLines
from hookline.process.postgres_metrics import PostgresMetrics

__all__ = ["WorkerMetrics"]

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class WorkerMetrics:
    """The counters of one worker. Each has its own registry, so two in one process do not mix.

    `state` is what Postgres says of all jobs.
    """

    def __init__(self, state: PostgresMetrics | None = None) -> None:
        self._registry = CollectorRegistry()
        self._claimed = Counter(
            "hookline_jobs_claimed", "Jobs claimed", ["stage"], registry=self._registry
        )
        self._ended = Counter(
            "hookline_jobs_ended",
            "Executions ended: advanced, handed_over, failed, deferred, released or lost",
            ["stage", "result"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "hookline_job_seconds",
            "Seconds from the claim of a job to the end of its execution",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "hookline_jobs_in_flight",
            "Jobs that a handler works on now",
            ["stage"],
            registry=self._registry,
        )
        self._notifications = Counter(
            "hookline_notifications",
            "Tries to tell the application, by what became of the notification: taken, waiting,"
            " dead or lost",
            ["state"],
            registry=self._registry,
        )
        self._notification_seconds = Histogram(
            "hookline_notification_seconds",
            "Seconds until the application answered, or did not",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(LogLines())
        if state is not None:
            self._registry.register(state)

    def show_stage(self, stage: str) -> None:
        """Show a stage with zeros before its first job."""
        self._claimed.labels(stage)
        self._in_flight.labels(stage)

    def count_claimed(self, stage: str) -> None:
        """Count a claimed job. For each, count_ended is called once."""
        self._claimed.labels(stage).inc()
        self._in_flight.labels(stage).inc()

    def count_ended(self, stage: str, result: str, seconds: float) -> None:
        """Count the end of an execution; `result` is how it ended."""
        self._ended.labels(stage, result).inc()
        self._seconds.labels(stage).observe(seconds)
        self._in_flight.labels(stage).dec()

    def observe_notification(self, seconds: float) -> None:
        """Count a try to tell the application, which took so many seconds."""
        self._notification_seconds.observe(seconds)

    def count_notification(self, state: str) -> None:
        """Count the end of a try; `lost`: not sent in time, or the lease or the job has ended."""
        self._notifications.labels(state).inc()

    async def exposition(self) -> bytes:
        """All counters in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)
