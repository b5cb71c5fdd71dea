"""The claimer of one stage: claims as many jobs as the stage has free places, never more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, InvalidArgument, Unavailable
from hookline.process.frames import frames_of
from hookline.settings import ConfigurationError
from hookline.stages import Job, Stage
from hookline.timing import Backoff, wait_until_set
from hookline.worker.context import WorkerContext
from hookline.worker.execution import Execution
from hookline.worker.poll_intervals import (
    POLL_MAX_WITH_LISTEN,
    POLL_MAX_WITHOUT_LISTEN,
    POLL_MIN,
    REFUSED_PAUSE,
)

__all__ = ["Claimer"]

log = structlog.get_logger("hookline.worker")

# Seconds between two claims, however many notifications arrive.
WAKE_MIN = 0.05

_INSUFFICIENT_PRIVILEGE = "42501"


class Claimer:
    """Claims the jobs of one stage and starts an execution for each. `lease` is seconds."""

    def __init__(
        self,
        context: WorkerContext,
        stage: Stage,
        *,
        worker: str,
        lease: float,
        is_listening: Callable[[], bool],
    ) -> None:
        self._context = context
        self._stage = stage
        self._worker = worker
        self._lease = lease
        self._is_listening = is_listening
        self._engine = Engine(context.pool)
        self._executions: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._place_freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._has_claimed = False
        self._last_owner: UUID | None = None

    def wake(self) -> None:
        """Poll at once: there may be a job."""
        self._woken.set()

    def stop(self) -> None:
        """Claim no more jobs. `run` returns when the last execution has ended."""
        self._stopping.set()
        self._woken.set()
        self._place_freed.set()

    async def run(self) -> None:
        """Claim jobs until `stop`. While Postgres is away, it waits and tries again.

        Raises ConfigurationError if the first claim says that there is no such stage, or that our
        login may not claim.
        """
        poll = Backoff(POLL_MIN)
        while not self._stopping.is_set():
            free = self._stage.concurrency - len(self._executions)
            if free == 0:
                self._place_freed.clear()
                await self._place_freed.wait()
                continue
            # Before the claim: a notification that arrives during it is not overlooked.
            self._woken.clear()
            poll_max = POLL_MAX_WITH_LISTEN if self._is_listening() else POLL_MAX_WITHOUT_LISTEN
            try:
                jobs = await self._claim(free)
            except Unavailable as error:
                log.warning("claim_waits", stage=self._stage.status, reason=str(error))
                await wait_until_set(self._stopping, poll.next(POLL_MAX_WITH_LISTEN))
                continue
            except DatabaseError as error:
                log.error("claim_refused", stage=self._stage.status, reason=str(error))
                await wait_until_set(self._stopping, REFUSED_PAUSE)
                continue
            if self._stopping.is_set():
                await self._release(jobs)
                break
            for job in jobs:
                self._start(job)
            if jobs:
                poll.reset()
            if len(jobs) == free:
                continue
            await wait_until_set(self._stopping, WAKE_MIN)
            await wait_until_set(self._woken, poll.next(poll_max))
        while self._executions:
            await asyncio.wait(self._executions)

    async def _claim(self, free: int) -> list[Job]:
        try:
            jobs = await self._engine.claim_jobs(
                self._stage.status,
                self._worker,
                batch=free,
                lease=self._lease,
                provider=self._stage.provider,
                takes_unnamed=self._stage.takes_unnamed,
                after=self._last_owner,
            )
        except InvalidArgument as error:
            if self._has_claimed:
                raise
            raise ConfigurationError(
                f"There is no stage for the status {self._stage.status}: {error}. {error.hint}"
            ) from error
        except DatabaseError as error:
            if self._has_claimed or error.sqlstate != _INSUFFICIENT_PRIVILEGE:
                raise
            raise ConfigurationError(
                f"The login role of DATABASE_URL may not claim jobs ({error}): a worker needs a"
                " login that is a member of hookline_worker."
            ) from error
        self._has_claimed = True
        if jobs:
            self._last_owner = jobs[-1].owner_id
        return jobs

    async def _release(self, jobs: list[Job]) -> None:
        # The stop came while they were being claimed.
        for job in jobs:
            with suppress(DatabaseError):
                await self._engine.release_lease(job.job_id, job.lease_token)

    def _start(self, job: Job) -> None:
        self._context.metrics.count_claimed(self._stage.status)
        execution = Execution(self._context, self._stage, job, self._lease)
        task = asyncio.create_task(execution.run(), name=f"execution {job.job_id}")
        self._executions.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._executions.discard(task)
        self._place_freed.set()
        if not task.cancelled() and (error := task.exception()):
            # This is a bug of Hookline. The job is claimed again when its lease has expired.
            log.error(
                "execution_failed",
                stage=self._stage.status,
                error=type(error).__name__,
                frames=frames_of(error),
            )
