"""Sends many calls of the same function as one statement, and makes none of them wait for a timer.

While two statements are under way, new calls wait for the next one, which takes up to 64 of them.
So a single call is sent at once, and when many arrive, many share one transaction.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from hookline.postgres.errors import Unavailable

__all__ = ["Gathering"]

# Statements under way at the same time. With two, one runs while the other one commits.
_STATEMENTS = 2
# Calls in one statement, at most. A larger statement would hardly be faster.
_MOST = 64

Call = TypeVar("Call")
Answer = TypeVar("Answer")


class _Waiting(NamedTuple, Generic[Call, Answer]):
    call: Call
    answer: asyncio.Future[Answer]


class Gathering(Generic[Call, Answer]):
    """The calls of one process that are not answered yet.

    `send` carries out many calls in one transaction. Its answers are in the same order, and an
    exception among them is raised to its own caller only.
    """

    def __init__(
        self, send: Callable[[Sequence[Call]], Awaitable[Sequence[Answer | Exception]]]
    ) -> None:
        self._send_calls = send
        self._waiting: list[_Waiting[Call, Answer]] = []
        self._statements: set[asyncio.Task[None] | None] = set()
        # Not that of a caller: spans and log fields of one job would get the calls of all.
        self._context = contextvars.copy_context()

    async def send(self, call: Call) -> Answer:
        """Carry out one call, together with others. Once it is sent, a cancellation does not undo
        it.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(call, answer))
        if len(self._statements) < _STATEMENTS:
            # The task starts after all calls that are ready now have joined.
            statement = asyncio.create_task(
                self._send_waiting(), name="gathered statement", context=self._context.copy()
            )
            self._statements.add(statement)
        return await answer

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                sent, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                # The caller of a cancelled call has gone.
                await self._send([one for one in sent if not one.answer.done()])
        finally:
            # Not in a callback: a call that arrives before the callback would wait for a task that
            # has ended.
            self._statements.discard(asyncio.current_task())

    async def _send(self, sent: list[_Waiting[Call, Answer]]) -> None:
        if not sent:
            return
        answers: Sequence[Answer | Exception]
        try:
            answers = await self._send_calls([one.call for one in sent])
        except asyncio.CancelledError:
            _answer(sent, [Unavailable("the process stops")] * len(sent))
            raise
        except Unavailable as error:
            # The connection was lost, the call timed out, or the commit is not known: all callers
            # try again.
            answers = [error] * len(sent)
        except Exception as error:
            if len(sent) > 1:
                # One call cannot even be read, or is refused at the commit. Only that one fails.
                for one in sent:
                    await self._send([one])
                return
            answers = [error]
        _answer(sent, answers)


def _answer(sent: Sequence[_Waiting[Call, Answer]], answers: Sequence[Answer | Exception]) -> None:
    for one, answer in zip(sent, answers, strict=True):
        if one.answer.done():
            continue
        if isinstance(answer, Exception):
            one.answer.set_exception(answer)
        else:
            one.answer.set_result(answer)
