"""Polling: asks about provider jobs for which no webhook will come, until they have ended.

The list is in memory only. When a process ends, its jobs are asked about once they are overdue, as
after a lost webhook.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from hookline.providers.client import ProviderClient
from hookline.providers.errors import ProviderError
from hookline.stages import Tools
from hookline.worker.parsing.lookups import Lookups
from hookline.worker.parsing.reports import report

__all__ = ["Polling"]

# Poll interval of one job in seconds: minimum; maximum.
POLL_MIN: Final = 2.0
POLL_MAX: Final = 60.0


class Polling:
    """Asks about each job after 2 s, then after growing pauses of at most a minute."""

    def __init__(
        self,
        client: ProviderClient,
        lookups: Lookups,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._lookups = lookups
        self._monotonic = monotonic
        # By provider job: when it is asked next, and the pause before that.
        self._next: dict[str, tuple[float, float]] = {}

    def add(self, parse_job_id: str) -> None:
        """Ask about this job until it has ended."""
        self._next[parse_job_id] = (self._monotonic() + POLL_MIN, POLL_MIN)

    async def run_once(self, tools: Tools) -> None:
        """Ask about the jobs that are due. Raises DatabaseError."""
        now = self._monotonic()
        due = [one for one, (at, _) in self._next.items() if at <= now]
        for parse_job_id in due:
            pause = min(self._next[parse_job_id][1] * 1.5, POLL_MAX)
            self._next[parse_job_id] = (now + pause, pause)
        # Together, so that they share one request.
        found = await asyncio.gather(*map(self._lookups.job, due), return_exceptions=True)
        for parse_job_id, job in zip(due, found, strict=True):
            if isinstance(job, ProviderError):
                continue
            if isinstance(job, BaseException):
                raise job
            # An unknown job is dropped here. The ask stage looks into it once it is overdue.
            if job is None or await report(tools.engine, self._client, job) is not None:
                del self._next[parse_job_id]
