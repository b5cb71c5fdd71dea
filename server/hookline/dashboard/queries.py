"""The queries of all screens. Each reads few rows, by an index, whatever the number of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hookline.dashboard.reading import Reader
from hookline.postgres.views import Alert, Queue, Status

__all__ = ["COUNTED", "LatestFailure", "MovedJobs", "Queries"]

COUNTED = 1000
"""Where a page stops to count: it then says "more than 1,000"."""


@dataclass(frozen=True, slots=True)
class MovedJobs:
    """How many jobs, of those that took a step lately, are in a status now."""

    status: str
    jobs: int


@dataclass(frozen=True, slots=True)
class LatestFailure:
    """A job that failed for good."""

    job_id: UUID
    filename: str
    code: str | None
    error: str | None
    failed_at: datetime


class Queries:
    """What the screens ask. Every method may raise DatabaseError."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def statuses(self) -> Sequence[Status]:
        """The states of the machine: the initial one first, the finished ones last."""
        return await self._reader.rows(
            Status,
            "statuses",
            'order by terminal, not initial, has_content, claimable, failed, status collate "C"',
        )

    async def alerts(self) -> Sequence[Alert]:
        """What needs a person."""
        return await self._reader.rows(Alert, "alerts", "order by alert, subject")

    async def queues(self) -> Sequence[Queue]:
        """Every place where work can wait."""
        return await self._reader.rows(Queue, "queue_health", "order by queue")

    async def moved_jobs(self, since: datetime) -> Sequence[MovedJobs]:
        """Where the jobs are now that took a step since then; of more than COUNTED, the latest."""
        return await self._reader.select(
            MovedJobs,
            "select m.status, count(*) as jobs from ("
            " select j.status from upload_pipeline.job_overview as j"
            " where j.updated_at >= %(since)s order by j.updated_at desc limit %(limit)s"
            ") as m group by m.status",
            since=since,
            limit=COUNTED + 1,
        )

    async def failed_jobs(self) -> int:
        """How many jobs have failed for good; COUNTED + 1 for all numbers above."""
        found = await self._reader.value(
            "select count(*) from (select 1 from upload_pipeline.failed_jobs limit %(limit)s) as f",
            limit=COUNTED + 1,
        )
        return found if isinstance(found, int) else 0

    async def latest_failures(self, limit: int) -> Sequence[LatestFailure]:
        """The jobs that failed last, the latest first."""
        return await self._reader.rows(
            LatestFailure, "failed_jobs", "order by failed_at desc limit %(limit)s", limit=limit
        )
