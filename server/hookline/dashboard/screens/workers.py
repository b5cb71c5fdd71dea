"""The workers: which processes are connected, since when, and which jobs each worker holds."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/workers")
async def show(request: web.Request) -> web.Response:
    """The page."""
    async with reading(request.app[SITE].pool) as reader:
        queries = Queries(reader)
        found = await queries.workers()
        statuses = await queries.statuses()
    workers = [one for one in found if one.role == "worker"]
    return page(
        request,
        "workers.html",
        {
            "title": "Workers",
            "now": reader.now,
            "workers": workers,
            "connected": sum(one.connections > 0 for one in workers),
            "others": [one for one in found if one.role != "worker"],
            "versions": {one.version for one in found if one.version is not None},
            "kinds": {one.status: one for one in statuses},
        },
    )
