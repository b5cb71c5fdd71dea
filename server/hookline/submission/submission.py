"""`hookline submit`: files are stored and become jobs; workers do the rest, and are waited for."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.records import Receipt
from hookline.postgres.views import JobOverview, Status, Views
from hookline.storage.objects import Storage, StorageError
from hookline.submission.files import Entry, Unreadable, read_raw
from hookline.submission.job_creation import make_job

__all__ = ["UPLOADS", "Submission", "Submitted"]

# A file is in memory while it is uploaded, and each upload may need a connection to Postgres.
UPLOADS = 4
# Jobs that are looked at together, and seconds between two looks.
_LOOKED_AT = 500
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
# SQLSTATE classes of a role without rights, and of a database without Hookline.
_NO_FILES_FAULT = ("42", "3F")
# After so many seconds in which nothing moves, it is asked why.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a file. With `error` None all is well: it is parsed, or not waited for.

    `outcome` is create_job's word: `duplicate` if the file has a job that goes on; `error` if it
    has no job. `status` is the job's, as it was last seen; `code` says why it failed.
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
class _Uploaded:
    """A file whose job is waited for."""

    path: Path
    receipt: Receipt
    started: float


class Submission:
    """Files on their way. `uploaded` and `done` are told of each, `notice` of what holds them up.

    With `follow`, a file is done when its job is parsed or finished, else when it is uploaded.
    """

    def __init__(
        self,
        engine: Engine,
        storage: Storage,
        views: Views,
        owner_id: UUID,
        *,
        follow: bool,
        done: Callable[[Submitted], None],
        uploaded: Callable[[Path], None] = lambda path: None,
        notice: Callable[[str], None] = lambda sentence: None,
        patience: float = _PATIENCE,
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._views = views
        self._owner_id = owner_id
        self._follow = follow
        self._done = done
        self._uploaded = uploaded
        self._notice = notice
        self._patience = patience
        # Two files with the same content are one document, and one job.
        self._waiting: dict[UUID, list[_Uploaded]] = {}
        self._seen: dict[UUID, tuple[int, str | None]] = {}
        self._moved_at = time.monotonic()
        self._told: set[str] = set()
        self._fault: DatabaseError | None = None

    async def run(self, entries: Iterable[Entry]) -> None:
        """Submit all. A file that is wrong does not stop the others.

        Raises DatabaseError if Postgres goes away or refuses all of them; what was done is done.
        """
        left = iter(entries)
        try:
            async with asyncio.TaskGroup() as tasks:
                uploads = [
                    tasks.create_task(self._until_fault(self._upload_from(left)))
                    for _ in range(UPLOADS)
                ]
                if self._follow:
                    tasks.create_task(self._until_fault(self._wait_for_all(uploads)))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        if self._fault is not None:
            raise self._fault

    async def _until_fault(self, work: Coroutine[None, None, None]) -> None:
        """What Postgres says to one it says to all: they stop, but none in the middle of a call."""
        try:
            await work
        except DatabaseError as error:
            self._fault = self._fault or error

    async def _upload_from(self, entries: Iterator[Entry]) -> None:
        for entry in entries:
            if self._fault is not None:
                return
            started = time.perf_counter()
            if entry.fault is not None:
                self._refuse(entry.path, entry.fault, started)
                continue
            try:
                raw = await asyncio.to_thread(read_raw, entry.path)
                receipt = await make_job(
                    self._engine, self._views, self._storage, raw, self._owner_id
                )
            except Unreadable as error:
                self._refuse(entry.path, str(error), started)
            except StorageError as error:
                self._refuse(entry.path, f"{entry.path} was not stored: {error}.", started)
            except DatabaseError as error:
                if isinstance(error, Unavailable) or (error.sqlstate or "")[:2] in _NO_FILES_FAULT:
                    raise
                said = " ".join(filter(None, [f"{entry.path} was refused: {error}.", error.hint]))
                self._refuse(entry.path, said, started)
            else:
                del raw
                self._take(_Uploaded(entry.path, receipt, started))

    def _take(self, one: _Uploaded) -> None:
        self._uploaded(one.path)
        job_id = one.receipt.job_id
        assert job_id is not None  # noqa: S101 - every outcome of create_job has a job
        if self._follow:
            self._waiting.setdefault(job_id, []).append(one)
        else:
            self._tell(one, one.receipt.status)

    async def _wait_for_all(self, uploads: list[asyncio.Task[None]]) -> None:
        statuses = {one.status: one for one in await self._views.statuses()}
        pause = _FIRST_PAUSE
        while self._waiting or not all(task.done() for task in uploads):
            if self._fault is not None:
                return
            moved = await self._look(statuses)
            pause = _FIRST_PAUSE if moved else min(pause * 1.5, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _look(self, statuses: dict[str, Status]) -> bool:
        """Look at some of the jobs, and next time at others; whether any has moved."""
        ids = list(itertools.islice(self._waiting, _LOOKED_AT))
        jobs = {job.job_id: job for job in await self._views.jobs_of(ids)} if ids else {}
        moved = not ids
        for job_id in ids:
            job = jobs.get(job_id)
            ended = job is None or job.terminal or statuses[job.status].has_content
            waiting = self._waiting.pop(job_id)
            if ended:
                for one in waiting:
                    self._tell_end(one, job)
                self._seen.pop(job_id, None)
            else:
                assert job is not None  # noqa: S101 - else it has ended
                self._waiting[job_id] = waiting
                now = (job.version, job.leased_by)
                moved |= job_id in self._seen and self._seen[job_id] != now
                self._seen[job_id] = now
            moved |= ended
        if moved:
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > self._patience:
            await self._explain(list(jobs.values()))
        return moved

    async def _explain(self, jobs: list[JobOverview]) -> None:
        """Say why nothing moves, once for each reason."""
        if any(job.leased_by is not None for job in jobs):
            return
        statuses = {one.status: one for one in await self._views.statuses()}
        for job in jobs:
            status = statuses[job.status]
            if status.paused_until is not None and status.paused_until > datetime.now(UTC):
                until = status.paused_until.astimezone(UTC)
                reason, why = (
                    f"paused {job.status}",
                    (
                        f"Nobody works on {job.status} before {until:%H:%M:%S}Z:"
                        f" {status.paused_because}"
                    ),
                )
            elif job.last_error is not None:
                code = str(job.last_error.get("code"))
                reason, why = code, f"It comes again: {code}: {job.last_error.get('error')}"
            elif status.claimable:
                reason, why = (
                    "no worker",
                    (
                        f"No worker has taken {'it' if len(jobs) == 1 else 'them'}: is"
                        " `hookline work` or `hookline up` running?"
                    ),
                )
            else:
                continue
            if reason not in self._told:
                self._told.add(reason)
                self._notice(why)

    def _refuse(self, path: Path, error: str, started: float) -> None:
        seconds = time.perf_counter() - started
        self._done(Submitted(path, None, None, "error", None, None, error, seconds))

    def _tell_end(self, one: _Uploaded, job: JobOverview | None) -> None:
        if job is None:
            self._tell(one, None, error=f"{one.path}: its job is gone, it was erased or purged.")
        elif job.failed:
            error = job.last_error or {}
            reason = error.get("error") or error.get("code")
            self._tell(one, job.status, code=error.get("code"), error=f"{one.path}: {reason}")
        elif job.parsed_path is None:
            self._tell(one, job.status, error=f"{one.path}: its job is {job.status}.")
        else:
            self._tell(one, job.status)

    def _tell(
        self,
        one: _Uploaded,
        status: str | None,
        *,
        code: str | None = None,
        error: str | None = None,
    ) -> None:
        receipt = one.receipt
        seconds = time.perf_counter() - one.started
        self._done(
            Submitted(
                one.path,
                receipt.job_id,
                receipt.document_id,
                receipt.outcome,
                status,
                code,
                error,
                seconds,
            )
        )
