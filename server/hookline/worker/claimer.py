"""The claims of one stage: as many jobs as it has free places, and not one more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, InvalidArgument, Unavailable
from hookline.settings import ConfigurationError
from hookline.stages import Job, Stage
from hookline.timing import Backoff, wait_until_set
from hookline.worker.execution import Execution, WorkerContext, frames_of

__all__ = ["Claimer"]

log = structlog.get_logger("hookline.worker")

# Between two looks, in seconds: after work; at last, where a bell is heard; and where none is.
_BUSY = 0.2
_IDLE = 5.0
_IDLE_DEAF = 1.0
# However often the bell rings.
_SHORTEST = 0.05
# Postgres refuses, which does not pass by itself: no rights, no Hookline.
_REFUSED = 10.0
_NOT_ALLOWED = "42501"


class Claimer:
    """Polls for jobs; `wake` makes it look at once."""

    def __init__(
        self,
        workshop: WorkerContext,
        stage: Stage,
        *,
        worker: str,
        lease: float,
        hears: Callable[[], bool],
    ) -> None:
        self._workshop = workshop
        self._stage = stage
        self._worker = worker
        self._lease = lease
        self._hears = hears
        self._engine = Engine(workshop.pool)
        self._tries: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._has_claimed = False

    def wake(self) -> None:
        """Look now: there may be a job."""
        self._woken.set()

    def stop(self) -> None:
        """Claim no more. `run` ends when the last try has."""
        self._stopping.set()
        self._woken.set()
        self._freed.set()

    async def run(self) -> None:
        """Until `stop`. Postgres away: waits, and goes on by itself.

        Raises ConfigurationError if the very first claim says that nobody can claim this, or not
        we.
        """
        pauses = Backoff(_BUSY)
        while not self._stopping.is_set():
            free = self._stage.concurrency - len(self._tries)
            if free == 0:
                self._freed.clear()
                await self._freed.wait()
                continue
            self._woken.clear()
            longest = _IDLE if self._hears() else _IDLE_DEAF
            try:
                jobs = await self._claim(free)
            except Unavailable as error:
                log.warning("claim_waits", stage=self._stage.status, reason=str(error))
                await wait_until_set(self._stopping, pauses.next(_IDLE))
                continue
            except DatabaseError as error:
                log.error("claim_refused", stage=self._stage.status, reason=str(error))
                await wait_until_set(self._stopping, _REFUSED)
                continue
            if self._stopping.is_set():
                await self._release(jobs)
                break
            for job in jobs:
                self._begin(job)
            if len(jobs) == free:
                pauses.reset()
                continue
            if jobs:
                pauses.reset()
            await wait_until_set(self._stopping, _SHORTEST)
            await wait_until_set(self._woken, pauses.next(longest))
        while self._tries:
            await asyncio.wait(self._tries)

    async def _claim(self, free: int) -> list[Job]:
        try:
            jobs = await self._engine.claim_jobs(
                self._stage.status, self._worker, batch=free, lease=self._lease
            )
        except InvalidArgument as error:
            if self._has_claimed:
                raise
            raise ConfigurationError(
                f"There is no stage for the status {self._stage.status}: {error}. {error.hint}"
            ) from error
        except DatabaseError as error:
            if self._has_claimed or error.sqlstate != _NOT_ALLOWED:
                raise
            raise ConfigurationError(
                f"The login role of DATABASE_URL may not claim jobs ({error}): a worker needs one"
                " in hookline_worker."
            ) from error
        self._has_claimed = True
        return jobs

    async def _release(self, jobs: list[Job]) -> None:
        # Claimed while the stop came.
        for job in jobs:
            with suppress(DatabaseError):
                await self._engine.release_lease(job.job_id, job.lease_token)

    def _begin(self, job: Job) -> None:
        self._workshop.metrics.count_claimed(self._stage.status)
        task = asyncio.create_task(
            Execution(self._workshop, self._stage, job, self._lease).run(), name=f"try {job.job_id}"
        )
        self._tries.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tries.discard(task)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()):
            # A bug of ours; the job comes again when its lease has expired.
            log.error(
                "try_failed",
                stage=self._stage.status,
                error=type(error).__name__,
                frames=frames_of(error),
            )
