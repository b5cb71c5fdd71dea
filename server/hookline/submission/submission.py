"""Submit files: several are uploaded at once, each becomes a job, and the jobs are waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.records import JobRequest, Receipt
from hookline.postgres.views import JobOverview, Views
from hookline.storage.objects import Storage, StorageError
from hookline.submission.files import Entry, Unreadable, read_raw
from hookline.submission.job_creation import make_job
from hookline.submission.waiting import WaitingJobs
from hookline.timing import Backoff

__all__ = ["UPLOADS", "Submission", "Submitted"]

# Uploads at once. Each holds a file in memory, and may need a connection to Postgres.
UPLOADS = 4
# Seconds between two polls: the first, and the most.
_SHORTEST_POLL = 0.05
_LONGEST_POLL = 1.0
# SQLSTATE classes that say nothing about one file: no rights, or no Hookline in the database.
_NOT_ABOUT_A_FILE = ("42", "3F")
# After so many seconds without a change, the reason is told.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of one file. `error` is None if it is parsed, or stored and not waited for.

    `outcome` is that of create_job: `duplicate` if the file has an unfinished job already; it is
    `error` for a file without a job. `status` is the job's when it was last read. `code` says why
    the job failed.
    """

    path: Path
    job_id: UUID | None
    document_id: UUID | None
    outcome: str
    status: str | None
    code: str | None
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class _UploadedFile:
    """A file that has a job. `started` is time.perf_counter() before it was read."""

    path: Path
    receipt: Receipt
    started: float

    @property
    def job_id(self) -> UUID:
        assert self.receipt.job_id is not None  # noqa: S101 - every outcome of create_job has a job
        return self.receipt.job_id


class Submission:
    """Files that are submitted for one owner.

    `request` is for the job of each file. With `follow`, a file is done when its job is parsed or
    has ended, else when it is uploaded. `on_done` gets each result, `on_uploaded` each file that is
    stored, and `on_notice` a sentence when nothing has moved for `patience` seconds.
    """

    def __init__(
        self,
        engine: Engine,
        storage: Storage,
        views: Views,
        owner_id: UUID,
        *,
        follow: bool,
        request: JobRequest | None = None,
        on_done: Callable[[Submitted], None],
        on_uploaded: Callable[[Path], None] = lambda path: None,
        on_notice: Callable[[str], None] = lambda sentence: None,
        patience: float = _PATIENCE,
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._views = views
        self._owner_id = owner_id
        self._follow = follow
        self._request = request or {}
        self._on_done = on_done
        self._on_uploaded = on_uploaded
        self._waiting: WaitingJobs[_UploadedFile] = WaitingJobs(
            views, on_end=self._report_end, on_notice=on_notice, patience=patience
        )
        self._fault: DatabaseError | None = None

    async def run(self, entries: Iterable[Entry]) -> None:
        """Submit all files. One that cannot be submitted does not stop the others.

        Raises DatabaseError if Postgres goes away or refuses every file. What was done stays done.
        """
        remaining = iter(entries)
        try:
            async with asyncio.TaskGroup() as tasks:
                uploads = [
                    tasks.create_task(self._until_fault(self._upload_each(remaining)))
                    for _ in range(UPLOADS)
                ]
                if self._follow:
                    tasks.create_task(self._until_fault(self._wait_for_all(uploads)))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        if self._fault is not None:
            raise self._fault

    async def _until_fault(self, work: Coroutine[None, None, None]) -> None:
        """Keep a DatabaseError, at which all tasks stop, but none in the middle of a call."""
        try:
            await work
        except DatabaseError as error:
            self._fault = self._fault or error

    async def _upload_each(self, entries: Iterator[Entry]) -> None:
        for entry in entries:
            if self._fault is not None:
                return
            await self._upload(entry)

    async def _upload(self, entry: Entry) -> None:
        started = time.perf_counter()
        if entry.fault is not None:
            self._refuse(entry.path, entry.fault, started)
            return
        try:
            raw = await asyncio.to_thread(read_raw, entry.path)
            receipt = await make_job(
                self._engine, self._views, self._storage, raw, self._owner_id, **self._request
            )
        except Unreadable as error:
            self._refuse(entry.path, str(error), started)
        except StorageError as error:
            self._refuse(entry.path, f"{entry.path} was not stored: {error}.", started)
        except DatabaseError as error:
            if isinstance(error, Unavailable) or (error.sqlstate or "")[:2] in _NOT_ABOUT_A_FILE:
                raise
            said = " ".join(filter(None, [f"{entry.path} was refused: {error}.", error.hint]))
            self._refuse(entry.path, said, started)
        else:
            file = _UploadedFile(entry.path, receipt, started)
            self._on_uploaded(file.path)
            if self._follow:
                self._waiting.add(file.job_id, file)
            else:
                self._report(file, receipt.status)

    async def _wait_for_all(self, uploads: list[asyncio.Task[None]]) -> None:
        polls = Backoff(_SHORTEST_POLL)
        while self._waiting or not all(task.done() for task in uploads):
            if self._fault is not None:
                return
            if await self._waiting.poll():
                polls.reset()
            await asyncio.sleep(polls.next(_LONGEST_POLL))

    def _refuse(self, path: Path, error: str, started: float) -> None:
        seconds = time.perf_counter() - started
        self._on_done(Submitted(path, None, None, "error", None, None, error, seconds))

    def _report_end(self, file: _UploadedFile, job: JobOverview | None) -> None:
        if job is None:
            self._report(
                file, None, error=f"{file.path}: its job is gone, it was erased or purged."
            )
        elif job.failed:
            error = job.last_error or {}
            reason = error.get("error") or error.get("code")
            self._report(file, job.status, code=error.get("code"), error=f"{file.path}: {reason}")
        elif job.parsed_path is None:
            self._report(file, job.status, error=f"{file.path}: its job is {job.status}.")
        else:
            self._report(file, job.status)

    def _report(
        self,
        file: _UploadedFile,
        status: str | None,
        *,
        code: str | None = None,
        error: str | None = None,
    ) -> None:
        self._on_done(
            Submitted(
                path=file.path,
                job_id=file.receipt.job_id,
                document_id=file.receipt.document_id,
                outcome=file.receipt.outcome,
                status=status,
                code=code,
                error=error,
                seconds=time.perf_counter() - file.started,
            )
        )
