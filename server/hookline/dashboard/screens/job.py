"""One job: where it stands, its history as the path through the state machine, its deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from hookline.dashboard.errors import Refused, unknown
from hookline.dashboard.job_filter import read_id
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page
from hookline.postgres.views import TimelineEvent
from hookline.storage.content import hash_of
from hookline.storage.objects import StorageError

__all__ = ["Stay", "routes", "stays_of"]

routes = web.RouteTableDef()


@dataclass(slots=True)
class Stay:
    """The time that a job spent in a status without leaving it, and what happened meanwhile.

    `arrival` led into the status; `until` is None while the job is still there.
    """

    status: str
    arrival: TimelineEvent
    events: list[TimelineEvent] = field(default_factory=list)
    until: datetime | None = None

    def length(self, now: datetime) -> timedelta:
        """How long the job stayed, up to now if it is still there."""
        return (self.until or now) - self.arrival.ts


def stays_of(timeline: Sequence[TimelineEvent]) -> list[Stay]:
    """The path of a job through the state machine."""
    stays: list[Stay] = []
    for event in timeline:
        if stays and event.to_status == event.from_status:
            stays[-1].events.append(event)
            continue
        if stays:
            stays[-1].until = event.ts
        stays.append(Stay(event.to_status, event))
    return stays


@routes.get("/jobs/{job_id}")
async def show(request: web.Request) -> web.Response:
    """The page."""
    job_id = read_id(request.match_info["job_id"])
    async with reading(request.app[SITE].pool) as reader:
        queries = Queries(reader)
        job = await queries.job(job_id)
        if job is None:
            raise unknown("job with this id")
        statuses = await queries.statuses()
        timeline = await queries.timeline(job_id)
        deliveries = await queries.deliveries_of(job_id)
        contents = await queries.contents_of(job_id)
        requests = await queries.requests_of(job_id)
        steps = await queries.steps_from(job.status)
        siblings = await queries.jobs_of_document(job.document_id)
    allowed = [
        action
        for action, is_allowed in (
            ("retry", any(one.event_type == "retry" for one in steps)),
            (
                "cancel",
                any(one.event_type == "operator" and one.to_status != job.status for one in steps),
            ),
            ("erase", True),
        )
        if is_allowed and reader.is_operator
    ]
    return page(
        request,
        "job.html",
        {
            "title": job.filename,
            "now": reader.now,
            "job": job,
            "kinds": {one.status: one for one in statuses},
            "stays": stays_of(timeline),
            "steps": len(timeline),
            "deliveries": deliveries,
            "contents": contents,
            "requests": requests,
            "siblings": [one for one in siblings if one != job.job_id],
            "allowed": allowed,
        },
    )


@routes.get("/jobs/{job_id}/content")
async def show_content(request: web.Request) -> web.Response:
    """The markdown, as plain text: it may be anything that somebody uploaded."""
    site = request.app[SITE]
    job_id = read_id(request.match_info["job_id"])
    async with reading(site.pool) as reader:
        job = await Queries(reader).job(job_id)
    if job is None or job.parsed_path is None:
        raise unknown("text of this job")
    if site.storage is None:
        raise Refused(
            HTTPStatus.NOT_FOUND, "The dashboard has no storage: set HOOKLINE_STORAGE_URL."
        )
    try:
        content = await site.storage.read(job.parsed_path)
    except StorageError as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"The storage failed: {error}.") from error
    if await hash_of(content) != job.parsed_sha256:
        raise Refused(
            HTTPStatus.CONFLICT, "The object in storage was changed: it does not have its SHA-256."
        )
    return web.Response(
        body=content,
        content_type="text/plain",
        charset="utf-8",
        headers={"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'"},
    )
