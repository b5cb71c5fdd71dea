"""Batches: questions that come at about the same time are sent as one request."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

__all__ = ["Batches"]

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


class Batches(Generic[_Question, _Answer]):
    """Collects questions for `pause` seconds, then has `put` answer them, at most `size` at once.

    An exception of `put` is raised to everybody whose question was in the batch.
    """

    def __init__(
        self,
        put: Callable[[Sequence[_Question]], Awaitable[Mapping[_Question, _Answer]]],
        *,
        size: int,
        pause: float = 0.02,
    ) -> None:
        self._put = put
        self._size = size
        self._pause = pause
        self._waiting: list[tuple[_Question, asyncio.Future[_Answer | None]]] = []
        self._task: asyncio.Task[None] | None = None
        # Not that of a caller: spans and log fields of one job would get the questions of all.
        self._context = contextvars.copy_context()

    async def ask(self, question: _Question) -> _Answer | None:
        """The answer to this question, or None if `put` had none."""
        answer: asyncio.Future[_Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(
                self._answer_all(), name="batches", context=self._context.copy()
            )
        return await answer

    async def _answer_all(self) -> None:
        await asyncio.sleep(self._pause)
        while self._waiting:
            asked, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
            try:
                answers = await self._put([*dict.fromkeys(question for question, _ in asked)])
            except BaseException as error:
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                for question, answer in asked:
                    if not answer.done():
                        answer.set_result(answers.get(question))
