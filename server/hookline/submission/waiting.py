"""Wait for the jobs of files: each is reported when it ends, and once why nothing moves."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from hookline.postgres.records import Receipt
from hookline.postgres.views import JobOverview, Views
from hookline.submission.waiting_reason import find_reasons
from hookline.timing import now

__all__ = ["UploadedFile", "WaitingJobs"]

# How many jobs one query reads.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that has a job. `started` is time.perf_counter() before it was read."""

    path: Path
    receipt: Receipt
    started: float

    @property
    def job_id(self) -> UUID:
        assert self.receipt.job_id is not None  # noqa: S101 - every outcome of create_job has a job
        return self.receipt.job_id


class WaitingJobs:
    """The jobs that have not ended yet. Two files with the same content have one job.

    `on_end` gets each file with its job, which is None if the job was erased. `on_notice` gets a
    sentence for each reason why nothing has moved for `patience` seconds.
    """

    def __init__(
        self,
        views: Views,
        *,
        on_end: Callable[[UploadedFile, JobOverview | None], None],
        on_notice: Callable[[str], None],
        patience: float,
    ) -> None:
        self._views = views
        self._on_end = on_end
        self._on_notice = on_notice
        self._patience = patience
        self._files: dict[UUID, list[UploadedFile]] = {}
        self._seen: dict[UUID, tuple[int, str | None]] = {}
        self._moved_at = time.monotonic()
        self._told: set[str] = set()
        # The statuses in which a job has its parsed content: there the wait ends.
        self._with_content: set[str] | None = None

    def __bool__(self) -> bool:
        return bool(self._files)

    def add(self, file: UploadedFile) -> None:
        """Wait for the job of a file, too."""
        self._files.setdefault(file.job_id, []).append(file)

    async def poll(self) -> bool:
        """Read the jobs that were not read for the longest time; whether one moved or ended.

        Raises DatabaseError.
        """
        ids = list(itertools.islice(self._files, _BATCH))
        jobs = {job.job_id: job for job in await self._views.jobs_of(ids)} if ids else {}
        if self._with_content is None:
            statuses = await self._views.statuses()
            self._with_content = {one.status for one in statuses if one.has_content}
        moved = not ids
        for job_id in ids:
            moved |= self._take(job_id, jobs.get(job_id), self._with_content)
        if moved:
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > self._patience:
            self._explain(list(jobs.values()))
        return moved

    def _take(self, job_id: UUID, job: JobOverview | None, with_content: set[str]) -> bool:
        """Report a job that has ended, put another one at the end; whether it moved or ended."""
        files = self._files.pop(job_id)
        if job is None or job.terminal or job.status in with_content:
            self._seen.pop(job_id, None)
            for file in files:
                self._on_end(file, job)
            return True
        self._files[job_id] = files
        state = (job.version, job.leased_by)
        moved = self._seen.get(job_id, state) != state
        self._seen[job_id] = state
        return moved

    def _explain(self, jobs: list[JobOverview]) -> None:
        for reason in find_reasons(jobs, now()):
            if reason.key not in self._told:
                self._told.add(reason.key)
                self._on_notice(reason.sentence)
