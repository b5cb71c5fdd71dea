"""aiohttp's server, limited for unproven senders.

Neither its log nor its answers quote a request, because a path may hold a token, and so may bytes
that cannot be parsed as a request. The memory and time of one connection are limited, and so is the
number of connections.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage

from hookline.process.problems import INTERNAL, problem

__all__ = ["make_runner"]

log = structlog.get_logger("hookline.http")

# Seconds from connecting to the last header, and between two requests: aiohttp has one time-out
# for both.
_HEADER_TIMEOUT = 15.0

# Seconds that a peer may leave our answer unread or unacknowledged.
_ANSWER_TIMEOUT = 15.0
# Bytes of a request line and its headers together. aiohttp limits only each line (max_field_size)
# and their number (max_headers), together 1 MiB, and takes any number of empty lines in front.
_HEAD_LIMIT = 2**15
# Bytes of a body that aiohttp reads ahead of the handler (twice that at most): its default times
# the number of connections is more than all bodies may take.
_READ_AHEAD = 2**16
# Connections of one listener. All share it: behind a proxy all senders have one address.
_MOST_CONNECTIONS = 1000
# Requests that may wait on one connection behind the one that is handled. Nobody pipelines more.
_PIPELINED = 2

# Seconds for a request that still arrives on an open connection while the server stops.
_LAST_MOMENT = 2.0
# Seconds for a sender to notice that its body was refused half-way.
_LINGERING = 2.0


def make_runner(application: web.Application) -> web.AppRunner:
    """What serves an application. `listen` sets it up."""
    return _Runner(application, shutdown_timeout=_LAST_MOMENT)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            """Answer aiohttp's own refusals (404, 405, 417, ...) with problem JSON, too.

            Its parser lets HTTP/0.9 and HTTP/2.0 pass.
            """
            if request.version not in (HttpVersion10, HttpVersion11):
                return _not_http()
            try:
                return await server.request_handler(request)
            except web.HTTPError as error:
                response = problem(HTTPStatus(error.status), error.reason)
                if allow := error.headers.get(hdrs.ALLOW):
                    response.headers[hdrs.ALLOW] = allow
                return response

        return _Server(answer, request_factory=server.request_factory)


class _Server(web.Server):
    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        # The rest of the file descriptors is for Postgres, storage and the log.
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = descriptors == resource.RLIM_INFINITY
        self._most_connections = (
            _MOST_CONNECTIONS if unlimited else min(_MOST_CONNECTIONS, descriptors * 3 // 4)
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count the connection. Over the limit, close the one that has been idle for longest.

        A sender with a request is idle for one round trip only.
        """
        super().connection_made(handler, transport)
        connections = self.connections
        if len(connections) > self._most_connections:
            idle = [one for one in connections if isinstance(one, _Connection) and one.is_idle]
            min(idle, key=_Connection.idle_until, default=handler).force_close()

    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            # None switches the access log off, which prints paths.
            access_log=None,
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            keepalive_timeout=_HEADER_TIMEOUT,
            lingering_time=_LINGERING,
        )


class _Connection(web.RequestHandler):
    __slots__ = ("_head_size",)

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._head_size = 0
        # aiohttp's constant MAX_MSG_QUEUE_SIZE allows 32, each with its headers.
        self._max_msg_queue_size = _PIPELINED
        self._msg_queue_resume_size = _PIPELINED - 1

    @property
    def is_idle(self) -> bool:
        """Whether every request that has arrived is answered."""
        return not self._messages and self._waiter is not None and not self._waiter.done()

    def idle_until(self) -> float:
        """When _HEADER_TIMEOUT ends for an idle connection, in the loop's time."""
        return self._next_keepalive_close_time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            # The kernel then closes a connection whose peer never reads, also after close().
            milliseconds = int(_ANSWER_TIMEOUT * 1000)
            with suppress(OSError):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived. Nothing is parsed or read after the first error.

        aiohttp goes on: it parses each further chunk and queues an _ErrInfo for each.
        """
        super().data_received(data)
        self._head_size = self._head_size + len(data) if self.is_idle else 0
        if self._head_size > _HEAD_LIMIT:
            # A zero byte is an error wherever it stands, so that aiohttp answers 400.
            super().data_received(b"\0")
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._stop_reading()

    def _stop_reading(self) -> None:
        """Answer what is being handled, or the error, and then close."""
        request = self._current_request
        if request is not None and not request.content.is_eof():
            # aiohttp's C parser forgets the body that it failed in; its reader would wait for ever.
            request.content.set_exception(web.RequestPayloadError("the body is not HTTP"))
            request.content.feed_eof()
        self.close()
        if self.transport is not None:
            with suppress(RuntimeError):
                self.transport.pause_reading()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what was not parsed or not caught. `message` quotes the request: do not use it."""
        found = HTTPStatus(status)
        event = "bad_request" if found < HTTPStatus.INTERNAL_SERVER_ERROR else "request_failed"
        log.warning(event, http=status, error=_name(exc))
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if event == "bad_request":
            return _not_http(found)
        response = problem(found, INTERNAL)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log only the exception's name: its message and traceback may quote the request."""
        log.error("connection_failed", error=_name(sys.exc_info()[1]))

    def log_debug(self, *args: Any, **kw: Any) -> None:
        """Log nothing: the message may quote the request."""


def _not_http(status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> web.Response:
    response = problem(status, "This is not HTTP/1.1.")
    response.force_close()
    return response


def _name(error: object) -> str | None:
    return type(error).__name__ if isinstance(error, BaseException) else None
