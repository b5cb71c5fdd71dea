"""Takes many thin deliveries with one statement, and makes none of them wait for another.

There is no timer. While two statements are under way, new deliveries wait for the next one, which
takes up to 64 of them. So a single delivery is sent at once, and when many arrive, many share one
transaction. A delivery whose job another session holds waits for this job separately.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.errors import Unavailable
from hookline.postgres.records import Receipt
from hookline.receiver.busy_jobs import BusyJobs, JobBusy, job_key

__all__ = ["Gatherer"]

# Statements under way at the same time. With two, one runs while the other one commits.
_STATEMENTS = 2
# Deliveries in one statement, at most. A larger statement would hardly be faster.
_MOST = 64
# Seconds that a delivery waits for one of the connections that may wait for locks.
_PATIENCE = 2.0
_LOCK_NOT_AVAILABLE = "55P03"


class _Waiting(NamedTuple):
    source: str
    body_sha256: str
    notice: Notice
    answer: asyncio.Future[Receipt]


class Gatherer:
    """The thin deliveries of one process that are not answered yet.

    `connections` is the size of the pool; fewer than half of them wait for locks at any time.
    """

    def __init__(self, engine: Engine, busy_jobs: BusyJobs, *, connections: int) -> None:
        self._engine = engine
        self._busy_jobs = busy_jobs
        self._waiting: list[_Waiting] = []
        self._statements: set[asyncio.Task[None] | None] = set()
        self._places = asyncio.Semaphore(max(1, (connections - 1) // 2))

    async def receive(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        """Take one delivery, together with others. Raises what Engine.receive_event raises.

        Once it is sent, a cancellation does not undo it.
        """
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(source, body_sha256, notice, answer))
        if len(self._statements) < _STATEMENTS:
            # The task starts after all deliveries that are ready now have joined.
            statement = asyncio.create_task(self._send_waiting(), name="gathered statement")
            self._statements.add(statement)
        try:
            return await answer
        except Unavailable as error:
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                raise
        return await self._receive_alone(source, body_sha256, notice)

    async def _receive_alone(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        key = job_key(notice)
        async with self._busy_jobs.one_call(key, held=True):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._places.acquire()
            except TimeoutError:
                raise JobBusy("other deliveries wait for jobs that are held") from None
            try:
                return await self._engine.receive_event(source, body_sha256, notice)
            finally:
                self._places.release()

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                sent, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                # The sender of a cancelled delivery has gone, and will send it again.
                await self._send([one for one in sent if not one.answer.done()])
        finally:
            # Not in a callback: a delivery that arrives before the callback would wait for a task
            # that has ended.
            self._statements.discard(asyncio.current_task())

    async def _send(self, sent: list[_Waiting]) -> None:
        if not sent:
            return
        try:
            answers: Sequence[Receipt | Exception] = await self._engine.receive_events(
                [(one.source, one.body_sha256, one.notice) for one in sent]
            )
        except asyncio.CancelledError:
            _answer(sent, [Unavailable("the receiver stops")] * len(sent))
            raise
        except Unavailable as error:
            # The connection was lost, the call timed out, or the commit is not known: all senders
            # send again.
            answers = [error] * len(sent)
        except Exception as error:
            if len(sent) > 1:
                # One delivery cannot even be read, or is refused at the commit. Only that one
                # fails.
                for one in sent:
                    await self._send([one])
                return
            answers = [error]
        _answer(sent, answers)


def _answer(sent: Sequence[_Waiting], answers: Sequence[Receipt | Exception]) -> None:
    for one, answer in zip(sent, answers, strict=True):
        if one.answer.done():
            continue
        if isinstance(answer, Exception):
            one.answer.set_exception(answer)
        else:
            one.answer.set_result(answer)
