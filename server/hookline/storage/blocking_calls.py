"""Blocking calls that may hang, in threads of their own that no exit waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from hookline.storage.objects import StorageError

__all__ = ["BlockingCalls"]

_Answer = TypeVar("_Answer")

# Seconds after which a thread without work ends. To start one takes longer than most calls.
_IDLE: Final = 10.0


class BlockingCalls:
    """Runs at most `limit` calls at a time, in daemon threads.

    Hanging calls would use up asyncio's own executor, and Python would wait for them at exit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = asyncio.Semaphore(limit)
        self._stuck = 0
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._running = 0

    async def call(self, function: Callable[[], _Answer]) -> _Answer:
        """What `function` returns or raises.

        A call that is cancelled runs on and counts until it ends. If all `limit` calls are such,
        this raises StorageError at once.
        """
        if self._stuck >= self._limit:
            raise StorageError(f"all {self._limit} calls timed out and still hang")
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Answer] = loop.create_future()

        def end(settle: Callable[[], None]) -> None:
            self._running -= 1
            self._free.release()
            if answer.cancelled():
                self._stuck -= 1
            else:
                settle()

        def run() -> None:
            try:
                value = function()
            except BaseException as error:
                settle = _raising(answer, error)
            else:
                settle = _returning(answer, value)
            # The loop may be closed by now. Then nobody waits for the answer.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end, settle)

        self._running += 1
        try:
            self._start(run)
        except RuntimeError as error:
            self._running -= 1
            self._free.release()
            raise StorageError("no thread could be started") from error
        try:
            return await answer
        finally:
            if answer.cancelled():
                self._stuck += 1

    def _start(self, run: Callable[[], None]) -> None:
        with self._lock:
            if self._threads < self._running:
                threading.Thread(target=self._work, name="storage", daemon=True).start()
                self._threads += 1
            self._waiting.put(run)

    def _work(self) -> None:
        while True:
            try:
                run = self._waiting.get(timeout=_IDLE)
            except Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._threads -= 1
                        return
                continue
            run()
            # What it returned must not live until the next call.
            del run


def _returning(answer: asyncio.Future[_Answer], value: _Answer) -> Callable[[], None]:
    return lambda: answer.set_result(value)


def _raising(answer: asyncio.Future[_Answer], error: BaseException) -> Callable[[], None]:
    return lambda: answer.set_exception(error)
