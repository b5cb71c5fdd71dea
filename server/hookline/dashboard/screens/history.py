"""What operators did that no history of a job tells: pauses, erasures, purges, caps."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.filters import uuid_or_none
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()

_PAGE = 50


@routes.get("/history")
async def show(request: web.Request) -> web.Response:
    """One page, the latest action first."""
    before = uuid_or_none(request, "before")
    async with reading(request.app[SITE].pool) as reader:
        found = await Queries(reader).actions(before=before, limit=_PAGE + 1)
    return page(
        request,
        "history.html",
        {
            "title": "History",
            "now": reader.now,
            "actions": found[:_PAGE],
            "is_first": before is None,
            "next": found[_PAGE - 1].action_id if len(found) > _PAGE else None,
        },
    )
