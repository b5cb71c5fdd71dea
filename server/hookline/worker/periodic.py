"""What a worker does beside its jobs, again and again, such as looking for what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from hookline.postgres.pool import DatabaseError
from hookline.stages import Tools
from hookline.timing import Pauses, set_within

__all__ = ["Chore", "repeat"]

log = structlog.get_logger("hookline.worker")


@dataclass(frozen=True, slots=True)
class Chore:
    """A coroutine and how many seconds lie between two runs, give or take a quarter.

    Every worker runs it, so it has to bear company: claims that skip what others hold.
    """

    name: str
    run: Callable[[Tools], Awaitable[object]]
    every: float


async def repeat(chore: Chore, tools: Tools, stopping: asyncio.Event) -> None:
    """Run it until `stopping`. What fails is logged, and tried again in its turn."""
    pauses = Pauses(chore.every, factor=1)
    while not await set_within(stopping, pauses.next(chore.every)):
        try:
            await chore.run(tools)
        except DatabaseError as error:
            log.warning("chore_waits", chore=chore.name, reason=str(error))
        except Exception as error:
            # The outermost loop: who would start it again? A message may quote a document.
            log.error("chore_failed", chore=chore.name, error=type(error).__name__)
