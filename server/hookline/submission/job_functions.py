"""What a submission calls: the functions of Engine and Views, or those of a Supabase project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Unpack
from uuid import UUID

from hookline.postgres.records import JobRequest, Receipt
from hookline.postgres.views import Artifact, JobOverview

__all__ = ["JobFunctions", "JobReader"]


class JobFunctions(Protocol):
    """The functions about one job. Engine documents them. They may raise DatabaseError."""

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
    ) -> Receipt: ...

    async def confirm_upload(self, job_id: UUID, bytes_len: int, file_sha256: str) -> Receipt: ...

    async def retry_job(
        self, job_id: UUID, reason: str | None = None, provider: str | None = None
    ) -> Receipt: ...

    async def cancel_job(self, job_id: UUID, reason: str | None = None) -> Receipt: ...

    async def close_group(self, group_id: UUID) -> int: ...


class JobReader(Protocol):
    """The rows of job_overview and artifact_overview. It may raise DatabaseError."""

    async def jobs_of(self, job_ids: list[UUID]) -> Sequence[JobOverview]:
        """The jobs with these ids, as far as they exist, in any order."""

    async def artifacts(self, job_id: UUID) -> Sequence[Artifact]:
        """What the parser gave beside the markdown of a job, and is stored."""
