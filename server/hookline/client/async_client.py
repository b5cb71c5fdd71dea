"""The client for programs with an event loop, such as FastAPI or aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass
from types import TracebackType
from typing import Self, Unpack
from uuid import UUID

from hookline.client.artifacts import read_artifact
from hookline.client.errors import DamagedContent, WaitTimeout, why_not_parsed
from hookline.client.files import File, read_file
from hookline.client.markdown import read_markdown
from hookline.client.push_url import push_url
from hookline.client.waits import Waits
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, InvalidArgument, UnknownJob
from hookline.postgres.records import JobRequest, Receipt
from hookline.postgres.views import Artifact, JobOverview, Views
from hookline.settings import ConfigurationError, load
from hookline.storage.objects import Storage
from hookline.storage.opening import open_storage
from hookline.submission.files import RawFile
from hookline.submission.job_creation import make_job
from hookline.submission.job_functions import JobFunctions, JobReader

__all__ = ["AsyncClient", "JobReceipt"]


@dataclass(frozen=True, slots=True)
class JobReceipt:
    """What a call did (`outcome`), and the job as it is now.

    The outcomes are those of the SQL function: `applied`, or `duplicate` if nothing was left to do.
    """

    outcome: str
    job_id: UUID
    document_id: UUID
    status: str
    version: int


class AsyncClient:
    """Submits documents, waits for their jobs and reads the markdown.

    Use it as `async with AsyncClient() as client:`, once for a process: it holds a pool of
    connections, and one more that listens once somebody waits. It belongs to the event loop in
    which it was opened. Tasks may share it.

    `database_url` is a login in hookline_operator. What is not given comes from the environment or
    `.hookline/env`, as for the commands: DATABASE_URL, HOOKLINE_STORAGE_URL, and for `push_url`
    HOOKLINE_PUBLIC_URL and HOOKLINE_PUSH_SECRETS. Without a database URL, and with SUPABASE_URL and
    SUPABASE_SERVICE_ROLE_KEY, it calls the API of that project instead, and waits poll. Raises
    ConfigurationError if one of them is wrong.

    Every method may raise DatabaseError; its `sqlstate`, `detail` and `hint` are those of Postgres.
    Its kind Unavailable means that Postgres is away or busy, and that the same call may succeed
    later. All errors are HooklineErrors.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        storage_url: str | None = None,
        connections: int = 4,
    ) -> None:
        given = {"DATABASE_URL": database_url, "HOOKLINE_STORAGE_URL": storage_url}
        self._settings = load(given={name: value for name, value in given.items() if value})
        if not self._over_supabase:
            self._settings.require_database()
        self._connections = connections
        self._close()

    @property
    def _over_supabase(self) -> bool:
        settings = self._settings
        return settings.database_url is None and None not in (
            settings.supabase_url,
            settings.supabase_service_role_key,
        )

    def _close(self) -> None:
        self._stack = AsyncExitStack()
        self._open: _Parts | None = None

    def unopened(self) -> AsyncClient:
        """A client of the same settings that is not open."""
        twin = copy(self)
        twin._close()
        return twin

    async def __aenter__(self) -> Self:
        """Connect. Raises Unavailable, ConfigurationError."""
        settings = self._settings
        engine: JobFunctions
        jobs: JobReader
        async with AsyncExitStack() as stack:
            storage = (
                await stack.enter_async_context(open_storage(settings))
                if settings.storage_url is not None
                else None
            )
            if self._over_supabase:
                try:
                    from hookline.client.supabase_jobs import open_supabase_jobs
                except ImportError as error:
                    raise ConfigurationError(
                        "DATABASE_URL is not set. To use the API of SUPABASE_URL instead, install"
                        " its official client: pip install '.[supabase]' in the checkout of"
                        " Hookline."
                    ) from error
                api = await stack.enter_async_context(open_supabase_jobs(settings))
                engine, jobs, listen_to = api, api, None
            else:
                pool = await stack.enter_async_context(connected(settings, size=self._connections))
                engine, jobs = Engine(pool), Views(pool)
                # A transaction pooler would give the listener's connection to somebody else.
                pooled = settings.prepare_threshold is None
                listen_to = None if pooled else settings.require_database()
            waits = Waits(jobs, listen_to)
            stack.push_async_callback(waits.close)
            self._open = _Parts(engine, jobs, storage, waits)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = None
        await self._stack.aclose()

    async def submit(
        self,
        file: File,
        owner: UUID | str,
        *,
        filename: str | None = None,
        mime: str | None = None,
        **request: Unpack[JobRequest],
    ) -> JobReceipt:
        """Store a file, make its job and confirm the upload; workers do the rest.

        `file` is a path, bytes, or a file that is open in binary mode. `owner` is a UUID of your
        application. What else may be said of the job is in JobRequest: `options` for the parser,
        `metadata` of your own, `priority`, `not_before`, `provider`, `group_id`, and
        `correlation_id`, which comes back in the events and logs of the job.

        The call may be repeated. The same content of the same owner has one unfinished job: that
        one is returned unchanged, as `duplicate`. If the upload fails, the job stays unconfirmed,
        so no worker claims it; submit the file again to go on with it, or `purge` removes it.

        Raises Unreadable, StorageError, InvalidArgument, DeletionUnderWay.
        """
        raw = await asyncio.to_thread(read_file, file, filename, mime)
        return await self.submit_raw(raw, owner, request)

    async def submit_raw(self, raw: RawFile, owner: UUID | str, request: JobRequest) -> JobReceipt:
        """`submit` for a file that is read."""
        parts = self._parts()
        return _told(
            await make_job(
                parts.engine,
                parts.jobs,
                self._storage(),
                raw,
                _owner(owner),
                **_checked(request),
            )
        )

    async def create(
        self,
        owner: UUID | str,
        *,
        filename: str,
        bytes_len: int,
        file_sha256: str,
        raw_path: str,
        mime: str | None = None,
        **request: Unpack[JobRequest],
    ) -> JobReceipt:
        """Make the job of a file that you upload yourself, to `raw_path`; then call `confirm`.

        `raw_path` is `storage://bucket/key`, `file_sha256` is in hex. `duplicate`: the document has
        an unfinished job, which is returned unchanged. `request` is as for `submit`.

        Raises InvalidArgument, DeletionUnderWay.
        """
        return _told(
            await self._parts().engine.create_job(
                owner_id=_owner(owner),
                filename=filename,
                mime=mime,
                bytes_len=bytes_len,
                file_sha256=file_sha256,
                raw_path=raw_path,
                **_checked(request),
            )
        )

    async def confirm(self, job_id: UUID | str, *, bytes_len: int, file_sha256: str) -> JobReceipt:
        """Say that the file of a job is uploaded, with this size and hash: workers may claim it.

        Raises UnknownJob, DocumentMismatch.
        """
        return _told(
            await self._parts().engine.confirm_upload(_job_id(job_id), bytes_len, file_sha256)
        )

    async def push_url(self, job_id: UUID | str) -> str:
        """The URL to which the parser may push the result of the job's current attempt.

        It is a secret: everybody who has it can send a result for the job. A retry makes it
        invalid. Raises UnknownJob, ConfigurationError.
        """
        return push_url(self._settings, await self.status(job_id))

    async def status(self, job_id: UUID | str) -> JobOverview:
        """The job as it is now: a row of the view job_overview. Raises UnknownJob."""
        return _found(job_id, await self._parts().jobs.jobs_of([_job_id(job_id)]))

    async def wait(self, job_id: UUID | str, *, timeout: float | None = None) -> JobOverview:  # noqa: ASYNC109 - as in asyncio.wait_for
        """Wait until the job has its markdown, at most `timeout` seconds (None: no limit).

        An outage of Postgres does not end the wait. The job goes on if the wait is cancelled.

        Raises UnknownJob, JobFailed, JobCancelled, and WaitTimeout, which is a TimeoutError. If
        Postgres is away when the time is over, it raises Unavailable instead, some seconds later.
        """
        waits, key = self._parts().waits, _job_id(job_id)
        try:
            async with asyncio.timeout(timeout) as limit:
                job = await waits.wait(key)
        except TimeoutError:
            if not limit.expired():
                raise
            job = await self.status(key)
            if not (job.terminal or job.has_content):
                raise WaitTimeout(
                    f"Job {key} is still {job.status} after {timeout:g} s: {job.waits_because}.",
                    job,
                ) from None
        job = _found(job_id, [job] if job is not None else [])
        if job.failed or not job.has_content:
            raise why_not_parsed(job)
        return job

    async def result(self, job_id: UUID | str) -> str:
        """The markdown of the job. Its bytes have the size and hash that the job names.

        Raises UnknownJob, StillRunning, JobFailed, JobCancelled, DamagedContent, StorageError.
        """
        job = await self.status(job_id)
        content = await read_markdown(self._storage(), job)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise DamagedContent(
                f"The content of job {job.job_id} is not UTF-8 text: read the object"
                f" {job.parsed_path} as bytes."
            ) from None

    async def artifacts(self, job_id: UUID | str) -> Sequence[Artifact]:
        """What the parser gave beside the markdown, as the job's options asked; each is stored.

        For a path in Supabase Storage, its client makes a signed URL. Raises UnknownJob.
        """
        key = (await self.status(job_id)).job_id
        return await self._parts().jobs.artifacts(key)

    async def artifact(self, job_id: UUID | str, kind: str, name: str = "") -> bytes:
        """The bytes of an artifact. They have the hash that the database names.

        `name` is needed where there are several of the kind. Raises UnknownJob, UnknownArtifact,
        DamagedContent, StorageError.
        """
        return await read_artifact(self._storage(), await self.artifacts(job_id), kind, name)

    async def cancel(self, job_id: UUID | str, reason: str | None = None) -> JobReceipt:
        """End a job for good. `reason` is for its history. Raises UnknownJob, IllegalTransition."""
        return _told(await self._parts().engine.cancel_job(_job_id(job_id), reason))

    async def retry(
        self, job_id: UUID | str, reason: str | None = None, *, provider: str | None = None
    ) -> JobReceipt:
        """Give a job another attempt, at once. `reason` is for its history.

        `provider` names another parser; without it the one that was asked for before. The outcomes
        `kept` and `awaited` mean that its content has arrived and is being stored, so that nothing
        was changed. Raises UnknownJob, IllegalTransition, UnfinishedJobExists, InvalidArgument.
        """
        return _told(await self._parts().engine.retry_job(_job_id(job_id), reason, provider))

    async def close_group(self, group_id: UUID | str) -> int:
        """Let no more jobs join a group; how many of its jobs are unfinished.

        When none is, the application is told so, once, if announcements are on. A group begins with
        the first submit or create that names it. Raises UnknownJob if there is no such group.
        """
        return await self._parts().engine.close_group(_group_id(group_id))

    def _parts(self) -> _Parts:
        if self._open is None:
            raise RuntimeError(
                "the client is not open: `async with AsyncClient() as client:` opens it"
            )
        return self._open

    def _storage(self) -> Storage:
        self._settings.require_storage()
        storage = self._parts().storage
        assert storage is not None  # noqa: S101 - the settings name one
        return storage


@dataclass(frozen=True, slots=True)
class _Parts:
    engine: JobFunctions
    jobs: JobReader
    storage: Storage | None
    waits: Waits


def _told(receipt: Receipt) -> JobReceipt:
    """The receipt of a function that always names a job."""
    job_id, document_id = receipt.job_id, receipt.document_id
    status, version = receipt.status, receipt.version
    assert job_id and document_id and status and version  # noqa: S101, PT018 - never null there
    return JobReceipt(receipt.outcome, job_id, document_id, status, version)


def _found(job_id: UUID | str, jobs: Sequence[JobOverview]) -> JobOverview:
    for job in jobs:
        return job
    raise UnknownJob(
        f"there is no job {job_id}", hint="It never existed, or it was erased or purged."
    )


def _checked(request: JobRequest) -> JobRequest:
    for name in request.keys() - JobRequest.__annotations__.keys():
        raise TypeError(f"{name} is not an argument of a job: see JobRequest")
    not_before = request.get("not_before")
    if not_before is not None and not_before.tzinfo is None:
        raise InvalidArgument(
            f"not_before {not_before} has no time zone", hint="Pass datetime.now(UTC) + ..."
        )
    return request


def _job_id(value: UUID | str) -> UUID:
    # For an application an id from a URL that is no UUID is as unknown as any other.
    return _uuid(value, "job id", UnknownJob)


def _group_id(value: UUID | str) -> UUID:
    return _uuid(value, "group id", UnknownJob)


def _owner(value: UUID | str) -> UUID:
    return _uuid(value, "owner", InvalidArgument)


def _uuid(value: UUID | str, what: str, error: type[DatabaseError]) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError:
        article = "An" if what[0] in "aeiou" else "A"
        raise error(f"{value!r} is no {what}", hint=f"{article} {what} is a UUID.") from None
