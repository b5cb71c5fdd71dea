"""Counts refused deliveries in memory, and tells Postgres every few seconds.

So many forged requests cause one statement every few seconds, and memory only for each reason.
If the answer to a commit is lost, its counts are written again, so they may count twice.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError
from hookline.postgres.records import Refusals
from hookline.sources.refusals import NotProven
from hookline.timing import repeat_until_set

__all__ = ["RefusalCounter", "reason_of"]

log = structlog.get_logger("hookline.receiver")

# Seconds between two statements.
_INTERVAL = 5.0
_LONGEST_USER_AGENT = 200
# The largest count of one reason in one call of count_refusals.
_MOST = 999_999_999


def reason_of(error: BaseException) -> str:
    """The word for a refusal in the view refusal_log, for example `no_match` or `unknown_job`."""
    if isinstance(error, NotProven):
        return error.reason.code
    if isinstance(error, web.HTTPError):
        return HTTPStatus(error.status).name.lower()
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


class RefusalCounter:
    """The counts of one receiver since they were last written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._stopping = asyncio.Event()

    def count(self, source: str, reason: str, request: web.Request) -> None:
        """Count a refusal, and remember the name of its sender's program (User-Agent)."""
        number, before = self._counts.get((source, reason), (0, None))
        named = request.headers.get(hdrs.USER_AGENT)
        self._counts[source, reason] = (number + 1, before if named is None else _clean(named))

    async def run(self) -> None:
        """Write until `stop` is called, then once more. While Postgres is away, counts wait."""
        await repeat_until_set(self._stopping, _INTERVAL, self._write)

    def stop(self) -> None:
        """Let `run` write the last counts and return."""
        self._stopping.set()

    async def _write(self) -> None:
        if not self._counts:
            return
        counts, self._counts = self._counts, {}
        try:
            await self._engine.count_refusals(
                [
                    Refusals(source, reason, min(number, _MOST), user_agent)
                    for (source, reason), (number, user_agent) in counts.items()
                ]
            )
        except DatabaseError as error:
            log.warning("refusals_wait", reason=str(error))
            for key, (number, user_agent) in counts.items():
                since, latest = self._counts.get(key, (0, None))
                self._counts[key] = (number + since, latest or user_agent)


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:_LONGEST_USER_AGENT])
