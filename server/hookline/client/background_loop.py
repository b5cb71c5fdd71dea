"""An event loop in a thread of its own, for programs without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["BackgroundLoop"]

_Answer = TypeVar("_Answer")


class BackgroundLoop:
    """Runs coroutines for any number of threads. The thread is a daemon: it keeps no program."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_open = True
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="hookline-client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        """What the coroutine returns. It is cancelled if this thread is interrupted meanwhile.

        Raises RuntimeError after `stop`.
        """
        with self._lock:
            if not self._is_open:
                work.close()
                raise RuntimeError("the client was closed meanwhile: call again, and it connects")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @property
    def runs_here(self) -> bool:
        """Whether this is its thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        with self._lock:
            # From now on no other thread adds work, which nobody would cancel or run.
            self._is_open = False
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
