"""The admin side of a process: metrics and readiness in detail, for operators only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from hookline.process.http_listener import listen
from hookline.process.http_server import make_runner
from hookline.settings import Settings

__all__ = ["AdminPart", "admin_application", "listening_for_operators"]

AdminPart = Callable[[web.Application], None]
"""Adds its own routes to an admin application."""


def admin_application(
    exposition: Callable[[], Awaitable[bytes]],
    ready: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.Application:
    """`/metrics` with what `exposition` returns (Prometheus' text format), and `/readyz`."""

    async def show_metrics(request: web.Request) -> web.Response:
        return web.Response(
            body=await exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    application = web.Application()
    application.router.add_get("/metrics", show_metrics)
    application.router.add_get("/readyz", ready)
    return application


@asynccontextmanager
async def listening_for_operators(
    application: web.Application, settings: Settings, more: AdminPart | None = None
) -> AsyncIterator[str]:
    """Serve an admin application inside the block, with what `more` adds to it; its URL.

    Raises ConfigurationError if the address is taken.
    """
    if more is not None:
        more(application)
    runner = make_runner(application)
    try:
        yield await listen(runner, settings.admin_host, settings.admin_port, "HOOKLINE_ADMIN_")
    finally:
        await runner.cleanup()
