"""The list of jobs: filters in the address, pages by id, and actions on many jobs."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.job_filter import AGES, JobFilter
from hookline.dashboard.job_search import find_jobs
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()

_ON_A_PAGE = 50


@routes.get("/jobs")
async def show(request: web.Request) -> web.Response:
    """The page."""
    async with reading(request.app[SITE].pool) as reader:
        statuses = await Queries(reader).statuses()
        wanted = JobFilter.read(request.query, [one.status for one in statuses])
        found = await find_jobs(reader, wanted, statuses, _ON_A_PAGE)
    return page(
        request,
        "jobs.html",
        {
            "title": "Jobs",
            "now": reader.now,
            "kinds": {one.status: one for one in statuses},
            "wanted": wanted,
            "ages": AGES,
            "found": found,
            "can_act": reader.is_operator,
        },
    )
