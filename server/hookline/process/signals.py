"""SIGINT and SIGTERM: the first one asks the process to stop, the second one kills it."""

from __future__ import annotations

import asyncio
import signal

__all__ = ["stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals() -> asyncio.Event:
    """An event of the running loop that the first signal sets.

    From then on the signals have their default action again. A kill loses nothing: what was
    acknowledged is committed, and leases expire.
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
