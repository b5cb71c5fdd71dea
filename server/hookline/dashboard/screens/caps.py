"""The caps of the provider's credits, and what is left of each."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.cap_queries import CapQueries
from hookline.dashboard.filters import uuid_or_none
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()

# An owner has at most six caps: three periods, two scopes.
_PAGE = 60


@routes.get("/credits")
async def show(request: web.Request) -> web.Response:
    """The caps for all, and one page of the caps of owners."""
    owner_id = uuid_or_none(request, "owner")
    after = uuid_or_none(request, "after")
    async with reading(request.app[SITE].pool) as reader:
        queries = CapQueries(reader)
        common = await queries.common()
        found = await queries.of_owners(owner_id=owner_id, after=after, limit=_PAGE)
    next_after = None
    if len(found) == _PAGE:
        # The last owner may have more caps: they come whole on the next page.
        *_, last = found
        found = [one for one in found if one.owner_id != last.owner_id]
        next_after = found[-1].owner_id
    return page(
        request,
        "caps.html",
        {
            "title": "Credits",
            "now": reader.now,
            "common": common,
            "of_owners": found,
            "owner": owner_id,
            "is_first": after is None,
            "next_after": next_after,
        },
    )
