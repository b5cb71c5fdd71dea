"""One execution: the handler of a stage runs on one claimed job, under the job's lease.

The lease is a fence. When a webhook, an operator or another worker has ended it, Postgres refuses
every function that would end it again. So a handler runs on until Postgres says that the lease is
lost, even while Postgres is away: an expired lease is ours until somebody takes the job.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from hookline.stages import Failed, Job, Stage, Tools
from hookline.tracing.spans import span
from hookline.worker.completion import Completion
from hookline.worker.context import WorkerContext, log_fields
from hookline.worker.handler_engine import HandlerEngine
from hookline.worker.heartbeat import Heartbeat
from hookline.worker.outcome import Outcome, has_result, outcome_of

__all__ = ["Execution"]

log = structlog.get_logger("hookline.worker")

# How long a handler may take to end after it was cancelled, in seconds.
_CANCEL_TIMEOUT = 2.0


class Execution:
    """A claimed job, from its claim to the end of its lease."""

    def __init__(self, context: WorkerContext, stage: Stage, job: Job, lease: float) -> None:
        self._context = context
        self._stage = stage
        self._job = job
        self._engine = HandlerEngine(context.pool, job, context.notify)
        self._tools = Tools(self._engine, context.storage, context.settings)
        self._heartbeat = Heartbeat(self._engine, self._tools, job, lease)
        self._completion = Completion(context, self._engine, job)

    async def run(self) -> None:
        """Run the handler and tell the engine the outcome. Errors are logged, never raised."""
        job = self._job
        attributes = {
            "messaging.system": "hookline",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": job.status,
            "messaging.message.id": job.job_id,
            "messaging.message.conversation_id": job.correlation_id,
            "hookline.job_id": job.job_id,
            "hookline.document_id": job.document_id,
            "hookline.attempt": job.attempt,
        }
        with span(f"process {job.status}", "CONSUMER", attributes, job_id=job.job_id) as spanned:
            await self._run()
            if (result := self._completion.result) is not None:
                spanned.set({"hookline.result": result})
                if result in ("failed", "lost"):
                    spanned.fail(result)

    async def _run(self) -> None:
        # The handler has a task of its own, so that only the handler is ever cancelled.
        handler = asyncio.create_task(self._handle(), name=f"{self._job.status} {self._job.job_id}")
        heartbeat = asyncio.create_task(self._heartbeat.run(), name=f"lease {self._job.job_id}")
        stop_deadline = self._context.stop_deadline
        try:
            ends: set[asyncio.Future[Any]] = {handler, heartbeat, stop_deadline}
            await asyncio.wait(
                ends, timeout=self._stage.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if handler.done():
                await self._completion.complete(self._outcome_of(handler))
            elif heartbeat.done():
                await self._cancel(handler)
                self._completion.report("lost")
            elif stop_deadline.done():
                await self._cancel(handler)
                await self._complete_or_release(handler)
            else:
                await self._cancel(handler)
                await self._complete_or_time_out(handler)
        finally:
            self._heartbeat.stop()
            await heartbeat

    async def _handle(self) -> object:
        structlog.contextvars.bind_contextvars(**log_fields(self._job))
        return await self._stage.handler(self._job, self._tools)

    def _outcome_of(self, handler: asyncio.Task[object]) -> Outcome:
        show_message = self._context.settings.error_messages == "on"
        return outcome_of(handler, self._job, show_message=show_message)

    async def _cancel(self, handler: asyncio.Task[object]) -> None:
        """Cancel the handler. If it does not end, it is abandoned; the lease keeps it harmless."""
        # asyncio would log an exception that nobody looks at, and it may quote the document.
        handler.add_done_callback(_ignore_exception)
        handler.cancel()
        await asyncio.wait({handler}, timeout=_CANCEL_TIMEOUT)
        if not handler.done():
            log.error("handler_resists_cancellation", **log_fields(self._job))
            self._context.abandoned.add(handler)
            handler.add_done_callback(self._context.abandoned.discard)

    async def _complete_or_release(self, handler: asyncio.Task[object]) -> None:
        if has_result(handler):
            await self._completion.complete(self._outcome_of(handler))
        elif self._engine.ended_lease:
            self._completion.report("handed_over")
        else:
            await self._completion.release()

    async def _complete_or_time_out(self, handler: asyncio.Task[object]) -> None:
        if has_result(handler):
            outcome = self._outcome_of(handler)
        else:
            seconds = self._stage.timeout
            outcome = Failed("stage_timeout", f"It took more than {seconds:g} s and was stopped.")
        await self._completion.complete(outcome)


def _ignore_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
