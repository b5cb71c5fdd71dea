"""The overview: whether all is well, what was done, what waits, what failed last."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from hookline.dashboard.plots import HEIGHT, WIDTH, bars
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import HEALTH, SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()

_MINUTES = 60
_LATELY = timedelta(minutes=15)
_LATEST_FAILURES = 5


@routes.get("/")
async def show(request: web.Request) -> web.Response:
    """The page."""
    health = await request.app[HEALTH].get()
    async with reading(request.app[SITE].pool) as reader:
        queries = Queries(reader)
        statuses = await queries.statuses()
        counts = {one.status: one.jobs for one in await queries.status_counts()}
        work = await queries.work(reader.now - timedelta(minutes=_MINUTES))
        latest = await queries.latest_failures(_LATEST_FAILURES)
    lately = [one for one in work if one.at > reader.now - _LATELY]
    return page(
        request,
        "overview.html",
        {
            "title": "Overview",
            "now": reader.now,
            "lately": _LATELY,
            "steps": sum(one.steps for one in lately),
            "arrived": sum(one.arrived for one in lately),
            "lately_failed": sum(one.failed for one in lately),
            "most": max((one.steps for one in work), default=0),
            "bars": bars(work, reader.now, _MINUTES),
            "width": WIDTH * _MINUTES,
            "height": HEIGHT,
            "statuses": statuses,
            "counts": counts,
            "failed": sum(counts.get(one.status, 0) for one in statuses if one.failed),
            "alerts": health.alerts,
            "queues": {queue.queue: queue for queue in health.queues or ()},
            "latest_failures": latest,
        },
    )
