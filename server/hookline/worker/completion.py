"""The completion of one job: the engine is told the outcome, then it is logged and counted."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, StaleLease, Unavailable, UnknownJob
from hookline.postgres.records import Receipt
from hookline.sources.strict_json import replace_unstorable
from hookline.stages import Advance, Deferred, Failed, HandedOver, Job, Paused
from hookline.timing import Backoff
from hookline.tracing.spans import procedure_span
from hookline.worker.context import WorkerContext, log_fields
from hookline.worker.outcome import Outcome

__all__ = ["Completion"]

log = structlog.get_logger("hookline.worker")

# Pauses between two calls while Postgres is away, in seconds.
_RETRY_MIN = 0.1
_RETRY_MAX = 5.0
# Characters. check_error_argument takes 10,000 bytes in all, as JSON.
_LONGEST_TEXT = 1500
_LONGEST_CODE = 90
_LONGEST_REASON = 500
_LOCK_NOT_AVAILABLE = "55P03"


class Completion:
    """Ends the lease of one job by the function that fits the outcome, and reports it once.

    `result` is what was reported.
    """

    def __init__(self, context: WorkerContext, engine: Engine, job: Job) -> None:
        self._context = context
        self._engine = engine
        self._job = job
        self._started = time.monotonic()
        self.result: str | None = None

    async def complete(self, outcome: Outcome) -> None:
        """Tell the engine the outcome. While Postgres is away, it tries until the stop deadline."""
        if isinstance(outcome, HandedOver):
            self.report("handed_over")
            return
        backoff = Backoff(_RETRY_MIN)
        while True:
            try:
                await self._tell(outcome)
                return
            except Unavailable as error:
                # Keep trying: whoever could take over the lease needs Postgres as well.
                log.warning("completion_waits", reason=str(error), **log_fields(self._job))
                if self._context.stop_deadline.done():
                    self.report("lost", reason="Postgres is away")
                    return
                await asyncio.wait({self._context.stop_deadline}, timeout=backoff.next(_RETRY_MAX))
            except (StaleLease, UnknownJob) as error:
                self.report("lost", reason=str(error))
                return
            # The last three: the payload cannot be JSON (RecursionError: it is nested too deeply).
            except (DatabaseError, TypeError, ValueError, RecursionError) as error:
                if isinstance(outcome, Failed):
                    log.error(
                        "failure_not_recorded", error=type(error).__name__, **log_fields(self._job)
                    )
                    self.report("lost", reason="Postgres refused to record its failure")
                    return
                # Otherwise the state machine does not have this step.
                text = _refusal(error) if isinstance(error, DatabaseError) else "It cannot be JSON."
                outcome = Failed(type(error).__name__, text)

    async def release(self) -> None:
        """End the lease because the worker stops. The job is claimed again; no try is counted."""
        try:
            await self._engine.release_lease(self._job.job_id, self._job.lease_token)
        except DatabaseError as error:
            self.report("lost", reason=str(error))
        else:
            self.report("released")

    def report(self, result: str, **more: object) -> None:
        """Log and count how the execution ended."""
        self.result = result
        seconds = time.monotonic() - self._started
        self._context.metrics.count_ended(self._job.status, result, seconds)
        write = log.warning if result in ("failed", "lost") else log.info
        write("job", result=result, ms=round(seconds * 1000, 1), **log_fields(self._job), **more)

    async def _tell(self, outcome: Advance | Failed | Deferred) -> None:
        ids = (self._job.job_id, self._job.lease_token)
        match outcome:
            case Advance(code, payload):
                receipt = await self._advance(code, payload)
                self.report("advanced", code=code, to=receipt.status)
            case Deferred():
                if isinstance(outcome, Paused):
                    await self._pause_stage(outcome)
                error = _error_argument(outcome)
                await self._engine.defer_job(*ids, error, outcome.pause)
                self.report("deferred", **error)
            case Failed():
                error = _error_argument(outcome)
                receipt = await self._engine.fail_job(
                    *ids, error, permanent=outcome.permanent, start_over=outcome.start_over
                )
                self.report("failed", to=receipt.status, **error)

    async def _advance(self, code: str, payload: Mapping[str, object]) -> Receipt:
        ids = (self._job.job_id, self._job.lease_token)
        # Before it joins the others: a payload that cannot be JSON must not fail them.
        json.dumps(payload)
        try:
            with procedure_span("advance_jobs"):
                receipt = await self._context.advances.send((*ids, code, payload))
        except Unavailable as error:
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                raise
            return await self._engine.advance_job(*ids, code, payload)
        if receipt.status != self._job.status:
            self._context.notify(receipt.status)
        return receipt

    async def _pause_stage(self, outcome: Paused) -> None:
        try:
            until = await self._engine.pause_stage(
                self._job.status,
                outcome.pause,
                outcome.reason[:_LONGEST_REASON],
                outcome.provider,
            )
        except Unavailable:
            raise
        except DatabaseError as error:
            log.error("stage_not_paused", reason=str(error), **log_fields(self._job))
        else:
            of_provider = {} if outcome.provider is None else {"provider": outcome.provider}
            log.warning(
                "stage_paused", stage=self._job.status, until=until.isoformat(), **of_provider
            )


def _refusal(error: DatabaseError) -> str:
    """Why Postgres refused. The detail of our own errors lists the legal codes of the status."""
    # The detail of Postgres's own errors may quote the payload.
    is_ours = (error.sqlstate or "").startswith("UP")
    return f"{error}. {error.detail}" if is_ours and error.detail else str(error)


def _error_argument(outcome: Failed | Deferred) -> dict[str, str]:
    """The error as check_error_argument takes it. Codes of a provider or a handler may not fit."""
    word = re.sub(r"[^A-Za-z0-9_.]", "_", outcome.code)[:_LONGEST_CODE]
    code = word if re.match(r"[A-Za-z]", word) else f"error_{word}"
    return {"code": code, "error": replace_unstorable(outcome.text)[:_LONGEST_TEXT]}
