"""A rate limiter: at most so many calls in so many seconds, as providers document their limits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["Limiter"]


class Limiter:
    """A sliding window: call n + `calls` starts at least `seconds` after call n."""

    def __init__(
        self,
        calls: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._starts: deque[float] = deque(maxlen=calls)
        # The lock is fair: callers go in the order in which they asked.
        self._lock = asyncio.Lock()

    async def wait_for_turn(self) -> None:
        """Wait until another call may start, then count it."""
        async with self._lock:
            if len(self._starts) == self._starts.maxlen:
                wait = self._starts[0] + self._seconds - self._clock()
                if wait > 0:
                    await self._sleep(wait)
            self._starts.append(self._clock())
