"""asyncio tasks of a process: loops that go on after an unexpected error, and a certain end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from hookline.process.frames import frames_of
from hookline.settings import ConfigurationError

__all__ = ["cancel_and_wait", "keep_running"]

log = structlog.get_logger("hookline.process")

_CANCEL_AGAIN_AFTER = 0.5
# Seconds before a loop that raised runs again.
RUN_AGAIN_AFTER = 5.0


def keep_running(run: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
    """A task that runs a loop until it returns, and again after a pause if it raises.

    An error that the loop does not expect is a bug, or a row that nobody foresaw. It is logged, and
    neither ends the process nor, unnoticed, the loop. A ConfigurationError ends the task.
    """
    return asyncio.create_task(_keep_running(run, name), name=name)


async def _keep_running(run: Callable[[], Awaitable[None]], name: str) -> None:
    while True:
        try:
            await run()
        except ConfigurationError:
            raise
        except Exception as error:
            log.error("loop_failed", loop=name, error=type(error).__name__, frames=frames_of(error))
            await asyncio.sleep(RUN_AGAIN_AFTER)
        else:
            return


async def cancel_and_wait(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended. Whatever it raised is dropped.

    The cancellation is repeated, since a task can lose one: asyncio.wait_for of Python 3.11 does.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_AFTER)
    if not task.cancelled():
        # Retrieved, so that asyncio does not log it as forgotten.
        task.exception()
