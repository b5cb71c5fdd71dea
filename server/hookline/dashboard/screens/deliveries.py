"""The deliveries: the sources and their silence, what was refused, what came and what it did."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from hookline.dashboard.activity_queries import MINUTES, ActivityQueries, by_minute
from hookline.dashboard.delivery_queries import OUTCOMES, READ_AT_MOST, DeliveryQueries
from hookline.dashboard.errors import unknown
from hookline.dashboard.filters import moment_and_words, one_of, text_or_none, uuid_or_none
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["routes"]

routes = web.RouteTableDef()

_PAGE = 50
_REFUSED_SINCE = timedelta(hours=24)


@routes.get("/deliveries")
async def show_all(request: web.Request) -> web.Response:
    """Sources, refusals, and one page of the deliveries that pass the filters."""
    async with reading(request.app[SITE].pool) as reader:
        queries = DeliveryQueries(reader)
        sources = await queries.sources()
        source = one_of(request, "source", sources)
        outcome = one_of(request, "outcome", OUTCOMES)
        job_id = uuid_or_none(request, "job")
        prefix = text_or_none(request, "id", 200)
        after = moment_and_words(request, 2)
        found = await queries.page(
            source=source,
            outcome=outcome,
            job_id=job_id,
            prefix=prefix,
            after=(after[0], after[1][0], after[1][1]) if after else None,
            limit=_PAGE,
        )
        refused = await queries.refused_since(reader.now - _REFUSED_SINCE)
        queues = await Queries(reader).queues()
        came = await ActivityQueries(reader).deliveries()
    end = found.next_after
    return page(
        request,
        "deliveries.html",
        {
            "title": "Deliveries",
            "now": reader.now,
            "sources": sources,
            "outcomes": OUTCOMES,
            "filters": {"source": source, "outcome": outcome, "job": job_id, "id": prefix},
            "read_at_most": READ_AT_MOST,
            "is_first": after is None,
            "deliveries": found.deliveries,
            "next_after": end and f"{end.first_seen.isoformat()}~{end.source}~{end.delivery_id}",
            "refused": refused,
            "refused_since": _REFUSED_SINCE,
            "silence": {one.queue.removeprefix("source: "): one for one in queues},
            "came": by_minute(came, reader.now),
            "minutes": MINUTES,
        },
    )


@routes.get("/delivery")
async def show(request: web.Request) -> web.Response:
    """One delivery, named by its source and its id, which may hold any characters."""
    source, delivery_id = request.query.get("source", ""), request.query.get("id", "")
    found = None
    async with reading(request.app[SITE].pool) as reader:
        # Postgres has no text with a zero byte.
        if "\0" not in source + delivery_id:
            found = await DeliveryQueries(reader).one(source, delivery_id)
    if found is None:
        raise unknown("delivery of this source with this id")
    return page(
        request,
        "delivery.html",
        {"title": "Delivery", "now": reader.now, "one": found, "meaning": OUTCOMES[found.outcome]},
    )
