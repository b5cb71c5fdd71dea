"""What needs a person, and what waits where: read once for all who look.

A backlog of jobs makes these two views no slower, but a long queue of contents, deliveries or
notifications does. The longer they take, the less often they are read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg_pool import AsyncConnectionPool

from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import is_timeout, reading
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Alert, Queue

__all__ = ["Health", "SharedHealth"]

# Seconds that a read may take and still be repeated for every page.
_FAST = 0.25
# A slower one is used again for so many times what it took longer.
_FACTOR = 20.0


@dataclass(frozen=True, slots=True)
class Health:
    """The rows of alerts and queue_health. None: Postgres needed too long for them."""

    alerts: Sequence[Alert] | None
    queues: Sequence[Queue] | None


class SharedHealth:
    """Reads when somebody asks, one read at a time. `now` is monotonic, in seconds."""

    def __init__(
        self, pool: AsyncConnectionPool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._now = now
        self._lock = asyncio.Lock()
        self._health = Health(None, None)
        self._valid_until = -1.0

    async def get(self) -> Health:
        """The latest state. Raises DatabaseError if Postgres is away."""
        async with self._lock:
            started = self._now()
            if started >= self._valid_until:
                self._health = await _read(self._pool)
                took = self._now() - started
                self._valid_until = self._now() + (took - _FAST) * _FACTOR
            return self._health


async def _read(pool: AsyncConnectionPool) -> Health:
    try:
        async with reading(pool) as reader:
            queries = Queries(reader)
            return Health(await queries.alerts(), await queries.queues())
    except DatabaseError as error:
        if not is_timeout(error):
            raise
        return Health(None, None)
