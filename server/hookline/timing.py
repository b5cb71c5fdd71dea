"""The clock, waiting with an upper limit, and the growing pauses between tries (backoff)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

__all__ = ["Backoff", "now", "repeat_until_set", "wait_until_set"]


def now() -> datetime:
    """The current time, in UTC and with its time zone."""
    return datetime.now(UTC)


async def wait_until_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait until an event is set, at most for so many seconds. Returns whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def repeat_until_set(
    event: asyncio.Event, seconds: float, act: Callable[[], Awaitable[None]]
) -> None:
    """Call `act` after every so many seconds until an event is set, then once more."""
    while not await wait_until_set(event, seconds):
        await act()
    await act()


class Backoff:
    """The pauses between tries, in seconds: each is `factor` times as long as the one before.

    A pause varies at random by the share `jitter`, up and down, so that many processes that failed
    together do not all try again at the same moment. With jitter 0 the pauses are exact.
    """

    def __init__(self, shortest: float, factor: float = 1.5, *, jitter: float = 0.25) -> None:
        self._shortest = shortest
        self._factor = factor
        self._jitter = jitter
        self._next = shortest

    def reset(self) -> None:
        """Start again with the shortest pause."""
        self._next = self._shortest

    def next(self, longest: float) -> float:
        """The next pause, in seconds: at most `longest`, before jitter."""
        seconds = min(self._next, longest)
        self._next = min(self._next * self._factor, longest)
        return seconds * random.uniform(1 - self._jitter, 1 + self._jitter)  # noqa: S311 - no secret
