"""Queries of the views, one typed coroutine a view, and one record for each kind of row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.pool import transaction
from hookline.postgres.records import CreditStatus

__all__ = [
    "HAS_METADATA",
    "METADATA_SEARCH",
    "Alert",
    "Artifact",
    "Cost",
    "Delivery",
    "DocumentOverview",
    "FailedJob",
    "GroupStatus",
    "JobOverview",
    "KnownObject",
    "LoggedRequest",
    "NotificationOverview",
    "OperatorAction",
    "ProcessOverview",
    "Queue",
    "RefusedDeliveries",
    "RefusedMinute",
    "Status",
    "TimelineEvent",
    "Transition",
    "Views",
]

Row = TypeVar("Row")

# How many jobs a search by metadata reads at most.
METADATA_SEARCH = 100_000
# By the index of deadlines, no further than it has to; and the few that somebody holds.
_OVERDUE: Final = """
  job_id in (
    select late.job_id
      from (
        (
          select one.job_id, one.deadline_at
            from unnest(%(waiting)s::text[]) as waiting (status)
            cross join lateral (
              select o.job_id, o.deadline_at
                from upload_pipeline.job_overview as o
               where o.status = waiting.status
                 and o.upload_confirmed
                 and o.leased_by is null
                 and o.deadline_at < (select upload_pipeline.clock())
               order by o.deadline_at
               limit %(overdue)s
            ) as one
        )
        union all
        (
          select o.job_id, o.deadline_at
            from upload_pipeline.job_overview as o
           where o.leased_by is not null
             and o.overdue
             and o.status = any (%(waiting)s)
        )
      ) as late
     order by late.deadline_at
     limit %(overdue)s
  )
"""
HAS_METADATA: Final = (
    "not exists (select from jsonb_each_text(%(metadata)s) as wanted"
    " where metadata ->> wanted.key is distinct from wanted.value)"
)
"""The condition that a job's metadata has these values, as texts."""

# Seconds for one query of a person: some read every row of a large table.
_READ_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class JobOverview:
    """A row of job_overview."""

    job_id: UUID
    document_id: UUID
    owner_id: UUID
    filename: str
    status: str
    version: int
    attempt: int
    max_attempts: int
    upload_confirmed: bool
    terminal: bool
    failed: bool
    has_content: bool
    overdue: bool | None
    run_after: datetime
    deadline_at: datetime | None
    leased_by: str | None
    leased_until: datetime | None
    correlation_id: str
    provider: str | None
    options: dict[str, Any]
    metadata: dict[str, Any]
    priority: int
    group_id: UUID | None
    parsed_path: str | None
    parsed_sha256: str | None
    parsed_bytes: int | None
    last_error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    waits_because: str | None


@dataclass(frozen=True, slots=True)
class DocumentOverview:
    """A row of document_overview. `job_ids`: the newest first."""

    document_id: UUID
    owner_id: UUID
    filename: str
    raw_path: str
    job_ids: list[UUID]
    purged_paths: list[str]


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """A row of job_timeline."""

    job_id: UUID
    version: int
    ts: datetime
    after_the_last: timedelta | None
    from_status: str | None
    to_status: str
    type: str
    severity: str
    code: str
    payload: dict[str, Any]
    correlation_id: str
    event_id: UUID
    document_id: UUID


@dataclass(frozen=True, slots=True)
class Cost:
    """A row of job_costs: one submission of an attempt. Credits are of the provider's unit."""

    job_id: UUID
    attempt: int
    ordinal: int
    provider: str
    reserved: Decimal
    billed: Decimal | None
    reserved_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A row of failed_jobs."""

    job_id: UUID
    document_id: UUID
    owner_id: UUID
    filename: str
    status: str
    attempt: int
    max_attempts: int
    code: str | None
    error: str | None
    correlation_id: str
    provider: str | None
    metadata: dict[str, Any]
    group_id: UUID | None
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """A row of queue_health. `queue` is a status, or a place such as `content: to store`."""

    queue: str
    waiting: int
    leased: int
    lease_expired: int
    overdue: int
    oldest: timedelta | None


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of alerts."""

    alert: str
    subject: str
    since: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """A row of artifact_overview: what the parser gave beside the markdown. It is stored."""

    job_id: UUID
    kind: str
    name: str
    path: str
    sha256: str
    bytes: int

    @property
    def label(self) -> str:
        """The kind, and the name where it has one: what `hookline cat --artifact` takes."""
        return f"{self.kind}/{self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class KnownObject:
    """A row of stored_objects: an object that should be in storage.

    Of a purged job only the path is known. `stored` is false while the content waits for storage.
    """

    path: str
    job_id: UUID | None
    bytes: int | None
    sha256: str | None
    stored: bool


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A row of provider_request_log: what a provider is to cancel or delete, or has."""

    provider: str
    parse_job_id: str
    kind: str
    job_id: UUID | None
    state: str
    result: str | None
    tries: int
    last_error: str | None
    requested_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """A row of operator_actions. `subject`: a status, or the hash of an id."""

    action_id: UUID
    at: datetime
    action: str
    subject: str | None
    login: str
    reason: str | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProcessOverview:
    """A row of workers. `statuses`: how many of the leased jobs each status has.

    `version` and `since` are None for a worker that is not connected under its name.
    """

    worker: str
    role: str
    version: str | None
    since: datetime | None
    connections: int
    leased: int
    statuses: dict[str, int]
    first_lease_ends: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """A row of statuses: a state of the machine."""

    status: str
    initial: bool
    terminal: bool
    failed: bool
    claimable: bool
    has_content: bool
    overdue_after: timedelta | None
    description: str
    retry_base: timedelta
    retry_cap: timedelta
    max_tries: int
    failure_code: str | None
    paused_until: datetime | None
    paused_because: str | None
    paused_by: str | None


@dataclass(frozen=True, slots=True)
class Transition:
    """A row of transitions: a step that the machine allows."""

    from_status: str
    to_status: str
    event_type: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of delivery_log."""

    source: str
    delivery_id: str
    outcome: str
    event_type: str
    code: str | None
    job_id: UUID | None
    parse_job_id: str | None
    times_seen: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class NotificationOverview:
    """A row of notification_log."""

    event_id: UUID
    job_id: UUID | None
    document_id: UUID | None
    version: int | None
    status: str | None
    code: str | None
    occurred_at: datetime
    state: str
    tries: int
    run_after: datetime | None
    taken_at: datetime | None
    dead_at: datetime | None
    error: str | None
    group_id: UUID | None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A row of group_status."""

    group_id: UUID
    owner_id: UUID
    total: int
    unfinished: int
    complete: int
    failed: int
    cancelled: int
    ended: bool
    created_at: datetime
    closed_at: datetime | None
    announced_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefusedMinute:
    """A row of refusal_log."""

    minute: datetime
    source: str
    reason: str
    count: int
    user_agent: str | None
    likely_cause: str | None


@dataclass(frozen=True, slots=True)
class RefusedDeliveries:
    """The rows of refusal_log of one source and reason, added up."""

    source: str
    reason: str
    count: int
    latest: datetime
    user_agent: str | None
    likely_cause: str | None


class Views:
    """Reads the views, as a login role in hookline_reader. A method may raise DatabaseError."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def jobs(
        self,
        *,
        status: str | None = None,
        failed: bool = False,
        overdue: bool = False,
        owner_id: UUID | None = None,
        since: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
        limit: int = 50,
    ) -> list[JobOverview]:
        """Jobs that pass every given filter, newest first. `since`: created then or later.

        `overdue`: past their deadline, and not waiting for their upload to be confirmed; longest
        overdue first. With other filters, SEARCH jobs of each status are searched.

        `metadata`: values that the metadata has, as texts. No index helps to find them: they are
        looked for in the newest METADATA_SEARCH jobs that pass the other filters.
        """
        clauses = ["true"]
        if status is not None:
            clauses.append("status = %(status)s")
            kind = [one for one in await self.statuses() if one.status == status]
            # Implied by the status. It lets Postgres use the indexes of unfinished and failed jobs.
            clauses += ["not terminal" for one in kind if not one.terminal]
            clauses += ["failed" for one in kind if one.failed]
        if failed:
            clauses.append("failed")
        order = "job_id desc"
        waiting: list[str] = []
        if overdue:
            clauses.append(_OVERDUE)
            order = "deadline_at, job_id"
            waiting = [one.status for one in await self.statuses() if not one.terminal]
            if status is not None:
                waiting = [one for one in waiting if one == status]
        is_filtered = failed or owner_id is not None or since is not None or bool(metadata)
        if owner_id is not None:
            clauses.append("owner_id = %(owner_id)s")
        if since is not None:
            clauses.append("job_id >= %(first)s")
        # A job's id is a UUIDv7, so the order of ids is the order of creation.
        where = f"where {' and '.join(clauses)} order by {order}"
        if metadata:
            # Only the ids and the metadata of so many jobs are read, not their whole rows.
            where = (
                "where job_id in (select job_id from ("  # noqa: S608 - text of this module
                f"select job_id, deadline_at, metadata from upload_pipeline.job_overview {where}"
                f" limit %(searched)s) as newest where {HAS_METADATA}"
                f" order by {order} limit %(limit)s) order by {order}"
            )
        return await self._select(
            JobOverview,
            "job_overview",
            f"{where} limit %(limit)s",
            status=status,
            owner_id=owner_id,
            first=None if since is None else _first_id_of(since),
            searched=METADATA_SEARCH,
            waiting=waiting,
            overdue=METADATA_SEARCH if is_filtered else limit,
            metadata=Jsonb(dict(metadata or {})),
            limit=limit,
        )

    async def jobs_of(self, job_ids: list[UUID]) -> list[JobOverview]:
        """The jobs with these ids, as far as they exist, in any order."""
        return await self._select(
            JobOverview, "job_overview", "where job_id = any(%(job_ids)s)", job_ids=job_ids
        )

    async def jobs_between(self, first: UUID, last: UUID, *, limit: int) -> list[JobOverview]:
        """Jobs with ids from `first` to `last`, both included, in the order of their ids."""
        return await self._select(
            JobOverview,
            "job_overview",
            "where job_id between %(first)s and %(last)s order by job_id limit %(limit)s",
            first=first,
            last=last,
            limit=limit,
        )

    async def documents_between(
        self, first: UUID, last: UUID, *, limit: int
    ) -> list[DocumentOverview]:
        """Documents with ids from `first` to `last`, both included, in the order of their ids."""
        return await self._select(
            DocumentOverview,
            "document_overview",
            "where document_id between %(first)s and %(last)s order by document_id limit %(limit)s",
            first=first,
            last=last,
            limit=limit,
        )

    async def owners_between(self, first: UUID, last: UUID, *, limit: int) -> list[UUID]:
        """Owners of documents with ids from `first` to `last`, each found by one index step."""
        async with transaction(self._pool, within=_READ_TIMEOUT) as connection:
            cursor = await connection.execute(
                "with recursive found (owner_id, number) as ("
                " (select owner_id, 1 from upload_pipeline.document_overview"
                " where owner_id >= %(first)s order by owner_id limit 1)"
                " union all"
                " select (select d.owner_id from upload_pipeline.document_overview as d"
                " where d.owner_id > found.owner_id order by d.owner_id limit 1), number + 1"
                " from found where found.owner_id <= %(last)s and number < %(limit)s)"
                " select owner_id from found where owner_id <= %(last)s",
                {"first": first, "last": last, "limit": limit},
            )
            return [owner_id for (owner_id,) in await cursor.fetchall()]

    async def count_documents(self, owner_id: UUID, *, at_most: int) -> int:
        """How many documents an owner has. Counts no further than `at_most`."""
        async with transaction(self._pool, within=_READ_TIMEOUT) as connection:
            cursor = await connection.execute(
                "select count(*) from (select from upload_pipeline.document_overview"
                " where owner_id = %s limit %s) as d",
                [owner_id, at_most],
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def timeline(self, job_id: UUID, *, after: int = 0) -> list[TimelineEvent]:
        """The events of a job after a version, in order. Empty if the job does not exist."""
        return await self._select(
            TimelineEvent,
            "job_timeline",
            "where job_id = %(job_id)s and version > %(after)s order by version",
            job_id=job_id,
            after=after,
        )

    async def artifacts(self, job_id: UUID) -> list[Artifact]:
        """What the parser gave beside the markdown of a job, and is stored."""
        return await self._select(
            Artifact,
            "artifact_overview",
            'where job_id = %(job_id)s order by kind, name collate "C"',
            job_id=job_id,
        )

    async def provider_requests(self, job_id: UUID) -> list[LoggedRequest]:
        """What the providers were asked to cancel or delete for a job, the oldest first."""
        return await self._select(
            LoggedRequest,
            "provider_request_log",
            "where job_id = %(job_id)s order by requested_at, parse_job_id",
            job_id=job_id,
        )

    async def failed(
        self,
        *,
        status: str | None = None,
        code: str | None = None,
        after: FailedJob | None = None,
        limit: int = 1000,
    ) -> list[FailedJob]:
        """Dead letters, oldest failure first. `after`: only those that follow this one."""
        clauses = ["true"]
        if status is not None:
            clauses.append("status = %(status)s")
        if code is not None:
            clauses.append("code = %(code)s")
        if after is not None:
            clauses.append("(failed_at, job_id) > (%(failed_at)s, %(job_id)s)")
        return await self._select(
            FailedJob,
            "failed_jobs",
            f"where {' and '.join(clauses)} order by failed_at, job_id limit %(limit)s",
            status=status,
            code=code,
            failed_at=after.failed_at if after else None,
            job_id=after.job_id if after else None,
            limit=limit,
        )

    async def alerts(self) -> list[Alert]:
        """What needs a person."""
        return await self._select(Alert, "alerts", "order by alert, subject")

    async def queue_health(self) -> list[Queue]:
        """Every place where work can wait."""
        return await self._select(Queue, "queue_health", "order by queue")

    async def workers(self) -> list[ProcessOverview]:
        """The processes that are connected, and the workers that hold jobs: workers first."""
        return await self._select(
            ProcessOverview, "workers", "order by role <> 'worker', role, worker collate \"C\""
        )

    async def objects_to_delete(self) -> int:
        """How many objects of erased documents are still to be deleted from storage."""
        found = await self._select(Queue, "queue_health", "where queue = 'object: to delete'")
        return sum(one.waiting for one in found)

    async def costs(self, job_id: UUID) -> list[Cost]:
        """What the attempts of a job cost, in the order of their submissions."""
        return await self._select(
            Cost, "job_costs", "where job_id = %(job_id)s order by attempt, ordinal", job_id=job_id
        )

    async def credit_status(self, owner_id: UUID | None = None) -> list[CreditStatus]:
        """The caps: all, or those that this owner has to keep."""
        async with transaction(self._pool, within=_READ_TIMEOUT) as connection:
            cursor = await connection.execute(
                "select c.provider, c.scope, c.owner_id, c.period, c.credits, c.used, c.remaining,"
                " c.starts_at, c.resets_at from upload_pipeline.credit_status as c"
                " where %(owner_id)s::uuid is null or c.owner_id is null"
                " or c.owner_id = %(owner_id)s"
                " order by c.scope, c.owner_id nulls first, c.provider, c.resets_at",
                {"owner_id": owner_id},
            )
            return [CreditStatus._make(row) for row in await cursor.fetchall()]

    async def deliveries(
        self,
        *,
        job_id: UUID | None = None,
        source: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """Deliveries that pass every given filter, newest first. `since` is about first_seen."""
        clauses = ["true"]
        if job_id is not None:
            clauses.append("job_id = %(job_id)s")
        if outcome is not None:
            clauses.append("outcome = %(outcome)s")
        if since is not None:
            clauses.append("first_seen >= %(since)s")
        values = {"job_id": job_id, "outcome": outcome, "since": since, "limit": limit}
        sources: list[str | None] = [source]
        if source is None and job_id is None:
            # One query for each source, because the index begins with it.
            sources = [*await self.sources()]
        if source is not None or job_id is None:
            clauses.append("source = %(source)s")
        newest = f"where {' and '.join(clauses)} order by first_seen desc limit %(limit)s"
        found = [
            delivery
            for one in sources
            for delivery in await self._select(
                Delivery, "delivery_log", newest, source=one, **values
            )
        ]
        return sorted(found, key=lambda one: one.first_seen, reverse=True)[:limit]

    async def group(self, group_id: UUID) -> GroupStatus | None:
        """The jobs of a group, counted; None if there is no such group."""
        found = await self._select(
            GroupStatus, "group_status", "where group_id = %(group_id)s", group_id=group_id
        )
        return found[0] if found else None

    async def notifications(
        self, *, job_id: UUID | None = None, dead: bool = False, limit: int = 50
    ) -> list[NotificationOverview]:
        """Notifications of a job, or the newest of all; `dead`: only those given up."""
        clauses = ["true"]
        if job_id is not None:
            clauses.append("job_id = %(job_id)s")
        if dead:
            clauses.append("dead_at is not null")
        order = "dead_at" if dead else "event_id"
        return await self._select(
            NotificationOverview,
            "notification_log",
            f"where {' and '.join(clauses)} order by {order} desc limit %(limit)s",
            job_id=job_id,
            limit=limit,
        )

    async def sources(self) -> list[str]:
        """The sources of all deliveries, each found by one step in the index."""
        async with transaction(self._pool, within=_READ_TIMEOUT) as connection:
            cursor = await connection.execute(
                "with recursive found (source) as ("
                " (select source from upload_pipeline.delivery_log order by source limit 1)"
                " union all"
                " select (select d.source from upload_pipeline.delivery_log as d"
                " where d.source > found.source order by d.source limit 1)"
                " from found where found.source is not null)"
                " select source from found where source is not null"
            )
            return [source for (source,) in await cursor.fetchall()]

    async def refused(
        self, *, source: str | None = None, since: datetime | None = None, limit: int = 50
    ) -> list[RefusedMinute]:
        """What was refused, minute by minute, newest first."""
        clauses = ["true"]
        if source is not None:
            clauses.append("source = %(source)s")
        if since is not None:
            clauses.append("minute >= date_trunc('minute', %(since)s::timestamptz)")
        return await self._select(
            RefusedMinute,
            "refusal_log",
            f"where {' and '.join(clauses)} order by minute desc, count desc, source, reason"
            " limit %(limit)s",
            source=source,
            since=since,
            limit=limit,
        )

    async def refused_since(self, moment: datetime) -> list[RefusedDeliveries]:
        """What was refused since then, by source and reason, the most frequent first."""
        async with transaction(self._pool, within=_READ_TIMEOUT) as connection:
            cursor = connection.cursor(row_factory=class_row(RefusedDeliveries))
            await cursor.execute(
                "select source, reason, sum(count)::bigint as count, max(minute) as latest,"
                " (array_agg(user_agent order by minute desc)"
                " filter (where user_agent is not null))[1] as user_agent,"
                " max(likely_cause) as likely_cause"
                " from upload_pipeline.refusal_log where minute >= %s"
                " group by source, reason order by count desc, source, reason",
                [moment],
            )
            return await cursor.fetchall()

    async def known_objects(self, paths: list[str]) -> list[KnownObject]:
        """The objects with these paths, as far as the database knows them."""
        found = await self._select(
            KnownObject,
            "stored_objects",
            "where job_id is not null and path = any(%(paths)s)",
            paths=paths,
        )
        # A query of its own, since no index helps it. For most paths it is not needed.
        if rest := list(set(paths).difference(known.path for known in found)):
            found += await self._select(
                KnownObject,
                "stored_objects",
                "where job_id is null and path = any(%(paths)s)",
                paths=rest,
            )
        return found

    async def stored_after(self, path: str, *, limit: int) -> list[KnownObject]:
        """The next stored objects of jobs after `path`, in the order of their paths."""
        return await self._select(
            KnownObject,
            "stored_objects",
            "where job_id is not null and stored and path > %(path)s order by path limit %(limit)s",
            path=path,
            limit=limit,
        )

    async def statuses(self) -> list[Status]:
        """The states of the machine, in the order of their names."""
        return await self._select(Status, "statuses", 'order by status collate "C"')

    async def transitions(self) -> list[Transition]:
        """The steps of the machine, disabled ones too, in the order of their names."""
        return await self._select(
            Transition,
            "transitions",
            'order by from_status collate "C", to_status collate "C", event_type',
        )

    async def _select(
        self, kind: type[Row], view: str, clauses: str, **values: object
    ) -> list[Row]:
        columns = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
        # All three are text of this module. Values are always parameters.
        query = f"select {columns} from upload_pipeline.{view} {clauses}"  # noqa: S608
        async with transaction(self._pool, within=_READ_TIMEOUT) as connection:
            cursor = connection.cursor(row_factory=class_row(kind))
            await cursor.execute(query.encode(), values)
            return await cursor.fetchall()


def _first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 that can be made from this moment on: RFC 9562, section 5.7."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=max(milliseconds, 0) << 80)
