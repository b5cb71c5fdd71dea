"""Write lines to a file descriptor in a thread, so that no caller ever waits for its reader.

A line that cannot be written, or for which there is no room, is dropped and counted. Once lines can
be written again, one of them says how many were lost.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

__all__ = ["LineWriter"]

# Bytes of the lines that wait. The log of a busy receiver fills this in about ten seconds.
_LIMIT = 8 * 2**20
# A write of at most this size to a pipe is not mixed with those of other processes (pipe(7)).
_PIPE_BUF = 4096
# Seconds in which lines gather, so that the thread does not wake up for each of them.
_GATHERING = 0.01


class _Line(NamedTuple):
    text: bytes
    # How many lost lines this line reports. 0: it is an ordinary line.
    reported: int


class LineWriter:
    """Writes in the order of the calls. May be used from several threads, and after a fork.

    `say_lost` makes the line that reports how many lines were lost.
    """

    def __init__(
        self, descriptor: int, say_lost: Callable[[int], bytes], *, limit: int = _LIMIT
    ) -> None:
        self._descriptor = descriptor
        self._say_lost = say_lost
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        # SimpleQueue and RLock: a destructor may log while this thread is inside of them.
        self._queue: SimpleQueue[_Line | threading.Event] = SimpleQueue()
        self._lock = threading.RLock()
        self._waiting = 0
        self._lost = 0
        self._unreported = 0
        # How many lost lines the waiting lines report.
        self._reporting = 0
        self._fault: str | None = None
        # Whether the last line on the descriptor has no end, because its rest was lost.
        self._torn = False
        self._process = os.getpid()
        # A daemon: the process may end while a write hangs.
        threading.Thread(target=self._run, name="log", daemon=True).start()

    @property
    def lost(self) -> int:
        """How many lines were lost since the start of this process."""
        return self._lost

    @property
    def unreported(self) -> int:
        """How many lost lines have not been reported yet by a written line."""
        return self._unreported + self._reporting

    @property
    def fault(self) -> str | None:
        """Why the last write failed. None: it did not fail, or it has not ended."""
        return self._fault

    def write(self, line: bytes) -> None:
        """Add one line, with its line end. Returns at once, and raises nothing."""
        if self._process != os.getpid():
            # After a fork the thread and the lines are those of the parent.
            self._begin()
        with self._lock:
            if self._waiting + len(line) > self._limit:
                self._lost += 1
                self._unreported += 1
                return
            if self._unreported:
                self._report()
            self._put(_Line(line, 0))

    def flush(self, seconds: float) -> bool:
        """Wait until all lines are written or lost, at most so long. Returns whether they are."""
        if self._process != os.getpid():
            return True
        written = threading.Event()
        with self._lock:
            if self._unreported:
                self._report()
            self._queue.put(written)
        return written.wait(seconds)

    def _report(self) -> None:
        lost, self._unreported = self._unreported, 0
        self._reporting += lost
        self._put(_Line(self._say_lost(lost), lost))

    def _put(self, line: _Line) -> None:
        self._waiting += len(line.text)
        self._queue.put(line)

    def _run(self) -> None:
        while True:
            item: _Line | threading.Event | None = self._queue.get()
            if isinstance(item, _Line):
                time.sleep(_GATHERING)
            chunk: list[_Line] = []
            size = 0
            while item is not None:
                if isinstance(item, threading.Event):
                    self._write_lines(chunk)
                    chunk, size = [], 0
                    item.set()
                else:
                    if size + len(item.text) > _PIPE_BUF:
                        self._write_lines(chunk)
                        chunk, size = [], 0
                    chunk.append(item)
                    size += len(item.text)
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    item = None
            self._write_lines(chunk)

    def _write_lines(self, lines: list[_Line]) -> None:
        if not lines:
            return
        written, self._fault = self._write(
            (b"\n" if self._torn else b"") + b"".join(line.text for line in lines)
        )
        written -= self._torn
        with self._lock:
            if written >= 0:
                self._torn = False
            for line in lines:
                size = len(line.text)
                self._waiting -= size
                self._reporting -= line.reported
                if written < size:
                    self._lost += not line.reported
                    self._unreported += line.reported or 1
                    self._torn |= written > 0
                written -= size

    def _write(self, text: bytes) -> tuple[int, str | None]:
        """How many bytes were written, and why not all of them."""
        rest = memoryview(text)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Whoever shares the descriptor with us has made it non-blocking.
                select.select([], [self._descriptor], [])
            except OSError as error:
                return len(text) - len(rest), error.strerror or type(error).__name__
        return len(text), None
