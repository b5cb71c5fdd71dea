"""The provider's files and parse jobs: their statuses, their times and their credits."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from fakes.llamacloud import documents
from fakes.llamacloud.documents import Document
from fakes.llamacloud.faults import FaultDraws
from fakes.llamacloud.webhooks import Hook, Spawn, Webhooks

TERMINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds of the provider. `speed` of them pass in a real second."""

    speed: float = 1.0
    queue_seconds: float = 1.0
    parse_seconds: float = 3.0  # times 0.5 to 1.5, by the seed
    list_lag_seconds: float = 2.0  # before a new job is listed
    billing_seconds: float = 2.0  # before the credits of a completed job are recorded
    webhook_timeout: float = 30.0  # real seconds that a receiver may take to answer

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


@dataclass(frozen=True, slots=True)
class File:
    id: str
    name: str
    data: bytes = field(repr=False)
    sha256: str
    purpose: str
    external_file_id: str | None
    uploaded_at: datetime


@dataclass(slots=True)
class ParseJob:
    id: str
    number: int
    """Counts the jobs from 0, in the order of their creation."""
    file: File
    tier: str
    user_metadata: Mapping[str, str] | None
    hooks: Sequence[Hook]
    push_url: str | None
    document: Document
    created_at: datetime
    updated_at: datetime
    listed_at: datetime
    status: str = "PENDING"
    error_message: str | None = None
    credits: float | None = None
    """What was billed; None before that."""
    version: str = "latest"
    options: dict[str, object] = field(default_factory=dict)
    readable_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def readable(self) -> bool:
        return self.readable_at is not None and self.readable_at <= now()


def now() -> datetime:
    return datetime.now(UTC)


class Jobs:
    """All files and jobs. Each job runs as a task and reports to its webhooks."""

    def __init__(self, draws: FaultDraws, pace: Pace, webhooks: Webhooks, spawn: Spawn) -> None:
        self.files: dict[str, File] = {}
        self.jobs: dict[str, ParseJob] = {}
        self._draws = draws
        self._pace = pace
        self._webhooks = webhooks
        self._spawn = spawn
        self._not_held = asyncio.Event()
        self._not_held.set()

    def hold(self) -> None:
        """Let no job end until `release` is called. Jobs still reach RUNNING."""
        self._not_held.clear()

    def release(self) -> None:
        self._not_held.set()

    def upload(self, name: str, data: bytes, purpose: str, external_file_id: str | None) -> File:
        sha256 = hashlib.sha256(data).hexdigest()
        file_id = self._draws.uuid("file", sha256, self._draws.turn("file", sha256))
        self.files[file_id] = File(file_id, name, data, sha256, purpose, external_file_id, now())
        return self.files[file_id]

    def create(
        self,
        file: File,
        tier: str,
        user_metadata: Mapping[str, str] | None = None,
        hooks: Sequence[Hook] = (),
        push_url: str | None = None,
    ) -> ParseJob:
        job_id = self._draws.uuid("job", file.sha256, self._draws.turn("job", file.sha256))
        at = now()
        job = self.jobs[job_id] = ParseJob(
            id=job_id,
            number=len(self.jobs),
            file=file,
            tier=tier,
            user_metadata=user_metadata,
            hooks=hooks,
            push_url=push_url,
            document=documents.parse(file.name, file.data),
            created_at=at,
            updated_at=at,
            listed_at=at + self._real(self._pace.list_lag_seconds),
        )
        self._spawn(self._run(job))
        return job

    def cancel(self, job: ParseJob) -> bool:
        """Cancel a job that has not ended, and return whether it had not. It costs nothing then."""
        if job.ended:
            return False
        self._move(job, "CANCELLED", "parse.cancelled")
        return True

    def listed(self) -> list[ParseJob]:
        """The jobs, newest first, without those that are too new to be listed."""
        at = now()
        return [job for job in reversed(self.jobs.values()) if job.listed_at <= at]

    @property
    def credits_billed(self) -> float:
        return sum(job.credits or 0 for job in self.jobs.values())

    def submissions(self, *keys: str) -> dict[tuple[str | None, ...], list[ParseJob]]:
        """The jobs grouped by the values of these keys of user_metadata, in order of creation."""
        grouped: dict[tuple[str | None, ...], list[ParseJob]] = {}
        for job in self.jobs.values():
            metadata = job.user_metadata or {}
            grouped.setdefault(tuple(metadata.get(key) for key in keys), []).append(job)
        return grouped

    def billed(self, *keys: str) -> dict[tuple[str | None, ...], float]:
        """The credits, grouped by the values of these keys of user_metadata."""
        return {
            key: sum(job.credits or 0 for job in jobs)
            for key, jobs in self.submissions(*keys).items()
        }

    def paid_twice(self, *keys: str) -> dict[tuple[str | None, ...], int]:
        """The groups of which more than one job was billed, with the number of those jobs."""
        count = Counter[tuple[str | None, ...]]()
        for key, jobs in self.submissions(*keys).items():
            count[key] = sum(1 for job in jobs if job.credits)
        return {key: jobs for key, jobs in count.items() if jobs > 1}

    async def _run(self, job: ParseJob) -> None:
        self._report(job, "parse.pending")
        await self._pace.pause(self._pace.queue_seconds)
        if job.ended:
            return
        self._move(job, "RUNNING", "parse.running")
        await self._pace.pause(
            self._pace.parse_seconds * self._draws.rng("pace", job.id).uniform(0.5, 1.5)
        )
        await self._not_held.wait()
        if job.ended or job.document.stuck:
            return
        if job.document.error is not None:
            job.error_message = job.document.error
            self._move(job, "FAILED", "parse.error")
            return
        early = self._draws.occurs("webhook_early", job.id)
        wait = self._real(self._draws.faults.early_seconds) if early else timedelta()
        job.readable_at = now() + wait
        partial = job.document.partial
        self._move(job, "COMPLETED", "parse.partial_success" if partial else "parse.success")
        if job.push_url is not None:
            self._webhooks.push(job.push_url, job.id, job.document)
        await self._pace.pause(self._pace.billing_seconds)
        job.credits = documents.CREDITS_A_PAGE[job.tier] * len(job.document.pages)

    def _move(self, job: ParseJob, status: str, event_type: str) -> None:
        job.status = status
        job.updated_at = now()
        self._report(job, event_type)

    def _report(self, job: ParseJob, event_type: str) -> None:
        self._webhooks.report(job.hooks, job.id, event_type, last=job.ended)

    def _real(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds / self._pace.speed)
