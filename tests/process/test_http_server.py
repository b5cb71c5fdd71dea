"""What one peer may cost the HTTP server, and what it is answered."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web

from hookline.process import http_server
from hookline.process.http_listener import listen
from support.waiting import until

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


class Served:
    """A server whose `/wait` answers when `answer_now` is set, and whose `/body` reads a body."""

    def __init__(self, port: int, server: web.Server, answer_now: asyncio.Event) -> None:
        self.port = port
        self.server = server
        self.answer_now = answer_now
        self.writers: list[Writer] = []

    async def connect(self) -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def say(self, request: bytes) -> bytes:
        """All that the server answers until it closes the connection."""
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()


Serve = Callable[[], AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def _serve() -> AsyncIterator[Served]:
    answer_now = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await answer_now.wait()
        return web.Response(text="waited")

    async def body(request: web.Request) -> web.Response:
        try:
            return web.Response(text=f"{len(await request.read())} bytes")
        except web.RequestPayloadError:
            raise web.HTTPBadRequest from None

    application = web.Application(client_max_size=2**30)
    application.router.add_get("/wait", wait)
    application.router.add_post("/body", body)
    runner = http_server.make_runner(application)
    url = await listen(runner, "127.0.0.1", 0, "X_")
    assert isinstance(runner.server, web.Server)
    served = Served(int(url.rpartition(":")[2]), runner.server, answer_now)
    try:
        yield served
    finally:
        for writer in served.writers:
            writer.transport.abort()
        answer_now.set()
        await runner.cleanup()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with _serve() as serving:
        yield serving


def _get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode()


def _statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/[0-9.]{3} ([0-9]{3}) ", answers)]


async def test_nothing_is_parsed_after_the_first_error(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = 0
    parse = web.RequestHandler.data_received

    def count(self: web.RequestHandler, data: bytes) -> None:
        nonlocal parsed
        parsed += len(data)
        parse(self, data)

    monkeypatch.setattr(web.RequestHandler, "data_received", count)
    reader, writer = await served.connect()
    request = _get("/wait")
    writer.write(request)
    await until(lambda: parsed == len(request))
    writer.write(b"\0")
    await until(lambda: parsed == len(request) + 1)
    writer.write(b"\0" * 100)
    await served.say(b"\0")
    served.answer_now.set()
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"waited")
    assert _statuses(answer) == [200], "what came before the error is answered"
    assert parsed == len(request) + 1 + 1, "the byte of the other connection is the last"


async def test_a_body_that_is_not_http_is_answered_at_once(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n")
    await until(lambda: any(not c.is_idle for c in served.server.connections))  # type: ignore[attr-defined]
    writer.write(b"abc\r\nno length\r\n")
    async with asyncio.timeout(5):
        assert _statuses(await reader.read()) == [400]


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n" * 2**15,
        _get("/wait", "X-Padding: {}\r\n".format("x" * 2000) * 20)[:-2],
        _get("/wait", "X: y\r\n" * 200),
        _get("/" + "x" * 10_000),
    ],
    ids=["empty lines", "many long headers", "many headers", "a long path"],
)
async def test_a_head_without_an_end_is_400(served: Served, head: bytes) -> None:
    assert _statuses(await served.say(head)) == [400]


async def test_trailers_without_an_end_are_400(served: Served) -> None:
    request = b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert _statuses(await served.say(request + b"X: y\r\n" * 1000)) == [400]


async def test_requests_behind_one_that_waits_are_left_unread(served: Served) -> None:
    reader, writer = await served.connect()
    for _ in range(10):
        writer.write(_get("/wait"))
        # Its answer shows that the server has read what came before.
        await served.say(b"\0")
    (connection,) = served.server.connections
    assert len(connection._messages) <= 3
    served.answer_now.set()
    async with asyncio.timeout(10):
        for _ in range(10):
            assert (await reader.readuntil(b"waited")).startswith(b"HTTP/1.1 200")


async def test_the_connection_that_is_idle_for_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "_MOST_CONNECTIONS", 3)
    async with _serve() as served:
        busy_reader, busy = await served.connect()
        busy.write(_get("/wait"))
        await until(
            lambda: any(not c.is_idle for c in served.server.connections)  # type: ignore[attr-defined]
        )
        first, _ = await served.connect()
        second, second_writer = await served.connect()
        third, third_writer = await served.connect()
        async with asyncio.timeout(5):
            assert await first.read() == b"", "closed: it has been idle for longest"
        served.answer_now.set()
        for reader, writer in ((second, second_writer), (third, third_writer)):
            writer.write(_get("/wait"))
            assert (await reader.readuntil(b"waited")).startswith(b"HTTP/1.1 200")
        assert (await busy_reader.readuntil(b"waited")).startswith(b"HTTP/1.1 200")


async def test_a_peer_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_ANSWER_TIMEOUT", 0.2)
    async with _serve() as served:
        served.answer_now.set()
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, ("127.0.0.1", served.port))
        await until(lambda: len(served.server.connections) == 1)
        sending = asyncio.create_task(loop.sock_sendall(peer, _get("/wait") * 200_000))
        async with asyncio.timeout(20):
            while served.server.connections:
                await asyncio.sleep(0.05)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        peer.close()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET /wait\r\n\r\n", [400]),
        (b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [404]),
        (_get("/wait").replace(b"1.1", b"2.0"), [400]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
        (
            _get("/wait", "Connection: Upgrade, close\r\nUpgrade: websocket\r\n") + b"\0" * 100,
            [200],
        ),
        (_get("/wait", "Connection: Upgrade, close\r\nUpgrade: h2c\r\n"), [200]),
    ],
    ids=["HTTP/0.9", "CONNECT", "HTTP/2.0", "HTTP/2", "TLS", "websocket", "h2c"],
)
async def test_what_is_not_plain_http_1_is_answered_and_closed(
    served: Served, request_: bytes, expected: list[int]
) -> None:
    served.answer_now.set()
    assert _statuses(await served.say(request_)) == expected
