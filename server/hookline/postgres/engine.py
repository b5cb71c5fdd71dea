"""The functions of schema upload_pipeline, one typed coroutine for each. The rules are in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Unpack
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.deliveries import Content, Notice
from hookline.postgres.errors import DatabaseError, error_of
from hookline.postgres.pool import CALL_TIMEOUT, transaction
from hookline.postgres.records import (
    AcceptedDeliveries,
    ArtifactPlace,
    ClaimedContent,
    CreditStatus,
    Job,
    JobRequest,
    Measurement,
    NewArtifact,
    Notification,
    OpenReservation,
    ProviderRequest,
    Receipt,
    Refusals,
    Reservation,
    Told,
)

__all__ = [
    "Engine",
]

# The lowest rate of sending content, in bytes a second. The time limit of a call grows with the
# size of its content.
_SLOWEST = 2**20
# Time limit in seconds for a claim of contents, whose size is not known before.
_LARGEST_CONTENT = 60.0


_ANSWER = b"""
select outcome, job_id, document_id, status, version, event_id, ordinal, path,
  sqlstate, message, detail, hint
"""
# As JSON, all deliveries are one parameter, which costs the least to send.
_RECEIVE_EVENTS = (
    _ANSWER
    + b"""
from upload_pipeline.receive_events(array(
  select d from pg_catalog.json_populate_recordset(null::upload_pipeline.delivery, %s::json) as d
))
order by number
"""
)
_ADVANCE_JOBS = (
    _ANSWER
    + b"""
from upload_pipeline.advance_jobs(
  job_ids => %s, lease_tokens => %s, codes => %s, payloads => %s
)
order by number
"""
)


def _receipt_or_error(answer: Sequence[Any]) -> Receipt | DatabaseError:
    *receipt, sqlstate, message, detail, hint = answer
    if sqlstate is None:
        return Receipt(*receipt)
    return error_of(sqlstate, message, detail=detail, hint=hint)


class Engine:
    """Calls the SQL functions. Each method is one transaction, and may raise DatabaseError."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    @property
    def pool(self) -> AsyncConnectionPool:
        """The pool that all calls share."""
        return self._pool

    async def receive_events(
        self, deliveries: Sequence[tuple[str, str, Notice]]
    ) -> list[Receipt | DatabaseError]:
        """Take many deliveries without content: each a source, the SHA-256 of its body, a notice.

        The answers are in the same order: each a receipt, or the exception that receive_event would
        raise. Unavailable with SQLSTATE 55P03: another session holds the job, and receive_event
        would wait for it.
        """
        rows = [
            {
                "source": source,
                "delivery_id": notice.delivery_id,
                "body_sha256": body_sha256,
                "event_type": notice.event_type,
                "code": notice.code,
                "job_id": None if notice.job_id is None else str(notice.job_id),
                "document_id": None if notice.document_id is None else str(notice.document_id),
                "parse_job_id": notice.parse_job_id,
                "payload": notice.payload,
                "correlation_id": notice.correlation_id,
                "attempt": notice.attempt,
            }
            for source, body_sha256, notice in deliveries
        ]
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(_RECEIVE_EVENTS, [json.dumps(rows)], binary=True)
            answers = await cursor.fetchall()
        return [_receipt_or_error(answer) for answer in answers]

    async def receive_event(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        """Take a delivery without content. Waits for its job if another session holds it.

        Raises UnknownJob, DocumentMismatch, DeliveryConflict.
        """
        return await self._receipt(
            "receive_event",
            source=source,
            delivery_id=notice.delivery_id,
            body_sha256=body_sha256,
            event_type=notice.event_type,
            code=notice.code,
            job_id=notice.job_id,
            document_id=notice.document_id,
            parse_job_id=notice.parse_job_id,
            payload=Jsonb(notice.payload),
            correlation_id=notice.correlation_id,
            attempt=notice.attempt,
        )

    async def receive_content(self, source: str, body_sha256: str, content: Content) -> Receipt:
        """Take a delivery with content, and keep its bytes in Postgres.

        With outcome `kept`, write the content to the receipt's path, then call finish_content.

        Raises UnknownJob, DocumentMismatch, DeliveryConflict, UnusableContent.
        """
        return await self._take_content(
            source,
            body_sha256,
            content,
            content=content.content,
            content_sha256=content.content_sha256,
            content_bytes=content.content_bytes,
        )

    async def expect_content(
        self, source: str, body_sha256: str, content: Content, sha256: str
    ) -> Receipt:
        """Take a delivery with content, without its bytes. `sha256` is their hash, in hex.

        With outcome `awaited` or `kept`, write the content to the receipt's path, then call
        finish_content, or keep_content if it cannot be written. Raises as receive_content does.
        """
        return await self._take_content(
            source,
            body_sha256,
            content,
            content=None,
            content_sha256=sha256,
            content_bytes=len(content.content),
        )

    async def _take_content(
        self, source: str, body_sha256: str, delivery: Content, **bytes_or_hash: object
    ) -> Receipt:
        return await self._receipt(
            "receive_content",
            source=source,
            delivery_id=delivery.delivery_id,
            body_sha256=body_sha256,
            event_type=delivery.event_type,
            job_id=delivery.job_id,
            **bytes_or_hash,
            document_id=delivery.document_id,
            parse_job_id=delivery.parse_job_id,
            attempt=delivery.attempt,
            details=Jsonb(delivery.details),
            correlation_id=delivery.correlation_id,
            recognised=delivery.recognised,
        )

    async def keep_content(self, job_id: UUID, ordinal: int, content: bytes) -> Receipt:
        """Keep awaited content in Postgres, because storage failed.

        Raises UnknownJob, UnusableContent.
        """
        return await self._receipt("keep_content", job_id=job_id, ordinal=ordinal, content=content)

    async def finish_content(self, job_id: UUID, ordinal: int) -> Receipt:
        """Say that the content is in storage now. Raises UnknownJob."""
        return await self._receipt("finish_content", job_id=job_id, ordinal=ordinal)

    async def claim_content(self) -> ClaimedContent | None:
        """The next content that waits for storage, if any. Only one, since it may be large."""
        async with transaction(self._pool, within=_LARGEST_CONTENT) as connection:
            cursor = await connection.execute(
                "select job_id, ordinal, path, content, content_sha256, tries"
                " from upload_pipeline.claim_contents(batch => 1)",
                binary=True,
            )
            row = await cursor.fetchone()
        return ClaimedContent._make(row) if row else None

    async def abandon_content(self, job_id: UUID, ordinal: int) -> None:
        """Say that storage does not have this content, whose writer has ended."""
        await self._value("abandon_content", job_id=job_id, ordinal=ordinal)

    async def claim_deletions(self, batch: int) -> list[tuple[str, int]]:
        """Objects of erased documents to be deleted now, as (path, tries)."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select path, tries from upload_pipeline.claim_deletions(batch => %s)", [batch]
            )
            return [(path, tries) for path, tries in await cursor.fetchall()]

    async def finish_deletion(self, path: str, tries: int) -> None:
        """Say that an object of an erased document is deleted, with the `tries` of its claim."""
        async with transaction(self._pool) as connection:
            await connection.execute(
                "select upload_pipeline.finish_deletion(path => %s, tries => %s)", [path, tries]
            )

    async def count_refusals(self, refusals: Sequence[Refusals]) -> None:
        """Add to the counts of refused deliveries. Raises InvalidArgument."""
        async with transaction(self._pool) as connection:
            await connection.execute(
                "select upload_pipeline.count_refusals(refusals => %s)",
                [Jsonb([asdict(one) for one in refusals])],
            )

    async def count_deliveries(self, deliveries: Sequence[AcceptedDeliveries]) -> None:
        """Add to the counts of accepted deliveries. Raises InvalidArgument."""
        async with transaction(self._pool) as connection:
            await connection.execute(
                "select upload_pipeline.count_deliveries(deliveries => %s)",
                [Jsonb([asdict(one) for one in deliveries])],
            )

    async def read_metrics(self) -> list[Measurement]:
        """The numbers for Prometheus: of all jobs, without any id."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select metric, labels, value from upload_pipeline.read_metrics()"
            )
            return [Measurement(*row) for row in await cursor.fetchall()]

    async def roll_up_activity(self) -> None:
        """Add up what was counted since the last call. Call it about once a minute."""
        async with transaction(self._pool) as connection:
            await connection.execute("select upload_pipeline.roll_up_activity()")

    async def claim_jobs(
        self,
        status: str,
        worker: str,
        *,
        batch: int = 1,
        lease: float = 60,
        provider: str | None = None,
        takes_unnamed: bool = True,
        after: UUID | None = None,
    ) -> list[Job]:
        """Claim jobs of a status, each with a lease of so many seconds. Raises InvalidArgument.

        With a `provider` these are only its jobs, and with `takes_unnamed` those that name none.
        `after`: the owner of the last job of the claim before, so that every owner has their turn.
        """
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select job_id, document_id, owner_id, filename, mime, bytes_len, file_sha256,"
                " raw_path, version, attempt, max_attempts, correlation_id, provider, options,"
                " metadata, parsed_path, parsed_sha256, parsed_bytes, parse_job_ids, lease_token,"
                " leased_until"
                " from upload_pipeline.claim_jobs("
                "status => %s, worker => %s, batch => %s, lease => %s, providers => %s::text[],"
                " takes_unnamed => %s, after => %s)",
                [
                    *(status, worker, batch, timedelta(seconds=lease)),
                    None if provider is None else [provider],
                    takes_unnamed,
                    after,
                ],
            )
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
        return [
            Job(status=status, **{**row, "parse_job_ids": tuple(row["parse_job_ids"])})
            for row in rows
        ]

    async def heartbeat(self, job_id: UUID, lease_token: UUID, *, lease: float = 60) -> datetime:
        """Extend a lease to `lease` seconds from now; its end. Raises UnknownJob, StaleLease."""
        return _moment(
            await self._value(
                "heartbeat",
                job_id=job_id,
                lease_token=lease_token,
                lease=timedelta(seconds=lease),
            )
        )

    async def release_lease(self, job_id: UUID, lease_token: UUID) -> None:
        """Give a job back without work done. No try is counted. Raises UnknownJob, StaleLease."""
        await self._value("release_lease", job_id=job_id, lease_token=lease_token)

    async def advance_job(
        self,
        job_id: UUID,
        lease_token: UUID,
        code: str,
        payload: Mapping[str, object] | None = None,
        *,
        keep_lease: bool = False,
    ) -> Receipt:
        """Move the job by the code of the step that was done. Ends the lease, unless `keep_lease`.

        Raises UnknownJob, StaleLease, IllegalTransition, InvalidArgument.
        """
        return await self._receipt(
            "advance_job",
            job_id=job_id,
            lease_token=lease_token,
            code=code,
            payload=Jsonb(dict(payload or {})),
            keep_lease=keep_lease,
        )

    async def advance_jobs(
        self, advances: Sequence[tuple[UUID, UUID, str, Mapping[str, object]]]
    ) -> list[Receipt | DatabaseError]:
        """Move many jobs: for each its id, its lease token, and code and payload of the step.

        The answers are in the same order: each a receipt, or the exception that advance_job would
        raise. Unavailable with SQLSTATE 55P03: another session holds the job, and advance_job would
        wait for it.
        """
        job_ids, lease_tokens, codes, payloads = zip(*advances, strict=True)
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                _ADVANCE_JOBS,
                [list(job_ids), list(lease_tokens), list(codes), [Jsonb(p) for p in payloads]],
                binary=True,
            )
            answers = await cursor.fetchall()
        return [_receipt_or_error(answer) for answer in answers]

    async def fail_job(
        self,
        job_id: UUID,
        lease_token: UUID,
        error: Mapping[str, object],
        *,
        permanent: bool = False,
        start_over: bool = False,
    ) -> Receipt:
        """Record a failed try; `error` is {"code": a word, "error": a text, ...}. Ends the lease.

        Raises UnknownJob, StaleLease, InvalidArgument.
        """
        return await self._receipt(
            "fail_job",
            job_id=job_id,
            lease_token=lease_token,
            error=Jsonb(dict(error)),
            permanent=permanent,
            start_over=start_over,
        )

    async def defer_job(
        self,
        job_id: UUID,
        lease_token: UUID,
        error: Mapping[str, object],
        pause: timedelta | None = None,
    ) -> Receipt:
        """Put the job off, without counting a try; `error` as for fail_job. Ends the lease.

        The job is claimable again after `pause`. Without it, the pause doubles each time.

        Raises UnknownJob, StaleLease, InvalidArgument.
        """
        return await self._receipt(
            "defer_job",
            job_id=job_id,
            lease_token=lease_token,
            error=Jsonb(dict(error)),
            until=pause,
        )

    async def pause_stage(
        self, status: str, pause: timedelta, reason: str, provider: str | None = None
    ) -> datetime:
        """Let no job of a status be claimed until `pause` is over, or none of a provider there.

        Returns the end that applies: a later one of an earlier call. Raises InvalidArgument.
        """
        return _moment(
            await self._value(
                "pause_stage", status=status, until=pause, reason=reason, provider=provider
            )
        )

    async def clock(self) -> datetime:
        """The time by the clock of Postgres. Compare times of rows with it, not with timing.now."""
        return _moment(await self._value("clock"))

    async def apply_parked(self) -> str | None:
        """Apply the parked deliveries of one provider job that is known by now; its id, or None."""
        found = await self._value("apply_parked")
        return None if found is None else str(found)

    async def record_submission(
        self,
        job_id: UUID,
        attempt: int,
        parse_job_id: str,
        correlation_id: str | None = None,
        provider: str = "llamacloud",
    ) -> Receipt:
        """Record the provider's id of an attempt. Safe to call twice.

        Outcome `ignored`: the job was erased, and the provider will be told to delete its own.
        Raises DocumentMismatch, InvalidArgument.
        """
        return await self._receipt(
            "record_submission",
            job_id=job_id,
            attempt=attempt,
            parse_job_id=parse_job_id,
            correlation_id=correlation_id,
            provider=provider,
        )

    async def submitted_at(self, provider: str, parse_job_id: str) -> datetime | None:
        """When this provider job was recorded; None if it is unknown."""
        found = await self._value("submitted_at", provider=provider, parse_job_id=parse_job_id)
        return None if found is None else _moment(found)

    async def receive_artifacts(
        self, job_id: UUID, lease_token: UUID, artifacts: Sequence[NewArtifact]
    ) -> list[ArtifactPlace]:
        """Record artifacts of a leased job: where each is to be written.

        Raises UnknownJob, StaleLease, InvalidArgument.
        """
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select kind, name, path, stored from upload_pipeline.receive_artifacts("
                "job_id => %s, lease_token => %s, artifacts => %s)",
                [job_id, lease_token, Jsonb([asdict(one) for one in artifacts])],
            )
            return [ArtifactPlace._make(row) for row in await cursor.fetchall()]

    async def finish_artifacts(self, job_id: UUID, lease_token: UUID, paths: list[str]) -> None:
        """Say that these objects are written. Raises UnknownJob, StaleLease."""
        await self._value("finish_artifacts", job_id=job_id, lease_token=lease_token, paths=paths)

    async def claim_provider_requests(self, provider: str, batch: int) -> list[ProviderRequest]:
        """Requests that are due: send each, then call finish_ or fail_provider_request."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select parse_job_id, kind, tries"
                " from upload_pipeline.claim_provider_requests(provider => %s, batch => %s)",
                [provider, batch],
            )
            return [ProviderRequest._make(row) for row in await cursor.fetchall()]

    async def finish_provider_request(
        self, provider: str, request: ProviderRequest, result: str
    ) -> None:
        """Say that a request is done: `done`, `ended`, `unknown` or `not_offered`."""
        await self._value(
            "finish_provider_request",
            provider=provider,
            parse_job_id=request.parse_job_id,
            kind=request.kind,
            result=result,
        )

    async def fail_provider_request(
        self, provider: str, request: ProviderRequest, error: str, *, permanent: bool = False
    ) -> None:
        """Say that a try failed, with a code. `permanent`: the provider will never do it."""
        await self._value(
            "fail_provider_request",
            provider=provider,
            parse_job_id=request.parse_job_id,
            kind=request.kind,
            tries=request.tries,
            error=error,
            permanent=permanent,
        )

    async def reserve_credits(
        self,
        job_id: UUID,
        lease_token: UUID,
        credits: Decimal | int,  # noqa: A002 - its name in SQL
        *,
        again: bool = False,
        provider: str = "llamacloud",
    ) -> Reservation:
        """Reserve what the attempt may cost, in the provider's credits, before submitting.

        Raises UnknownJob, StaleLease, BudgetExceeded, InvalidArgument.
        """
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select outcome, attempt, reserved, reserved_at"
                " from upload_pipeline.reserve_credits("
                "job_id => %s, lease_token => %s, credits => %s, again => %s, provider => %s)",
                [job_id, lease_token, credits, again, provider],
            )
            row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - it returns one row or raises
        return Reservation._make(row)

    async def settle_credits(
        self,
        job_id: UUID,
        attempt: int,
        credits: Decimal | int,  # noqa: A002 - its name in SQL
        *,
        reserved_at: datetime | None = None,
        parse_job_id: str | None = None,
    ) -> str:
        """Settle a reservation with what was billed; `applied`, `duplicate`, `stale` or `ignored`.

        `reserved_at` names the reservation that was looked at: `stale` if there is a newer one.
        `parse_job_id` names the provider job that was billed: `duplicate` if it is paid already.
        Raises InvalidArgument.
        """
        return str(
            await self._value(
                "settle_credits",
                job_id=job_id,
                attempt=attempt,
                credits=credits,
                reserved_at=reserved_at,
                parse_job_id=parse_job_id,
            )
        )

    async def claim_reservations(
        self, batch: int = 50, providers: Sequence[str] | None = None
    ) -> list[OpenReservation]:
        """Reservations open for long, of these providers or of all.

        Find out what was billed, then call settle_credits.
        """
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select job_id, attempt, provider, reserved, reserved_at, parse_job_ids,"
                " paid_job_ids"
                " from upload_pipeline.claim_reservations(batch => %s, providers => %s)",
                [batch, None if providers is None else list(providers)],
            )
            return [
                OpenReservation._make([*row, tuple(unpaid), tuple(paid)])
                for *row, unpaid, paid in await cursor.fetchall()
            ]

    async def caps_of(self, owner_id: UUID, provider: str) -> list[CreditStatus]:
        """The caps that a reservation of this owner has to keep, with what is left of each."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select c.provider, c.scope, c.owner_id, c.period, c.credits, c.used, c.remaining,"
                " c.starts_at, c.resets_at from upload_pipeline.credit_status as c"
                " where c.provider = %(provider)s"
                " and (c.scope = 'all' or c.owner_id = %(owner_id)s or c.owner_id is null"
                # An owner who has not reserved yet has no row of the cap for each.
                " and not exists (select from upload_pipeline.credit_status as o"
                " where o.owner_id = %(owner_id)s and o.period = c.period"
                " and o.provider = c.provider))",
                {"owner_id": owner_id, "provider": provider},
            )
            return [CreditStatus._make(row) for row in await cursor.fetchall()]

    async def start_announcing(self) -> frozenset[str]:
        """Let steps write notifications; the statuses of which the application is told."""
        return frozenset(await self._value("start_announcing"))

    async def claim_notifications(self, *, batch: int, lease: float) -> list[Notification]:
        """Claim what the application is to be told now, each with a lease of so many seconds."""
        async with transaction(self._pool) as connection:
            cursor = connection.cursor(row_factory=class_row(Notification))
            await cursor.execute(
                "select * from upload_pipeline.claim_notifications(batch => %s, lease => %s)",
                [batch, timedelta(seconds=lease)],
            )
            return await cursor.fetchall()

    async def close_group(self, group_id: UUID) -> int:
        """Let no more jobs join the group; how many of its jobs are unfinished.

        When none is, the application is told so, once. Raises UnknownJob if there is no such group.
        """
        return int(await self._value("close_group", group_id=group_id))

    async def finish_notifications(self, told: Sequence[Told]) -> list[str | None]:
        """Say how tries ended; the state of each: taken, waiting or dead.

        None: its lease is over, or its job is deleted.
        """
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select event_id, state from upload_pipeline.finish_notifications("
                "event_ids => %s, lease_tokens => %s, errors => %s::text[],"
                " pauses => %s::interval[], permanent => %s)",
                [
                    [one.event_id for one in told],
                    [one.lease_token for one in told],
                    [one.error for one in told],
                    [one.pause for one in told],
                    [one.permanent for one in told],
                ],
            )
            states = dict(await cursor.fetchall())
        return [states.get(one.event_id) for one in told]

    async def retry_notifications(
        self, event_id: UUID | None = None, reason: str | None = None
    ) -> int:
        """Send a notification again; None: all that are dead or wait for a try. How many."""
        return int(await self._value("retry_notifications", event_id=event_id, reason=reason))

    async def stop_announcing(self, *, discard: bool = False, reason: str | None = None) -> int:
        """Let steps write no more notifications; how many were deleted with `discard`."""
        return int(await self._value("stop_announcing", discard=discard, reason=reason))

    async def create_job(
        self,
        *,
        owner_id: UUID,
        filename: str,
        mime: str | None,
        bytes_len: int,
        file_sha256: str,
        raw_path: str,
        **request: Unpack[JobRequest],
    ) -> Receipt:
        """Make a job for a file; `duplicate`: it has an unfinished one.

        Raises InvalidArgument, DeletionUnderWay.
        """
        said: dict[str, object] = {**request}
        for name in said.keys() & {"options", "metadata"}:
            said[name] = Jsonb(said[name])
        return await self._receipt(
            "create_job",
            owner_id=owner_id,
            filename=filename,
            mime=mime,
            bytes_len=bytes_len,
            file_sha256=file_sha256,
            raw_path=raw_path,
            **said,
        )

    async def confirm_upload(self, job_id: UUID, bytes_len: int, file_sha256: str) -> Receipt:
        """Say that the raw file is uploaded. Raises UnknownJob, DocumentMismatch."""
        return await self._receipt(
            "confirm_upload", job_id=job_id, bytes_len=bytes_len, file_sha256=file_sha256
        )

    async def retry_job(
        self, job_id: UUID, reason: str | None = None, provider: str | None = None
    ) -> Receipt:
        """Start another attempt, at this provider or as it was asked for before.

        Raises UnknownJob, IllegalTransition, UnfinishedJobExists, InvalidArgument.
        """
        return await self._receipt("retry_job", job_id=job_id, reason=reason, provider=provider)

    async def cancel_job(self, job_id: UUID, reason: str | None = None) -> Receipt:
        """End a job for good. Raises UnknownJob, IllegalTransition."""
        return await self._receipt("cancel_job", job_id=job_id, reason=reason)

    async def resume_stage(self, status: str, reason: str | None = None) -> bool:
        """End the pause of a status; False if it was not paused."""
        return bool(await self._value("resume_stage", status=status, reason=reason))

    async def erase_document(self, document_id: UUID, reason: str | None = None) -> tuple[int, int]:
        """Delete a document and all that belongs to it; its numbers of jobs and objects.

        Raises UnknownJob.
        """
        jobs, objects = await self._counts("erase_document", document_id=document_id, reason=reason)
        return jobs, objects

    async def erase_owner(self, owner_id: UUID, reason: str | None = None) -> tuple[int, int, int]:
        """Delete all of an owner; the numbers of documents, jobs and objects."""
        documents, jobs, objects = await self._counts(
            "erase_owner", owner_id=owner_id, reason=reason
        )
        return documents, jobs, objects

    async def purge(
        self,
        older_than: timedelta,
        *,
        batch: int = 1000,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> tuple[int, int, int]:
        """Delete one batch of what is old: its numbers of jobs, documents and deliveries.

        With `dry_run` it deletes nothing, and counts all that is old enough. Raises
        InvalidArgument.
        """
        jobs, documents, deliveries = await self._counts(
            "purge", older_than=older_than, batch=batch, dry_run=dry_run, reason=reason
        )
        return jobs, documents, deliveries

    async def set_credit_cap(
        self,
        owner_id: UUID | None,
        period: str,
        credits: Decimal | None,  # noqa: A002 - its name in SQL
        *,
        each_owner: bool = False,
        provider: str = "llamacloud",
        reason: str | None = None,
    ) -> None:
        """Set a cap of a provider: of an owner, of all together, or for each. None removes it.

        Raises InvalidArgument.
        """
        await self._value(
            "set_credit_cap",
            owner_id=owner_id,
            period=period,
            credits=credits,
            each_owner=each_owner,
            provider=provider,
            reason=reason,
        )

    async def check_integrity(self) -> list[Mapping[str, Any]]:
        """One row {violation, job_id, detail} for each violated invariant. It may take minutes."""
        async with transaction(self._pool, within=None) as connection:
            cursor = await connection.execute(
                "select violation, job_id, detail from upload_pipeline.check_integrity()"
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def _value(self, function: str, **arguments: object) -> Any:
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(_call_for_value(function, *arguments), arguments)
            row = await cursor.fetchone()
        return row[0] if row else None

    async def _counts(self, function: str, **arguments: object) -> tuple[int, ...]:
        # As long as it takes: what a person started, and can interrupt.
        async with transaction(self._pool, within=None) as connection:
            cursor = await connection.execute(_call_for_row(function, *arguments), arguments)
            row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - it returns one row or raises
        return tuple(row)

    async def _receipt(self, function: str, **arguments: object) -> Receipt:
        content = arguments.get("content")
        more = len(content) / _SLOWEST if isinstance(content, bytes) else 0
        async with transaction(self._pool, within=CALL_TIMEOUT + more) as connection:
            cursor = connection.cursor(row_factory=class_row(Receipt))
            await cursor.execute(_call(function, *arguments), arguments)
            receipt = await cursor.fetchone()
        assert receipt is not None  # noqa: S101 - a function without `setof` gives one row
        return receipt


@cache
def _call(function: str, *arguments: str) -> bytes:
    # Both are names of this module. Values are always parameters.
    return (
        "select outcome, job_id, document_id, status, version, event_id, ordinal, path"  # noqa: S608
        f" from upload_pipeline.{function}({_named(arguments)})"
    ).encode()


@cache
def _call_for_value(function: str, *arguments: str) -> bytes:
    return f"select upload_pipeline.{function}({_named(arguments)})".encode()


@cache
def _call_for_row(function: str, *arguments: str) -> bytes:
    return f"select * from upload_pipeline.{function}({_named(arguments)})".encode()  # noqa: S608


def _named(arguments: Sequence[str]) -> str:
    # `until` is passed as a pause, and Postgres adds its time: our clock may be wrong.
    values = {"until": "upload_pipeline.clock() + %(until)s::interval"}
    return ", ".join(f"{name} => {values.get(name, f'%({name})s')}" for name in arguments)


def _moment(value: Any) -> datetime:
    assert isinstance(value, datetime)  # noqa: S101 - the type that the function returns
    return value
