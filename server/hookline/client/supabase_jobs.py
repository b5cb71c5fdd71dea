"""The functions about one job over the API of a Supabase project: the schema hookline_api.

The calls are those of service_role, the backend. Their rights and errors are those of the functions
that they call, as with a login in hookline_operator.
Source: https://docs.postgrest.org/en/stable/references/errors.html
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any, Unpack
from uuid import UUID

import httpx
from postgrest import APIError
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from supabase import AsyncClient

from hookline.postgres.errors import DatabaseError, Unavailable, error_of
from hookline.postgres.records import JobRequest, Receipt
from hookline.postgres.views import Artifact, JobOverview
from hookline.settings import ConfigurationError, Settings
from hookline.storage.supabase import open_project

__all__ = ["SupabaseJobs", "open_supabase_jobs"]

_SCHEMA = "hookline_api"
_TIMEOUT = 10.0
# Their ids are in the URL of a request, and servers take at most 8 KiB of it.
_JOBS_A_REQUEST = 100
_COLUMNS = ",".join(field.name for field in fields(JobOverview))
_ABOUT_THE_KEY = re.compile(r"api.?key|authenticat|jwt|unauthori|forbidden", re.IGNORECASE)
_RECEIPT = TypeAdapter(Receipt)
_JOBS = TypeAdapter(list[JobOverview])
_ARTIFACT_COLUMNS = ",".join(field.name for field in fields(Artifact))
_ARTIFACTS = TypeAdapter(list[Artifact])


class SupabaseJobs:
    """JobFunctions and JobReader over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._api = client.schema(_SCHEMA)

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
        return await self._call(
            "create_job",
            owner_id=str(owner_id),
            filename=filename,
            mime=mime,
            bytes_len=bytes_len,
            file_sha256=file_sha256,
            raw_path=raw_path,
            **to_jsonable_python(request),
        )

    async def confirm_upload(self, job_id: UUID, bytes_len: int, file_sha256: str) -> Receipt:
        return await self._call(
            "confirm_upload", job_id=str(job_id), bytes_len=bytes_len, file_sha256=file_sha256
        )

    async def retry_job(
        self, job_id: UUID, reason: str | None = None, provider: str | None = None
    ) -> Receipt:
        return await self._call("retry_job", job_id=str(job_id), reason=reason, provider=provider)

    async def cancel_job(self, job_id: UUID, reason: str | None = None) -> Receipt:
        return await self._call("cancel_job", job_id=str(job_id), reason=reason)

    async def close_group(self, group_id: UUID) -> int:
        call = self._api.rpc("close_group", {"group_id": str(group_id)})
        return int(await _answer_of(call))

    async def jobs_of(self, job_ids: list[UUID]) -> list[JobOverview]:
        """The jobs with these ids, as far as they exist, in any order."""
        found: list[JobOverview] = []
        for start in range(0, len(job_ids), _JOBS_A_REQUEST):
            ids = [str(one) for one in job_ids[start : start + _JOBS_A_REQUEST]]
            rows = self._api.from_("jobs").select(_COLUMNS).in_("job_id", ids)
            found += _JOBS.validate_python(await _answer_of(rows))
        return found

    async def artifacts(self, job_id: UUID) -> list[Artifact]:
        """What the parser gave beside the markdown of a job, and is stored."""
        rows = self._api.from_("artifacts").select(_ARTIFACT_COLUMNS).in_("job_id", [str(job_id)])
        found = _ARTIFACTS.validate_python(await _answer_of(rows))
        return sorted(found, key=lambda one: (one.kind, one.name))

    async def _call(self, function: str, **arguments: Any) -> Receipt:
        return _RECEIPT.validate_python(await _answer_of(self._api.rpc(function, arguments)))


@asynccontextmanager
async def open_supabase_jobs(settings: Settings) -> AsyncIterator[SupabaseJobs]:
    """The jobs of the project of SUPABASE_URL. Raises ConfigurationError, DatabaseError."""
    async with open_project(settings, seconds=_TIMEOUT) as client:
        jobs = SupabaseJobs(client)
        # A wrong key or schema is said now, and not to the first user.
        await jobs.jobs_of([UUID(int=0)])
        yield jobs


async def _answer_of(request: Any) -> Any:
    # `from None`: a cause could show a secret. httpx quotes the headers that it refuses.
    try:
        return (await request.execute()).data
    except APIError as error:
        raise _meaning_of(error) from None
    except httpx.HTTPError as error:
        raise Unavailable(
            f"Supabase does not answer ({type(error).__name__}): check SUPABASE_URL, and that the"
            " project is not paused"
        ) from None


def _meaning_of(error: APIError) -> DatabaseError | ConfigurationError:
    code, message = str(error.code or ""), str(error.message or "")
    if code in ("PGRST106", "PGRST202", "PGRST205", "42501"):
        return ConfigurationError(
            f"The API of Supabase does not give us the schema {_SCHEMA} ({code}): add it to the"
            " exposed schemas, run the migrations, and set SUPABASE_SERVICE_ROLE_KEY to the secret"
            " key."
        )
    # The gateway in front of PostgREST gives no code, whether it refuses the key or is busy.
    refused = _ABOUT_THE_KEY.search(message) if code == "" else code in ("401", "403")
    if refused or code.startswith("PGRST3"):
        return ConfigurationError(
            "Supabase does not accept the key: set SUPABASE_SERVICE_ROLE_KEY to the secret key of"
            " the project of SUPABASE_URL."
        )
    # PostgREST has no connection to its database; or an HTTP status, where an SQLSTATE has 5 signs.
    if code.startswith("PGRST00") or len(code) in (0, 3):
        return Unavailable(f"Supabase is busy or its database is away ({code or 'no code'})")
    detail = error.details if isinstance(error.details, str) else None
    return error_of(code, message, detail=detail, hint=error.hint)
