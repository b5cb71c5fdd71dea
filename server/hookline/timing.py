"""How long to wait before the next look: short after work or trouble, then longer and longer."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

__all__ = ["Backoff", "wait_until_set"]


async def wait_until_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, but not for longer; whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


class Backoff:
    """Seconds that grow from `shortest` by `factor`, up to what the caller calls the longest.

    Each is jittered by a quarter, so that many processes do not come at once.
    """

    def __init__(self, shortest: float, factor: float = 1.5) -> None:
        self._shortest = shortest
        self._factor = factor
        self._next = shortest

    def reset(self) -> None:
        """Begin with the shortest again."""
        self._next = self._shortest

    def next(self, longest: float) -> float:
        """The next one, in seconds."""
        seconds = min(self._next, longest)
        self._next = min(self._next * self._factor, longest)
        return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
