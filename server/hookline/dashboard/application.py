"""The dashboard as a part of an admin application."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.guard import answer_errors, control_access
from hookline.dashboard.health import SharedHealth
from hookline.dashboard.operations import Operations
from hookline.dashboard.screens import ROUTES
from hookline.dashboard.site import HEALTH, OPERATIONS, SITE, Site

__all__ = ["mount"]


def mount(site: Site, admin: web.Application) -> None:
    """Add the dashboard to an admin application, at its base path. `/` leads there."""
    application = web.Application(middlewares=[answer_errors, control_access])
    application[SITE] = site
    application[HEALTH] = SharedHealth(site.pool)
    operations = application[OPERATIONS] = Operations(site.engine)

    async def stop_operations(application: web.Application) -> None:
        await operations.stop()

    application.on_shutdown.append(stop_operations)
    application.router.add_get("/static/{name}", site.assets.answer)
    application.add_routes(ROUTES)
    base = site.access.base

    async def go_to_base(request: web.Request) -> web.StreamResponse:
        return web.Response(status=303, headers={"Location": f"{base}/"})

    admin.router.add_get("/", go_to_base)
    admin.router.add_get(base, go_to_base)
    admin.add_subapp(f"{base}/", application)
