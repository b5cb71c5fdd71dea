"""A TCP proxy before Postgres, or any other server, whose network a test lets fail.

It needs no rights, and runs in a thread of its own: tests with and without asyncio may use it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

Result = TypeVar("Result")

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with 0 seconds: closing sends RST


class Proxy:
    """Forwards connections to a server until a method says otherwise.

        with Proxy.before(database_url) as proxy:
            ... proxy.url(database_url) ...

    `accepted` and `refused` count connections. The methods may be called from any thread, and have
    taken effect when they return.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server_address = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._links: set[_Link] = set()
        self._refusing = False
        self._new_stall = False
        self.accepted = 0
        self.refused = 0
        self.host = "127.0.0.1"
        self.port = 0

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy before the server of a URL."""
        parts = urlsplit(url)
        assert parts.hostname, "the URL names no host"
        assert parts.port, "the URL names no port"
        return cls(parts.hostname, parts.port)

    def url(self, url: str) -> str:
        """The same URL through this proxy."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{at}{self.host}:{self.port}").geturl()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = self._run(asyncio.start_server(self._take, self.host, 0))
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._links)

    def stall(self, *, requests: bool = True, answers: bool = True, new: bool = False) -> None:
        """Forward nothing more on the open connections, which stay open: nobody is told.

        The bytes wait. With `requests=False` the server still gets what the client sends, and only
        its answers are lost. With `new`, connections made from now on stall, too.
        """

        def change() -> None:
            self._new_stall = new
            for link in self._links:
                link.stall(requests=requests, answers=answers)

        self._call(change)

    def refuse(self) -> None:
        """Reset new connections at once, and all that are open."""

        def change() -> None:
            self._refusing = True
            self._cut()

        self._call(change)

    def cut(self) -> None:
        """Reset all connections (RST). New ones are forwarded."""
        self._call(self._cut)

    def end(self) -> None:
        """End all connections in order (FIN), as a pooler ends idle ones."""

        def change() -> None:
            for link in self._links:
                link.end()

        self._call(change)

    def forward(self) -> None:
        """Forward all connections again, with the bytes that waited."""

        def change() -> None:
            self._refusing = self._new_stall = False
            for link in self._links:
                link.stall(requests=False, answers=False)

        self._call(change)

    def lead_to(self, url: str) -> None:
        """Let new connections lead to another server, as a name does after a failover."""
        parts = urlsplit(url)
        assert parts.hostname, "the URL names no host"
        assert parts.port, "the URL names no port"
        self._server_address = (parts.hostname, parts.port)

    def _cut(self) -> None:
        for link in self._links:
            link.reset()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            self.refused += 1
            _reset(writer)
            return
        self.accepted += 1
        try:
            server = await asyncio.open_connection(*self._server_address)
        except OSError:
            _reset(writer)
            return
        link = _Link((reader, writer), server)
        self._links.add(link)
        link.stall(requests=self._new_stall, answers=self._new_stall)
        # asyncio prints a cancellation of this task, which only ever comes from _close.
        with suppress(asyncio.CancelledError):
            await link.run()
        self._links.discard(link)

    async def _close(self) -> None:
        self._listener.close()
        self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, function: Callable[[], None]) -> None:
        async def calling() -> None:
            function()

        self._run(calling())

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


class _Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._client = client
        self._server = server
        self._requests_flow = asyncio.Event()
        self._answers_flow = asyncio.Event()

    async def run(self) -> None:
        """Forward both ways until one side ends."""
        ways = [
            asyncio.ensure_future(_copy(self._client[0], self._server[1], self._requests_flow)),
            asyncio.ensure_future(_copy(self._server[0], self._client[1], self._answers_flow)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.end()

    def stall(self, *, requests: bool, answers: bool) -> None:
        for flow, stalled in ((self._requests_flow, requests), (self._answers_flow, answers)):
            if stalled:
                flow.clear()
            else:
                flow.set()

    def end(self) -> None:
        self._client[1].close()
        self._server[1].close()

    def reset(self) -> None:
        _reset(self._client[1])
        _reset(self._server[1])


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: asyncio.Event
) -> None:
    with suppress(OSError):
        while data := await reader.read(2**16):
            await flow.wait()
            writer.write(data)
            await writer.drain()
        # An end is told only while bytes flow.
        await flow.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
