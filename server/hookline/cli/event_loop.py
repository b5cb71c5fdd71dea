"""The event loop of the commands that run until a signal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

__all__ = ["loop_factory"]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop, or None on Windows, which does not have it."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
