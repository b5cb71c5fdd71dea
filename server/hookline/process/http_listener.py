"""The listeners of a process: an address is taken, or a sentence says why not; the admin side."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

from aiohttp import web

from hookline.settings import ConfigurationError

__all__ = ["address", "admin_application", "listen", "reached_at"]


def reached_at(host: str) -> str:
    """Where this machine reaches what listens at `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to be replaced


def address(host: str, port: int) -> str:
    """The URL of a host, by name or by address, and a port."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def admin_application(
    exposition: Callable[[], bytes], ready: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.Application:
    """`/metrics` in Prometheus' text format, and `/readyz` in detail: not for the public."""

    async def show(request: web.Request) -> web.Response:
        return web.Response(
            body=exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    application = web.Application()
    application.router.add_get("/metrics", show)
    application.router.add_get("/readyz", ready)
    return application


async def listen(runner: web.AppRunner, host: str, port: int, prefix: str) -> str:
    """Set a runner up and listen; its URL. Raises ConfigurationError with the variable's name."""
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        number = error.errno or 0
        at_fault = "PORT" if number in (errno.EADDRINUSE, errno.EACCES) else "HOST"
        # The event loop's own message repeats the address; a name's has no errno of the system.
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ConfigurationError(
            f"{prefix}{at_fault}: cannot listen on {host}:{port}, {reason}."
        ) from error
    bound = runner.addresses[0]
    return address(bound[0], bound[1])
