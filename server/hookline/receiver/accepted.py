"""Counts accepted deliveries in memory, and tells Postgres every few seconds.

So the history of deliveries costs no delivery a statement. A receiver that is killed loses the
counts of these seconds. If the answer to a commit is lost, its counts are written again, so they
may count twice. The deliveries themselves are in webhook_deliveries.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError
from hookline.postgres.records import AcceptedDeliveries
from hookline.timing import repeat_until_set

__all__ = ["AcceptedCounter"]

log = structlog.get_logger("hookline.receiver")

# Seconds between two statements.
_INTERVAL = 5.0


class AcceptedCounter:
    """The counts of one receiver since they were last written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: Counter[tuple[str, str]] = Counter()
        self._stopping = asyncio.Event()

    def count(self, source: str, outcome: str) -> None:
        """Count a delivery that Postgres has taken; `outcome` is that of its receipt."""
        self._counts[source, outcome] += 1

    async def run(self) -> None:
        """Write until `stop` is called, then once more. While Postgres is away, counts wait."""
        await repeat_until_set(self._stopping, _INTERVAL, self._write)

    def stop(self) -> None:
        """Let `run` write the last counts and return."""
        self._stopping.set()

    async def _write(self) -> None:
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            await self._engine.count_deliveries(
                [
                    AcceptedDeliveries(source, outcome, number)
                    for (source, outcome), number in counts.items()
                ]
            )
        except DatabaseError as error:
            log.warning("counts_wait", reason=str(error))
            self._counts += counts
