"""aiohttp's server, changed so that neither its log nor its answers quote a request.

A path may hold a token. So may bytes that cannot be parsed as a request.
"""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import hdrs, web

from hookline.process.problems import INTERNAL, problem

__all__ = ["make_runner"]

log = structlog.get_logger("hookline.http")

# Seconds from connecting to the last header, and between two requests: aiohttp has one time-out
# for both.
_HEADER_TIMEOUT = 15.0

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
            """Answer aiohttp's own refusals (404, 405, 417, ...) with problem JSON, too."""
            try:
                return await server.request_handler(request)
            except web.HTTPError as error:
                response = problem(HTTPStatus(error.status), error.reason)
                if allow := error.headers.get(hdrs.ALLOW):
                    response.headers[hdrs.ALLOW] = allow
                return response

        return _Server(answer, request_factory=server.request_factory)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            # None switches the access log off, which prints paths.
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            keepalive_timeout=_HEADER_TIMEOUT,
            lingering_time=_LINGERING,
        )


class _Connection(web.RequestHandler):
    __slots__ = ()

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
        response = problem(found, "This is not HTTP/1.1." if event == "bad_request" else INTERNAL)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log only the exception's name: its message and traceback may quote the request."""
        log.error("connection_failed", error=_name(sys.exc_info()[1]))

    def log_debug(self, *args: Any, **kw: Any) -> None:
        """Log nothing: the message may quote the request."""


def _name(error: object) -> str | None:
    return type(error).__name__ if isinstance(error, BaseException) else None
