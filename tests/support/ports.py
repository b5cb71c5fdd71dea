"""A port for a process that a test starts again."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def lasting_port() -> int:
    """A free port below the range for outgoing connections, so it stays free over a restart."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
