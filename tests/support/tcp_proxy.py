"""A proxy in front of a server: its packets can vanish, and it can lead to another server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_BLOCK = 65536


class TcpProxy:
    """Forwards what connects to `port` of 127.0.0.1 to the port `target` there.

    Change `target` to lead new connections to another server, as a service name that moves.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._open: set[_Forwarded] = set()

    @property
    def connections(self) -> int:
        """How many connections are open, lost ones too."""
        return len(self._open)

    def lose(self) -> None:
        """Let the packets of all open connections vanish in both directions, without FIN or RST.

        New connections are forwarded: so does a firewall that has forgotten its connections.
        """
        for connection in self._open:
            connection.lost = True

    async def accept(self, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until both sides have ended."""
        connection = _Forwarded()
        self._open.add(connection)
        try:
            server, there = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                await asyncio.gather(
                    connection.pump(client, there), connection.pump(server, writer)
                )
            finally:
                there.close()
        except OSError:
            pass  # Refused, or reset by either side: the client's connection ends, too.
        finally:
            writer.close()
            self._open.discard(connection)


class _Forwarded:
    """One connection through the proxy."""

    def __init__(self) -> None:
        self.lost = False

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy until the reader ends. What comes after a loss is dropped, the end included."""
        while data := await reader.read(_BLOCK):
            if not self.lost:
                writer.write(data)
                await writer.drain()
        if self.lost:
            await asyncio.Event().wait()
        with suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def tcp_proxy(target: int) -> AsyncIterator[TcpProxy]:
    """A proxy that listens inside the block. At its end all connections are closed."""
    proxy = TcpProxy(target)
    accepted: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        accepted.add(task)
        with suppress(asyncio.CancelledError):
            await proxy.accept(reader, writer)
        accepted.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(accepted):
            task.cancel()
        await asyncio.gather(*accepted, return_exceptions=True)
