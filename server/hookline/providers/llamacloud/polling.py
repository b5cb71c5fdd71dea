"""Provider jobs that nobody will call us about: they are asked about until they have ended.

Kept in memory only. What a process that ended did not ask is asked once it is overdue, as every
notification that got lost is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from hookline.providers.llamacloud.errors import ProviderError
from hookline.providers.llamacloud.lookups import Lookups
from hookline.providers.llamacloud.reports import report
from hookline.stages import Tools
from hookline.timing import now

__all__ = ["Polling"]

_FIRST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(minutes=1)


class Polling:
    """Each is asked about after 2 s, then after ever longer pauses of up to a minute."""

    def __init__(self, lookups: Lookups, *, now: Callable[[], datetime] = now) -> None:
        self._lookups = lookups
        self._now = now
        # When each is asked next, and the pause before that.
        self._next: dict[str, tuple[datetime, timedelta]] = {}

    def add(self, parse_job_id: str) -> None:
        """Ask about it until it has ended."""
        self._next[parse_job_id] = (self._now() + _FIRST, _FIRST)

    async def run_once(self, tools: Tools) -> None:
        """Ask about those whose turn it is. Raises DatabaseError."""
        now = self._now()
        due = [one for one, (at, _) in self._next.items() if at <= now]
        for parse_job_id in due:
            pause = min(self._next[parse_job_id][1] * 1.5, _LONGEST)
            self._next[parse_job_id] = (now + pause, pause)
        # Together, so that it is one request.
        found = await asyncio.gather(*map(self._lookups.job, due), return_exceptions=True)
        for parse_job_id, job in zip(due, found, strict=True):
            if isinstance(job, ProviderError):
                continue
            if isinstance(job, BaseException):
                raise job
            # One that is unknown will be looked into when it is overdue.
            if job is None or await report(tools.engine, job) is not None:
                del self._next[parse_job_id]
