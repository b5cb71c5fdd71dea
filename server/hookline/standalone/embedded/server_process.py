"""A server as a process of ours, started without a shell, and a `with` block that runs one."""

from __future__ import annotations

import queue
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hookline.standalone.embedded.account import Switch
from hookline.standalone.embedded.programs import environment

__all__ = ["StartedInBlock", "spawn"]


class StartedInBlock(ABC):
    """A server that a `with` block starts, and closes at its end or when the start fails."""

    @abstractmethod
    def start(self) -> str:
        """Start the server and return its URL."""

    @abstractmethod
    def close(self) -> None:
        """Give back all that `start` took. Does nothing without a start."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def spawn(
    command: Sequence[str], log: Path, switch: Switch | None = None
) -> subprocess.Popen[bytes]:
    """Start a server from a thread that waits for its end. Its output is added to `log`.

    The kernel reports the death of the thread that started a process as that of its parent, so the
    thread has to live as long as the server does. Raises OSError.
    Source: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

    def start_and_wait() -> None:
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(  # noqa: S603 - our own programs, without a shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment(),
                    # The account may be unable to enter our own working directory.
                    cwd="/",
                    # Ctrl-C in the terminal is for us: we stop the server when we are done.
                    start_new_session=True,
                    **(switch or {}),
                )
        except OSError as error:
            started.put(error)
            return
        started.put(process)
        process.wait()

    threading.Thread(target=start_and_wait, name="postgres", daemon=True).start()
    outcome = started.get()
    if isinstance(outcome, OSError):
        raise outcome
    return outcome
