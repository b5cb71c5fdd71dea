"""One try at one job: its handler under its lease, and what the engine is told of it.

The lease is the fence: whoever lost it to a webhook, an operator or another worker is refused by
every function that ends it. So a handler goes on for as long as the engine has not said that the
lease is lost, even while Postgres is away: an expired lease that nobody has swept is still ours.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, StaleLease, Unavailable, UnknownJob
from hookline.postgres.records import Receipt
from hookline.settings import Settings
from hookline.stages import Advance, Deferred, Failed, HandedOver, Job, Paused, Stage, Tools
from hookline.storage.objects import Storage, StorageError
from hookline.timing import Backoff, wait_until_set
from hookline.worker.metrics import WorkerMetrics

__all__ = ["Execution", "WorkerContext", "frames_of"]

log = structlog.get_logger("hookline.worker")

# How long a handler may take to end once it is cancelled.
_GRACE = 2.0
_BEATS_A_LEASE = 3
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# check_error_argument takes 10,000 bytes in all, as JSON.
_LONGEST_TEXT = 1500
_RIGHT_RESULTS = "A handler returns a code, Advance(code, payload) or HandedOver()."


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all tries of a worker share.

    `ring` says that a job came to a status; `cut` is set when handlers have had their time to end.
    """

    pool: AsyncConnectionPool
    storage: Storage
    settings: Settings
    metrics: WorkerMetrics
    ring: Callable[[str | None], None]
    cut: asyncio.Future[None]
    # Handlers that did not end when they were cancelled: a task that nobody holds may vanish.
    given_up: set[asyncio.Task[Any]] = field(default_factory=set)


class _Watched(Engine):
    """The engine of one try: it notices steps that the handler takes by itself."""

    def __init__(
        self, pool: AsyncConnectionPool, job: Job, ring: Callable[[str | None], None]
    ) -> None:
        super().__init__(pool)
        self._status = job.status
        self._ring = ring
        self.calling = asyncio.Lock()
        self.ended_lease = False

    async def _receipt(self, function: str, **arguments: object) -> Receipt:
        async with self.calling:
            receipt = await super()._receipt(function, **arguments)
            # Any step ends the lease.
            if receipt.event_id is not None and not arguments.get("keep_lease"):
                self.ended_lease = True
        if receipt.event_id is not None and receipt.status != self._status:
            self._ring(receipt.status)
        return receipt


# What a handler returns, if it keeps to its type.
_Result = Advance | HandedOver | str
_Outcome = Advance | HandedOver | Failed | Deferred


class Execution:
    """A claimed job, from here to the end of its lease."""

    def __init__(self, workshop: WorkerContext, stage: Stage, job: Job, lease: float) -> None:
        self._workshop = workshop
        self._stage = stage
        self._job = job
        self._lease = lease
        self._engine = _Watched(workshop.pool, job, workshop.ring)
        self._tools = Tools(self._engine, workshop.storage, workshop.settings)
        self._over = asyncio.Event()
        self._started = time.monotonic()

    async def run(self) -> None:
        """Work on the job. What goes wrong is told to the engine and logged, never raised."""
        # A task of its own, so that what ends it is known: here nobody is ever cancelled.
        work = asyncio.create_task(self._work(), name=f"{self._job.status} {self._job.job_id}")
        beats = asyncio.create_task(self._keep_lease(), name=f"lease {self._job.job_id}")
        try:
            cut = self._workshop.cut
            ends: set[asyncio.Future[Any]] = {work, beats, cut}
            await asyncio.wait(
                ends,
                timeout=self._stage.timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                await self._tell(self._outcome_of(work))
            elif beats.done():
                await self._end(work)
                self._report("lost")
            elif cut.done():
                await self._end(work)
                await self._give_back(work)
            else:
                await self._end(work)
                late = f"It took more than {self._stage.timeout:g} s and was stopped."
                done = work.done() and not work.cancelled() and work.exception() is None
                await self._tell(self._outcome_of(work) if done else Failed("stage_timeout", late))
        finally:
            self._over.set()
            await beats

    async def _work(self) -> _Result:
        structlog.contextvars.bind_contextvars(**self._ids())
        return await self._stage.handler(self._job, self._tools)

    async def _keep_lease(self) -> None:
        """Prolong the lease; return when it is lost, or the try over."""
        pause = self._lease / _BEATS_A_LEASE
        while not await wait_until_set(self._over, pause):
            if self._engine.ended_lease:
                continue
            try:
                await self._engine.heartbeat(
                    self._job.job_id, self._job.lease_token, lease=self._lease
                )
                pause = self._lease / _BEATS_A_LEASE
            except (StaleLease, UnknownJob):
                # A step of the handler may be the reason, and its answer still on the way here.
                async with self._engine.calling:
                    ended_by_hand_over = self._engine.ended_lease or self._tools.hand_over_expected
                if not ended_by_hand_over:
                    return
            except DatabaseError as error:
                log.warning("heartbeat_failed", reason=str(error), **self._ids())
                pause = min(1.0, self._lease / _BEATS_A_LEASE / 4)

    async def _end(self, work: asyncio.Task[Any]) -> None:
        """Cancel the handler. One that resists is left to itself; the lease keeps it harmless."""
        # Whatever it still raises has nobody to go to, and may quote the document.
        work.add_done_callback(_retrieve)
        work.cancel()
        await asyncio.wait({work}, timeout=_GRACE)
        if not work.done():
            log.error("handler_resists_cancellation", **self._ids())
            self._workshop.given_up.add(work)
            work.add_done_callback(self._workshop.given_up.discard)

    def _outcome_of(self, work: asyncio.Task[_Result]) -> _Outcome:
        if work.cancelled():
            return Failed("CancelledError", "The handler cancelled itself.")
        match work.exception():
            case None:
                return self._outcome_of_result(work.result())
            case Failed() | Deferred() as outcome:
                return outcome
            case Unavailable() as error:
                return Deferred("database_unavailable", str(error))
            case StorageError() as error:
                return Deferred("storage_unavailable", f"The storage failed: {error}.")
            case StaleLease() as error:
                # The handler heard of it before we did. If it is another job's, it is a failure.
                return Failed("StaleLease", str(error))
            case error:
                name, frames = type(error).__name__, frames_of(error)
                log.error("handler_failed", error=name, frames=frames, **self._ids())
                where = frames[-1].rpartition("/")[2] if frames else "its handler"
                return Failed(name, f"{name} at {where}")

    def _outcome_of_result(self, result: object) -> _Outcome:
        match result:
            case Advance() | HandedOver():
                return result
            case str():
                return Advance(result)
            case None:
                wrong = Failed("no_result", f"The handler returned None. {_RIGHT_RESULTS}")
            case _:
                name = type(result).__name__
                wrong = Failed("wrong_result", f"The handler returned a {name}. {_RIGHT_RESULTS}")
        log.error("handler_result_wrong", error=wrong.text, **self._ids())
        return wrong

    async def _tell(self, outcome: _Outcome) -> None:
        if isinstance(outcome, HandedOver):
            self._report("handed_over")
            return
        pauses = Backoff(_FIRST_PAUSE)
        while True:
            try:
                await self._tell_once(outcome)
                return
            except Unavailable as error:
                # There is nothing better to do: whoever could take the lease needs Postgres, too.
                log.warning("result_waits", reason=str(error), **self._ids())
                if self._workshop.cut.done():
                    self._report("lost", reason="Postgres is away")
                    return
                await asyncio.wait({self._workshop.cut}, timeout=pauses.next(_LONGEST_PAUSE))
            except (StaleLease, UnknownJob) as error:
                self._report("lost", reason=str(error))
                return
            except (DatabaseError, TypeError, ValueError) as error:
                if isinstance(outcome, Failed):
                    log.error("failure_not_told", error=type(error).__name__, **self._ids())
                    self._report("lost", reason="its failure cannot be told")
                    return
                # A step that the machine does not have, a payload that is no JSON.
                text = str(error) if isinstance(error, DatabaseError) else "It cannot be told."
                outcome = Failed(type(error).__name__, text)

    async def _tell_once(self, outcome: Advance | Failed | Deferred) -> None:
        ids = (self._job.job_id, self._job.lease_token)
        match outcome:
            case Advance(code, payload):
                receipt = await self._engine.advance_job(*ids, code, payload)
                self._report("advanced", code=code, to=receipt.status)
            case Deferred():
                if isinstance(outcome, Paused):
                    await self._pause(outcome)
                error = _error(outcome)
                await self._engine.defer_job(*ids, error, outcome.until)
                self._report("deferred", **error)
            case Failed():
                error = _error(outcome)
                receipt = await self._engine.fail_job(
                    *ids, error, permanent=outcome.permanent, start_over=outcome.start_over
                )
                self._report("failed", to=receipt.status, **error)

    async def _pause(self, outcome: Paused) -> None:
        try:
            until = await self._engine.pause_stage(
                self._job.status, outcome.pause_until, outcome.reason[:500]
            )
        except Unavailable:
            raise
        except DatabaseError as error:
            log.error("stage_not_paused", reason=str(error), **self._ids())
        else:
            log.warning("stage_paused", stage=self._job.status, until=until.isoformat())

    async def _give_back(self, work: asyncio.Task[_Result]) -> None:
        """The worker stops. What the handler did not get to the end of is anybody's again."""
        if work.done() and not work.cancelled() and work.exception() is None:
            await self._tell(self._outcome_of(work))
            return
        if self._engine.ended_lease:
            self._report("handed_over")
            return
        try:
            await self._engine.release_lease(self._job.job_id, self._job.lease_token)
        except DatabaseError as error:
            self._report("lost", reason=str(error))
        else:
            self._report("released")

    def _report(self, result: str, **more: object) -> None:
        seconds = time.monotonic() - self._started
        self._workshop.metrics.count_ended(self._stage.status, result, seconds)
        write = log.warning if result in ("failed", "lost") else log.info
        write("job", result=result, ms=round(seconds * 1000, 1), **self._ids(), **more)

    def _ids(self) -> dict[str, object]:
        return {
            "stage": self._job.status,
            "job_id": str(self._job.job_id),
            "document_id": str(self._job.document_id),
            "attempt": self._job.attempt,
            "version": self._job.version,
        }


def frames_of(error: BaseException) -> list[str]:
    """Where an error was raised. All that is logged of one: its message may quote the document."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-8)
    ]


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _error(outcome: Failed | Deferred) -> dict[str, str]:
    """What check_error_argument takes, whatever a provider or a handler called it."""
    word = re.sub(r"[^A-Za-z0-9_.]", "_", outcome.code)[:90]
    code = word if re.match(r"[A-Za-z]", word) else f"error_{word}"
    text = outcome.text.replace("\0", "").encode("utf-8", "replace").decode()
    return {"code": code, "error": text[:_LONGEST_TEXT]}
