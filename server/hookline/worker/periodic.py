"""What a worker does beside its jobs, again and again, such as looking for what was missed."""

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
    """Run it until `stopping`. What fails is logged, and tried again in its turn."""
    pauses = Backoff(task.every, factor=1)
    while not await wait_until_set(stopping, pauses.next(task.every)):
        try:
            await task.run(tools)
        except DatabaseError as error:
            log.warning("task_waits", task=task.name, reason=str(error))
        except Exception as error:
            # The outermost loop: who would start it again? A message may quote a document.
            log.error("task_failed", task=task.name, error=type(error).__name__)
