"""Waits for jobs. All of one client share their queries, and one connection that listens.

Polling decides. A notification only makes the next poll come sooner.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

from hookline.postgres.errors import Unavailable
from hookline.postgres.listener import Listener
from hookline.postgres.views import JobOverview
from hookline.submission.job_functions import JobReader
from hookline.submission.waiting import WaitingJobs
from hookline.timing import Backoff, wait_until_set

__all__ = ["Waits"]

# Seconds between two polls: the first; the most without LISTEN, and with it; the least after a
# notification, since every job of everybody notifies.
_SHORTEST_POLL = 0.05
_LONGEST_POLL = 1.0
_LONGEST_POLL_WITH_LISTEN = 5.0
_SHORTEST_AFTER_NOTIFY = 0.1


class Waits:
    """One for a client. `listen_to` is a connection string, or None where LISTEN does not work."""

    def __init__(self, jobs: JobReader, listen_to: str | None) -> None:
        self._waiting: WaitingJobs[asyncio.Future[JobOverview | None]] = WaitingJobs(
            jobs, on_end=_end
        )
        self._futures: set[asyncio.Future[JobOverview | None]] = set()
        self._news = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._listener = (
            Listener(listen_to, lambda status: self._news.set(), on_lost=lambda reason: None)
            if listen_to is not None
            else None
        )

    async def wait(self, job_id: UUID) -> JobOverview | None:
        """The job, once it has its content or is finished. None: there is no such job.

        While Postgres is away the wait goes on. Raises DatabaseError.
        """
        future: asyncio.Future[JobOverview | None] = asyncio.get_running_loop().create_future()
        self._waiting.add(job_id, future)
        self._futures.add(future)
        self._start()
        try:
            return await future
        finally:
            self._futures.discard(future)
            self._waiting.discard(job_id, future)

    async def close(self) -> None:
        """End every wait, by cancelling it, and the listener."""
        for future in self._futures:
            future.cancel()
        for task in (self._polling, self._listening):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _start(self) -> None:
        """Poll now. The listener stays until `close`, since a wait seldom comes alone."""
        self._news.set()
        if self._listener is not None and self._listening is None:
            self._listening = asyncio.create_task(self._listener.run(), name="hookline-listener")
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), name="hookline-waits")

    async def _poll(self) -> None:
        pauses = Backoff(_SHORTEST_POLL)
        while self._waiting:
            if self._news.is_set():
                pauses.reset()
            self._news.clear()
            try:
                if await self._waiting.poll():
                    pauses.reset()
            except Unavailable:
                pass
            except Exception as error:
                # Nobody awaits this task: an error that it kept would let every wait hang.
                self._fail(error)
                return
            listening = self._listener is not None and self._listener.listening
            longest = _LONGEST_POLL_WITH_LISTEN if listening else _LONGEST_POLL
            if await wait_until_set(self._news, pauses.next(longest)):
                await asyncio.sleep(_SHORTEST_AFTER_NOTIFY)

    def _fail(self, error: Exception) -> None:
        for future in self._futures:
            if not future.done():
                future.set_exception(error)


def _end(future: asyncio.Future[JobOverview | None], job: JobOverview | None) -> None:
    if not future.done():
        future.set_result(job)
