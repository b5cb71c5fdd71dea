"""How much was done in each minute, from the counters that Postgres keeps. No jobs are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hookline.dashboard.reading import Reader

__all__ = ["MINUTES", "ActivityQueries", "Minute", "by_minute"]

MINUTES = 60
"""How many minutes a small plot shows."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What was counted in one minute. `subject` is a status or a source."""

    subject: str
    at: datetime
    count: int


class ActivityQueries:
    """Counts of the last MINUTES minutes. Every method may raise DatabaseError."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def left(self) -> Sequence[Minute]:
        """How many jobs left each status."""
        return await self._reader.select(
            Minute,
            "select from_status as subject, at, sum(count)::bigint as count"
            " from upload_pipeline.activity where at > %(since)s and from_status <> to_status"
            " and span = interval '1 minute' group by from_status, at",
            since=_first_minute(self._reader.now),
        )

    async def failed(self) -> Sequence[Minute]:
        """How many jobs failed for good, by the status in which they ended."""
        return await self._reader.select(
            Minute,
            "select to_status as subject, at, sum(count)::bigint as count"
            " from upload_pipeline.activity where at > %(since)s and failed"
            " and from_status <> to_status and span = interval '1 minute' group by to_status, at",
            since=_first_minute(self._reader.now),
        )

    async def deliveries(self) -> Sequence[Minute]:
        """How many deliveries of each source came and were not refused."""
        return await self._reader.select(
            Minute,
            "select source as subject, at, sum(count)::bigint as count"
            " from upload_pipeline.delivery_activity where at > %(since)s and reason is null"
            " and span = interval '1 minute' group by source, at",
            since=_first_minute(self._reader.now),
        )


def by_minute(minutes: Iterable[Minute], now: datetime) -> Mapping[str, Sequence[int]]:
    """For each subject MINUTES numbers, the current minute last."""
    first = _first_minute(now)
    found: dict[str, list[int]] = {}
    for one in minutes:
        place = int((one.at - first) / timedelta(minutes=1)) - 1
        if 0 <= place < MINUTES:
            found.setdefault(one.subject, [0] * MINUTES)[place] += one.count
    return found


def _first_minute(now: datetime) -> datetime:
    """The minute before the first one that counts."""
    return now.astimezone(UTC).replace(second=0, microsecond=0) - timedelta(minutes=MINUTES)
