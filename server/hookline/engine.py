"""The functions of schema upload_pipeline, one typed coroutine each. No rule is held here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from hookline.database import transaction
from hookline.sources import Content, Notice

__all__ = ["OUTCOMES", "Engine", "KeptContent", "Receipt"]

# Domain upload_pipeline.outcome.
OUTCOMES = frozenset({"applied", "kept", "unrecognised", "duplicate", "stale", "ignored", "parked"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """Type upload_pipeline.receipt: what a function did, the job as it is now, the event if any."""

    outcome: str
    job_id: UUID | None
    document_id: UUID | None
    status: str | None
    version: int | None
    event_id: UUID | None
    ordinal: int | None
    path: str | None


class KeptContent(NamedTuple):
    """A row of claim_contents."""

    job_id: UUID
    ordinal: int
    path: str
    content: bytes
    tries: int


class Engine:
    """Calls the engine through a pool. A method is one transaction and may raise DatabaseError."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def receive_event(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        """Take a delivery without content.

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
        )

    async def receive_content(self, source: str, body_sha256: str, content: Content) -> Receipt:
        """Keep a delivery's content. `kept` says where to write it; then call finish_content.

        Raises UnknownJob, DocumentMismatch, DeliveryConflict, UnusableContent.
        """
        return await self._receipt(
            "receive_content",
            source=source,
            delivery_id=content.delivery_id,
            body_sha256=body_sha256,
            event_type=content.event_type,
            job_id=content.job_id,
            content=content.content,
            content_sha256=content.content_sha256,
            content_bytes=content.content_bytes,
            document_id=content.document_id,
            parse_job_id=content.parse_job_id,
            attempt=content.attempt,
            details=Jsonb(content.details),
            correlation_id=content.correlation_id,
            recognised=content.recognised,
        )

    async def finish_content(self, job_id: UUID, ordinal: int) -> Receipt:
        """Say that kept content is in storage. Raises UnknownJob."""
        return await self._receipt("finish_content", job_id=job_id, ordinal=ordinal)

    async def claim_content(self) -> KeptContent | None:
        """The kept content whose turn it is to be stored, if any. One, since it may be large."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select job_id, ordinal, path, content, tries"
                " from upload_pipeline.claim_contents(batch => 1)",
                binary=True,
            )
            row = await cursor.fetchone()
        return KeptContent._make(row) if row else None

    async def claim_deletions(self, batch: int) -> list[tuple[str, int]]:
        """(path, tries) of objects of erased documents that are to be deleted now."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select path, tries from upload_pipeline.claim_deletions(batch => %s)", [batch]
            )
            return [(path, tries) for path, tries in await cursor.fetchall()]

    async def finish_deletion(self, path: str, tries: int) -> None:
        """Say that an object of an erased document is gone, with the `tries` of its claim."""
        async with transaction(self._pool) as connection:
            await connection.execute(
                "select upload_pipeline.finish_deletion(path => %s, tries => %s)", [path, tries]
            )

    async def create_job(
        self,
        *,
        owner_id: UUID,
        filename: str,
        mime: str,
        bytes_len: int,
        file_sha256: str,
        raw_path: str,
        correlation_id: str | None = None,
    ) -> Receipt:
        """A job for a file; `duplicate` is the unfinished one it has. Raises InvalidArgument."""
        return await self._receipt(
            "create_job",
            owner_id=owner_id,
            filename=filename,
            mime=mime,
            bytes_len=bytes_len,
            file_sha256=file_sha256,
            raw_path=raw_path,
            correlation_id=correlation_id,
        )

    async def confirm_upload(self, job_id: UUID, bytes_len: int, file_sha256: str) -> Receipt:
        """Say that the raw file is there. Raises UnknownJob, DocumentMismatch."""
        return await self._receipt(
            "confirm_upload", job_id=job_id, bytes_len=bytes_len, file_sha256=file_sha256
        )

    async def retry_job(self, job_id: UUID, reason: str | None = None) -> Receipt:
        """Another attempt. Raises UnknownJob, IllegalTransition, UnfinishedJobExists."""
        return await self._receipt("retry_job", job_id=job_id, reason=reason)

    async def check_integrity(self) -> list[Mapping[str, Any]]:
        """A row {violation, job_id, detail} for each violated invariant."""
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                "select violation, job_id, detail from upload_pipeline.check_integrity()"
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def _receipt(self, function: str, **arguments: object) -> Receipt:
        async with transaction(self._pool) as connection:
            cursor = connection.cursor(row_factory=class_row(Receipt))
            await cursor.execute(_call(function, *arguments), arguments)
            receipt = await cursor.fetchone()
        assert receipt is not None  # noqa: S101 - a function without `setof` gives one row
        return receipt


@cache
def _call(function: str, *arguments: str) -> bytes:
    named = ", ".join(f"{name} => %({name})s" for name in arguments)
    # Both are names from this module: no value is ever put into a statement.
    return (
        "select outcome, job_id, document_id, status, version, event_id, ordinal, path"  # noqa: S608
        f" from upload_pipeline.{function}({named})"
    ).encode()
