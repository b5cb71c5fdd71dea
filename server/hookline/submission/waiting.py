"""Wait for jobs: each is reported when it ends, and once why nothing moves."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID

from hookline.postgres.views import JobOverview
from hookline.submission.job_functions import JobReader
from hookline.submission.waiting_reason import find_reasons
from hookline.timing import now

__all__ = ["WaitingJobs"]

Waiter = TypeVar("Waiter")

# How many jobs one query reads.
_BATCH = 500


class WaitingJobs(Generic[Waiter]):
    """The jobs that have not ended yet, each with those who wait for it.

    A wait ends when the job has its content or is finished. `on_end` gets each waiter with its job,
    which is None if the job was erased. `on_notice` gets a sentence for each reason why nothing has
    moved for `patience` seconds.
    """

    def __init__(
        self,
        jobs: JobReader,
        *,
        on_end: Callable[[Waiter, JobOverview | None], None],
        on_notice: Callable[[str], None] | None = None,
        patience: float = 0,
    ) -> None:
        self._jobs = jobs
        self._on_end = on_end
        self._on_notice = on_notice
        self._patience = patience
        self._waiters: dict[UUID, list[Waiter]] = {}
        self._seen: dict[UUID, tuple[int, str | None]] = {}
        self._moved_at = time.monotonic()
        self._told: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def add(self, job_id: UUID, waiter: Waiter) -> None:
        """Wait for this job, too."""
        self._waiters.setdefault(job_id, []).append(waiter)

    def discard(self, job_id: UUID, waiter: Waiter) -> None:
        """Stop a wait. Nothing happens if it has ended."""
        waiters = self._waiters.get(job_id, [])
        if waiter in waiters:
            waiters.remove(waiter)
        if not waiters:
            self._waiters.pop(job_id, None)
            self._seen.pop(job_id, None)

    async def poll(self) -> bool:
        """Read the jobs that were not read for the longest time; whether one moved or ended.

        Raises DatabaseError.
        """
        ids = list(itertools.islice(self._waiters, _BATCH))
        jobs = {job.job_id: job for job in await self._jobs.jobs_of(ids)} if ids else {}
        moved = not ids
        for job_id in ids:
            moved |= self._take(job_id, jobs.get(job_id))
        if moved:
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > self._patience:
            self._explain(list(jobs.values()))
        return moved

    def _take(self, job_id: UUID, job: JobOverview | None) -> bool:
        """Report a job that has ended, put another one at the end; whether it moved or ended."""
        waiters = self._waiters.pop(job_id, [])
        if job is None or job.terminal or job.has_content:
            self._seen.pop(job_id, None)
            for waiter in waiters:
                self._on_end(waiter, job)
            return True
        if not waiters:  # Discarded while the job was read.
            return False
        self._waiters[job_id] = waiters
        state = (job.version, job.leased_by)
        moved = self._seen.get(job_id, state) != state
        self._seen[job_id] = state
        return moved

    def _explain(self, jobs: list[JobOverview]) -> None:
        if self._on_notice is None:
            return
        for reason in find_reasons(jobs, now()):
            if reason.key not in self._told:
                self._told.add(reason.key)
                self._on_notice(reason.sentence)
