"""The metric of lost log lines, for the registry of a receiver or a worker."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from hookline.process import logs

__all__ = ["LogLines"]


class LogLines(Collector):
    """hookline_log_lines_lost_total: of this process, also if it runs both receiver and worker."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Called at each scrape."""
        yield CounterMetricFamily(
            "hookline_log_lines_lost",
            "Log lines that could not be written",
            value=logs.lines_lost(),
        )
