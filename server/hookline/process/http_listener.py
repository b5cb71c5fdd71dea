"""Listening on an address, or a sentence that says why that is not possible."""

from __future__ import annotations

import errno

from aiohttp import web

from hookline.process.os_errors import reason_of
from hookline.settings import ConfigurationError

__all__ = ["address", "cannot_listen", "listen", "reached_at"]


def reached_at(host: str) -> str:
    """The host under which this machine reaches a server that listens at `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to be replaced


def address(host: str, port: int) -> str:
    """The URL of a host (name or IP address) and a port."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def listen(
    runner: web.AppRunner, host: str, port: int, prefix: str, *, shared: bool = False
) -> str:
    """Set up a runner and listen. Returns the URL. `shared`: other processes use the port, too.

    Raises ConfigurationError, which names the variable at fault: `prefix` and HOST or PORT.
    """
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024, reuse_port=shared or None)
    try:
        await site.start()
    except OSError as error:
        raise cannot_listen(host, port, prefix, error) from error
    bound = runner.addresses[0]
    return address(bound[0], bound[1])


def cannot_listen(host: str, port: int, prefix: str, error: OSError) -> ConfigurationError:
    """The error that names the variable at fault: `prefix` and HOST or PORT."""
    at_fault = "PORT" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST"
    return ConfigurationError(
        f"{prefix}{at_fault}: cannot listen on {host}:{port}, {reason_of(error)}."
    )
