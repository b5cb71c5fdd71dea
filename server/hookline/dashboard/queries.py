"""The queries of all screens. Each reads few rows, by an index, whatever the number of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hookline.dashboard.reading import Reader
from hookline.postgres.views import (
    Alert,
    Artifact,
    Delivery,
    JobOverview,
    KnownObject,
    LoggedRequest,
    OperatorAction,
    ProcessOverview,
    Queue,
    Status,
    TimelineEvent,
    Transition,
)

__all__ = [
    "MOST_ARTIFACTS",
    "MOST_STEPS",
    "LatestFailure",
    "MinuteOfWork",
    "Provider",
    "Queries",
    "StatusCount",
]

MOST_STEPS = 1000
"""Steps of one job that a page shows: the first ones."""

MOST_ARTIFACTS = 100
"""Artifacts of one job that a page shows."""

_MOST_DELIVERIES = 100

COUNTED = 1000
"""Where a page stops to count: it then says "more than 1,000"."""


@dataclass(frozen=True, slots=True)
class MinuteOfWork:
    """The steps of all jobs in one minute.

    `arrived` of them brought a text, `failed` of them were failures for good.
    """

    at: datetime
    steps: int
    arrived: int
    failed: int


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many jobs a status has."""

    status: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Provider:
    """A parser that a job may name."""

    provider: str


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

    async def actions(
        self, *, subject: str | None = None, before: UUID | None = None, limit: int
    ) -> Sequence[OperatorAction]:
        """What operators did, latest first: about a subject, and before an action."""
        clauses = ["true"]
        if subject is not None:
            clauses.append("subject = %(subject)s")
        if before is not None:
            clauses.append(
                "(at, action_id) < (select a.at, a.action_id"
                " from upload_pipeline.operator_actions as a where a.action_id = %(before)s)"
            )
        return await self._reader.rows(
            OperatorAction,
            "operator_actions",
            f"where {' and '.join(clauses)} order by at desc, action_id desc limit %(limit)s",
            subject=subject,
            before=before,
            limit=limit,
        )

    async def workers(self) -> Sequence[ProcessOverview]:
        """The processes that are connected, and the workers that hold jobs: workers first."""
        return await self._reader.rows(
            ProcessOverview, "workers", "order by role <> 'worker', role, worker collate \"C\""
        )

    async def providers(self) -> Sequence[Provider]:
        """The parsers that a job may name, by name."""
        return await self._reader.rows(Provider, "providers", "order by provider")

    async def status_counts(self) -> Sequence[StatusCount]:
        """The number of jobs of each status, exact, without counting jobs."""
        return await self._reader.rows(StatusCount, "status_counts", "")

    async def work(self, since: datetime) -> Sequence[MinuteOfWork]:
        """What was done in each minute since then that had any work."""
        return await self._reader.select(
            MinuteOfWork,
            "select a.at, sum(a.count)::bigint as steps,"
            " coalesce(sum(a.count) filter (where t.has_content and not t.failed"
            " and f.has_content is not true), 0)::bigint as arrived,"
            " coalesce(sum(a.count) filter (where a.failed), 0)::bigint as failed"
            " from upload_pipeline.activity as a"
            " join upload_pipeline.statuses as t on t.status = a.to_status"
            " left join upload_pipeline.statuses as f on f.status = a.from_status"
            " where a.at >= %(since)s and a.span = interval '1 minute' group by a.at order by a.at",
            since=since,
        )

    async def latest_failures(self, limit: int) -> Sequence[LatestFailure]:
        """The jobs that failed last, the latest first."""
        return await self._reader.rows(
            LatestFailure, "failed_jobs", "order by failed_at desc limit %(limit)s", limit=limit
        )

    async def job(self, job_id: UUID) -> JobOverview | None:
        """One job."""
        found = await self._reader.rows(
            JobOverview, "job_overview", "where job_id = %(job_id)s", job_id=job_id
        )
        return found[0] if found else None

    async def jobs(self, job_ids: Sequence[UUID]) -> Sequence[JobOverview]:
        """The jobs with these ids, as far as they exist, newest first."""
        return await self._reader.rows(
            JobOverview,
            "job_overview",
            "where job_id = any(%(job_ids)s) order by job_id desc",
            job_ids=list(job_ids),
        )

    async def timeline(self, job_id: UUID) -> Sequence[TimelineEvent]:
        """The first MOST_STEPS steps of a job, in order."""
        return await self._reader.rows(
            TimelineEvent,
            "job_timeline",
            "where job_id = %(job_id)s order by version limit %(limit)s",
            job_id=job_id,
            limit=MOST_STEPS,
        )

    async def steps_from(self, status: str) -> Sequence[Transition]:
        """The steps that the machine allows from a status."""
        return await self._reader.rows(
            Transition, "transitions", "where from_status = %(status)s and enabled", status=status
        )

    async def deliveries_of(self, job_id: UUID) -> Sequence[Delivery]:
        """The latest deliveries about a job, the oldest first."""
        found = await self._reader.rows(
            Delivery,
            "delivery_log",
            "where job_id = %(job_id)s order by first_seen desc limit %(limit)s",
            job_id=job_id,
            limit=_MOST_DELIVERIES,
        )
        return found[::-1]

    async def contents_of(self, job_id: UUID) -> Sequence[KnownObject]:
        """The contents of a job that have a path, without its artifacts."""
        return await self._reader.rows(
            KnownObject,
            "stored_objects",
            "where job_id = %(job_id)s and path not in"
            " (select path from upload_pipeline.artifact_overview where job_id = %(job_id)s)"
            " order by path limit %(limit)s",
            job_id=job_id,
            limit=_MOST_DELIVERIES,
        )

    async def artifacts_of(self, job_id: UUID) -> Sequence[Artifact]:
        """The first artifacts of a job, by kind and name."""
        return await self._reader.rows(
            Artifact,
            "artifact_overview",
            'where job_id = %(job_id)s order by kind, name collate "C" limit %(limit)s',
            job_id=job_id,
            limit=MOST_ARTIFACTS,
        )

    async def artifact(self, job_id: UUID, kind: str, name: str) -> Artifact | None:
        """One artifact of a job."""
        found = await self._reader.rows(
            Artifact,
            "artifact_overview",
            "where job_id = %(job_id)s and kind = %(word)s and name = %(name)s",
            job_id=job_id,
            word=kind,
            name=name,
        )
        return found[0] if found else None

    async def requests_of(self, job_id: UUID) -> Sequence[LoggedRequest]:
        """What the providers were asked to cancel for a job, the oldest first."""
        return await self._reader.rows(
            LoggedRequest,
            "provider_request_log",
            "where job_id = %(job_id)s order by requested_at, parse_job_id limit %(limit)s",
            job_id=job_id,
            limit=_MOST_DELIVERIES,
        )

    async def jobs_of_document(self, document_id: UUID) -> Sequence[UUID]:
        """The ids of all jobs of a document, newest first."""
        found = await self._reader.value(
            "select job_ids from upload_pipeline.document_overview"
            " where document_id = %(document_id)s",
            document_id=document_id,
        )
        return found if isinstance(found, list) else []
