"""SIGINT and SIGTERM: the first asks a process to stop, the second is the system's."""

from __future__ import annotations

import asyncio
import signal

__all__ = ["stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals() -> asyncio.Event:
    """An event of the running loop that the first signal sets.

    The next one kills, which costs nothing: what was acknowledged is committed, leases expire.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def begin_to_stop() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, begin_to_stop)
    return stop
