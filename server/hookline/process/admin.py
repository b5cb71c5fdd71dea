"""The admin side of a process: metrics and readiness in detail, for operators only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["AdminPart", "admin_application"]

AdminPart = Callable[[web.Application], None]
"""Adds its own routes to an admin application."""


def admin_application(
    exposition: Callable[[], bytes], ready: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.Application:
    """`/metrics` with what `exposition` returns (Prometheus' text format), and `/readyz`."""

    async def show_metrics(request: web.Request) -> web.Response:
        return web.Response(
            body=exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    application = web.Application()
    application.router.add_get("/metrics", show_metrics)
    application.router.add_get("/readyz", ready)
    return application
