"""SIGINT and SIGTERM: the first one asks the process to stop, the second one kills it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

__all__ = ["stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals(at_second: Callable[[], None] | None = None) -> asyncio.Event:
    """An event of the running loop that the first signal sets.

    From then on the signals have their default action again, after `at_second` if there is one. A
    kill loses nothing: what was acknowledged is committed, and leases expire.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def restore_default(number: int) -> None:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)

    def end_at_once(number: int, prepare: Callable[[], None]) -> None:
        prepare()
        restore_default(number)
        os.kill(os.getpid(), number)

    def begin_to_stop() -> None:
        for number in _SIGNALS:
            if at_second is None:
                restore_default(number)
            else:
                loop.add_signal_handler(number, end_at_once, number, at_second)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, begin_to_stop)
    return stop
