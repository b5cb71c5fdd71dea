"""Hold a port for several processes, which all listen on it (SO_REUSEPORT).

The kernel spreads new connections over the processes that listen.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hookline.process.http_listener import cannot_listen
from hookline.settings import ConfigurationError

__all__ = ["shared_port"]


@contextmanager
def shared_port(host: str, port: int, prefix: str) -> Iterator[int]:
    """A port of `host` that processes of this user may share inside the block; for 0 a free one.

    Raises ConfigurationError if somebody else listens there, with `prefix` as `listen` does.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigurationError(
            "HOOKLINE_PROCESSES: this system does not let processes share a port: set it to 1."
        )
    with ExitStack() as stack:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in dict.fromkeys(found):
                held = stack.enter_context(socket.socket(family, kind, protocol))
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    # As asyncio does: 0.0.0.0 has a socket of its own.
                    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                # Not shared while it is bound: otherwise two receivers would share by mistake.
                held.bind((address[0], port, *address[2:]))
                _refuse_others(held)
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                port = held.getsockname()[1]
        except OSError as error:
            raise cannot_listen(host, port, prefix, error) from error
        yield port


def _refuse_others(held: socket.socket) -> None:
    """Raise OSError if another socket is bound to the same address, and let none be bound later."""
    if sys.platform != "linux":
        return
    # Linux lets sockets share an address while none of them listens, if all have SO_REUSEADDR.
    # Without it, closed connections (TIME_WAIT) would keep a restart from its port for a minute.
    # So one of those who start together wins: the first that listens, for a moment.
    held.listen()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    held.shutdown(socket.SHUT_RDWR)
