"""Repeats a periodic task, such as applying parked deliveries, while the worker runs."""

from __future__ import annotations

import asyncio

import structlog

from hookline.postgres.errors import DatabaseError
from hookline.providers.parser_stages import PeriodicTask
from hookline.stages import Tools
from hookline.timing import Backoff, wait_until_set

__all__ = ["repeat"]

log = structlog.get_logger("hookline.worker")


async def repeat(task: PeriodicTask, tools: Tools, stopping: asyncio.Event) -> None:
    """Run the task every few seconds until `stopping` is set. A failure is logged, never raised."""
    pause = Backoff(task.every, factor=1)
    while not await wait_until_set(stopping, pause.next(task.every)):
        try:
            await task.run(tools)
        except DatabaseError as error:
            log.warning("periodic_task_waits", task=task.name, reason=str(error))
        except Exception as error:
            # This is the outermost loop: nobody else would start the task again. The message is
            # not logged, since it may quote a document.
            log.error("periodic_task_failed", task=task.name, error=type(error).__name__)
