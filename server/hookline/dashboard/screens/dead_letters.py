"""The dead letters: jobs that failed for good, grouped by what went wrong."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.activity_queries import MINUTES, ActivityQueries, by_minute
from hookline.dashboard.dead_letter_queries import GROUPED, DeadLetterQueries
from hookline.dashboard.job_filter import JobFilter
from hookline.dashboard.operations import MOST_JOBS
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, VISITOR, page

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/dead-letters")
async def show(request: web.Request) -> web.Response:
    """The groups. Each leads to its jobs, and to the preview of a retry of all of them."""
    async with reading(request.app[SITE].pool) as reader:
        statuses = await Queries(reader).statuses()
        groups = await DeadLetterQueries(reader).groups()
        failed = by_minute(await ActivityQueries(reader).failed(), reader.now)
    return page(
        request,
        "dead_letters.html",
        {
            "title": "Dead letters",
            "now": reader.now,
            "groups": [
                (one, JobFilter(status=one.status, code=one.code).query()) for one in groups
            ],
            "shown": sum(one.jobs for one in groups),
            "most": GROUPED,
            "most_retried": MOST_JOBS,
            "failed": [sum(counts) for counts in zip(*failed.values(), strict=True)]
            or [0] * MINUTES,
            "minutes": MINUTES,
            "kinds": {one.status: one for one in statuses},
            "may_act": request[VISITOR].may_act and reader.is_operator,
        },
    )
