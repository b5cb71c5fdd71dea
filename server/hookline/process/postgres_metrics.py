"""The state of all jobs, for Prometheus, as Postgres tells it to each receiver and worker.

Postgres is asked once every 15 seconds in the background, and never by a scrape: however many ask
for the metrics, the database sees one query. Each process shows the same numbers, so queries take
their maximum over the processes, not their sum.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError
from hookline.postgres.records import Measurement
from hookline.timing import wait_until_set

__all__ = ["AGE", "STATE", "PostgresMetrics"]

log = structlog.get_logger("hookline.metrics")

# Seconds between two readings.
_INTERVAL = 15.0
# Seconds between two looks at the event loop.
_LAG_INTERVAL = 1.0

# Each metric of read_metrics: whether it is a counter, its labels, and its help.
_METRICS: dict[str, tuple[bool, tuple[str, ...], str]] = {
    "jobs": (False, ("status",), "Jobs in a status"),
    "steps": (True, ("status", "code"), "Steps of jobs, by the status they led to"),
    "deliveries": (True, ("source", "outcome"), "Deliveries that receivers accepted"),
    "queue_items": (False, ("queue",), "Jobs, contents, deliveries or objects that wait"),
    "queue_leased": (False, ("queue",), "Jobs of the queue that a worker holds"),
    "queue_leases_expired": (False, ("queue",), "Leases that expired and that nobody has swept"),
    "queue_overdue": (False, ("queue",), "Items that wait longer than they should"),
    "queue_oldest_seconds": (False, ("queue",), "Time since the oldest item came or took a step"),
    "source_silence_seconds": (False, ("source",), "Time since the last delivery of a source"),
    "credits_used": (False, ("provider", "period"), "Credits used by all owners"),
    "credits_cap": (False, ("provider", "period"), "Credits that all owners may use"),
    "dead_letters": (False, ("code",), "Dead letters by error, of the 1000 that failed last"),
    "alerts": (False, ("alert", "severity"), "Rows of the view alerts"),
}

AGE = "hookline_reading_age_seconds"
"""How old the numbers of STATE are that a process shows."""
STATE = frozenset(f"hookline_{name}" for name in _METRICS)
"""Metrics that each process shows alike. They are not added up over processes."""


class PostgresMetrics(Collector):
    """Reads in `run` and shows the last reading at each scrape, with its age."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._engine = Engine(pool)
        self._reading: Sequence[Measurement] = ()
        self._read_at: float | None = None
        self._lag = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping` is set. While Postgres is away, the last reading grows old."""
        lag = asyncio.create_task(self._measure_lag(), name="event loop lag")
        try:
            await self.read()
            while not await wait_until_set(stopping, _INTERVAL):
                await self.read()
        finally:
            lag.cancel()

    async def read(self) -> None:
        """Ask Postgres once. A failure is logged."""
        try:
            self._reading = await self._engine.read_metrics()
            self._read_at = time.monotonic()
        except DatabaseError as error:
            log.warning("metrics_wait", reason=str(error))

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._lag = max(0.0, loop.time() - due)

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for name, (is_counter, labels, text) in _METRICS.items():
            kind = CounterMetricFamily if is_counter else GaugeMetricFamily
            families[name] = kind(f"hookline_{name}", text, labels=labels)
        for one in self._reading:
            # A newer database may have metrics that this program does not know.
            if (family := families.get(one.metric)) is not None:
                values = [str(one.labels[label]) for label in _METRICS[one.metric][1]]
                family.add_metric(values, one.value)
        yield from families.values()
        if self._read_at is not None:
            yield GaugeMetricFamily(
                AGE,
                "Time since the numbers of Postgres were read",
                value=time.monotonic() - self._read_at,
            )
        stats = self._pool.get_stats()
        pool = GaugeMetricFamily(
            "hookline_pool_connections", "Connections to Postgres", labels=["state"]
        )
        idle = stats.get("pool_available", 0)
        pool.add_metric(["idle"], idle)
        pool.add_metric(["used"], max(0, stats.get("pool_size", 0) - idle))
        yield pool
        yield GaugeMetricFamily(
            "hookline_pool_waiting_calls",
            "Calls that wait for a connection",
            value=stats.get("requests_waiting", 0),
        )
        yield GaugeMetricFamily(
            "hookline_event_loop_lag_seconds",
            "How late the event loop came back to a task that slept for a second",
            value=self._lag,
        )
