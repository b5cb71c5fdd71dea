"""The metrics of several processes as one exposition: the sum of theirs.

The state of the jobs is that of the process which has read it last. A process that has ended keeps
its counts, so that no sum goes backwards.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from hookline.process.postgres_metrics import AGE, STATE

__all__ = ["SumOfMetrics"]

_COUNTING = frozenset({"counter", "histogram", "summary"})
# prometheus_client adds to each counter and histogram the time of its creation, as a gauge.
_CREATED = "_created"
_OF_POSTGRES = STATE | {AGE}
# Of these the largest counts, not the sum.
_LARGEST = frozenset({"hookline_event_loop_lag_seconds"})


class SumOfMetrics(Collector):
    """What each process reported last, and the counts of those that have ended."""

    def __init__(self) -> None:
        self._running: dict[Hashable, list[Metric]] = {}
        self._states: dict[Hashable, list[Metric]] = {}
        self._ended: list[Metric] = []

    def report(self, process: Hashable, exposition: str) -> None:
        """Take what a process exposes now, in the text format 0.0.4 of Prometheus."""
        families = list(text_string_to_metric_families(exposition))
        self._running[process] = [one for one in families if one.name not in _OF_POSTGRES]
        self._states[process] = [one for one in families if one.name in _OF_POSTGRES]

    def miss(self, process: Hashable) -> None:
        """The process does not answer. Its counts stay, and what it read of the jobs is too old."""
        self._states.pop(process, None)

    def end(self, process: Hashable) -> None:
        """The process has ended. What it counted since its last report is not known."""
        last = self._running.pop(process, [])
        self._states.pop(process, None)
        counts = [one for one in last if one.type in _COUNTING or one.name.endswith(_CREATED)]
        self._ended = list(_sum([*self._ended, *counts]))

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        reported = [family for families in self._running.values() for family in families]
        yield from _sum([*self._ended, *reported])
        yield from min(self._states.values(), key=_age, default=())

    def exposition(self) -> bytes:
        """The sum, in the same format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)


def _age(state: Iterable[Metric]) -> float:
    ages = (sample.value for family in state if family.name == AGE for sample in family.samples)
    return next(ages, math.inf)


def _sum(families: Iterable[Metric]) -> Iterator[Metric]:
    sums: dict[str, Metric] = {}
    values: dict[Hashable, float] = {}
    for family in families:
        whole = sums.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            if key not in values:
                whole.samples.append(sample)
                values[key] = sample.value
            elif family.name.endswith(_CREATED):
                values[key] = min(values[key], sample.value)
            elif family.name in _LARGEST:
                values[key] = max(values[key], sample.value)
            else:
                values[key] += sample.value
    for whole in sums.values():
        whole.samples = [
            sample._replace(value=values[sample.name, *sorted(sample.labels.items())])
            for sample in whole.samples
        ]
        yield whole
