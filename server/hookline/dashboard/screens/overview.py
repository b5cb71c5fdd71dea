"""The overview: whether all is well, what moves, what waits, what failed last."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from hookline.dashboard.queries import COUNTED, Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()

_LATELY = timedelta(minutes=15)
_LATEST_FAILURES = 5


@routes.get("/")
async def show(request: web.Request) -> web.Response:
    """The page."""
    async with reading(request.app[SITE].pool) as reader:
        queries = Queries(reader)
        statuses = await queries.statuses()
        alerts = await queries.alerts()
        queues = await queries.queues()
        moved = await queries.moved_jobs(reader.now - _LATELY)
        failed = await queries.failed_jobs()
        latest = await queries.latest_failures(_LATEST_FAILURES)
    return page(
        request,
        "overview.html",
        {
            "title": "Overview",
            "now": reader.now,
            "lately": _LATELY,
            "limit": COUNTED,
            "statuses": statuses,
            "alerts": alerts,
            "queues": {queue.queue: queue for queue in queues},
            "moved": {one.status: one.jobs for one in moved},
            "failed": failed,
            "latest_failures": latest,
        },
    )
