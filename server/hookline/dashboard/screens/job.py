"""One job: where it stands, its history as the path through the state machine, its deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from hookline.dashboard.errors import Refused, unknown
from hookline.dashboard.job_filter import read_id
from hookline.dashboard.queries import MOST_ARTIFACTS, Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page
from hookline.postgres.views import TimelineEvent
from hookline.storage.content import hash_of
from hookline.storage.objects import Storage, StorageError

__all__ = ["Stay", "routes", "stays_of"]

routes = web.RouteTableDef()

# What others uploaded runs nothing, wherever a browser opens it.
_POWERLESS = {"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'"}


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
        artifacts = await queries.artifacts_of(job_id)
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
            "artifacts": artifacts,
            "most_artifacts": MOST_ARTIFACTS,
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
    return web.Response(
        body=await _read(site.storage, job.parsed_path, job.parsed_sha256),
        content_type="text/plain",
        charset="utf-8",
        headers=_POWERLESS,
    )


@routes.get("/jobs/{job_id}/artifact")
async def download_artifact(request: web.Request) -> web.Response:
    """An artifact, as a download: a browser that showed it would run what is in it."""
    site = request.app[SITE]
    job_id = read_id(request.match_info["job_id"])
    kind, name = request.query.get("kind", ""), request.query.get("name", "")
    async with reading(site.pool) as reader:
        artifact = await Queries(reader).artifact(job_id, kind, name)
    if artifact is None:
        raise unknown("artifact of this job")
    # The end of its path is letters, digits and dots.
    filename = artifact.path.rpartition("/")[2]
    return web.Response(
        body=await _read(site.storage, artifact.path, artifact.sha256),
        content_type="application/octet-stream",
        headers={**_POWERLESS, "Content-Disposition": f'attachment; filename="{filename}"'},
    )


async def _read(storage: Storage | None, path: str, sha256: str | None) -> bytes:
    if storage is None:
        raise Refused(
            HTTPStatus.NOT_FOUND, "The dashboard has no storage: set HOOKLINE_STORAGE_URL."
        )
    try:
        content = await storage.read(path)
    except StorageError as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"The storage failed: {error}.") from error
    if await hash_of(content) != sha256:
        raise Refused(
            HTTPStatus.CONFLICT, "The object in storage was changed: it does not have its SHA-256."
        )
    return content
