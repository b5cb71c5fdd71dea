"""Adds up the counts of steps and deliveries in Postgres once a minute, while the process runs.

Any number of processes may do so: a session that finds another one at it returns at once.
"""

from __future__ import annotations

import asyncio

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError
from hookline.timing import Backoff, wait_until_set

__all__ = ["roll_up_activity"]

log = structlog.get_logger("hookline.activity")

# Seconds between two calls. If nobody calls, the views stay exact but read more and more rows.
_INTERVAL = 60.0


async def roll_up_activity(engine: Engine, stopping: asyncio.Event) -> None:
    """Call roll_up_activity until `stopping` is set. A failure is logged and tried again."""
    # Varied by a quarter, so that processes that started together spread out.
    pause = Backoff(_INTERVAL, factor=1)
    while not await wait_until_set(stopping, pause.next(_INTERVAL)):
        try:
            await engine.roll_up_activity()
        except DatabaseError as error:
            log.warning("roll_up_waits", reason=str(error))
