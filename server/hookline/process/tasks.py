"""Ending asyncio tasks for certain."""

from __future__ import annotations

import asyncio

__all__ = ["cancel_and_wait"]

_CANCEL_AGAIN_AFTER = 0.5


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
