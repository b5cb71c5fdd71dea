"""The stages: how much waits in each, how fast it goes on, and pause and resume."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from hookline.dashboard.activity_queries import MINUTES, ActivityQueries, by_minute
from hookline.dashboard.errors import unknown
from hookline.dashboard.guard import FORM
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, VISITOR, page, redirect
from hookline.postgres.views import Status

__all__ = ["routes"]

log = structlog.get_logger("hookline.dashboard")

routes = web.RouteTableDef()

# The last one is the longest that pause_stage takes.
_LENGTHS: Final = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("1 hour", timedelta(hours=1)),
    "4h": ("4 hours", timedelta(hours=4)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "31d": ("31 days", timedelta(days=31)),
}
_LONGEST_REASON = 300
# Actions of operators that a stage shows.
_ACTIONS = 10


@routes.get("/stages")
async def show_all(request: web.Request) -> web.Response:
    """All statuses in which jobs wait."""
    async with reading(request.app[SITE].pool) as reader:
        queries = Queries(reader)
        statuses = await queries.statuses()
        queues = await queries.queues()
        left = await ActivityQueries(reader).left()
    by_name = {queue.queue: queue for queue in queues}
    return page(
        request,
        "stages.html",
        {
            "title": "Stages",
            "now": reader.now,
            "stages": [one for one in statuses if not one.terminal],
            "queues": by_name,
            "places": [one for one in queues if ": " in one.queue and "source: " not in one.queue],
            "left": by_minute(left, reader.now),
            "minutes": MINUTES,
        },
    )


@routes.get("/stages/{status}")
async def show(request: web.Request) -> web.Response:
    """One stage, with the forms to pause and to resume it."""
    return await _stage_page(request)


@routes.post("/stages/{status}/pause")
async def pause(request: web.Request) -> web.Response:
    """Pause the stage in the name of the visitor, which stands before the reason."""
    site = request.app[SITE]
    form = request[FORM]
    status = request.match_info["status"]
    await _require_stage(request)
    length = _LENGTHS.get(form.get("length", ""))
    reason = " ".join(form.get("reason", "").split())
    if length is None:
        return await _stage_page(request, fault="Choose how long.", reason=reason)
    if not reason or not reason.isprintable() or len(reason) > _LONGEST_REASON:
        return await _stage_page(
            request, fault=f"Write why, in 1 to {_LONGEST_REASON} characters.", reason=reason
        )
    person = request[VISITOR].name
    # The login is that of all persons, so the name stands before the reason.
    until = await site.engine.pause_stage(status, length[1], f"{person}: {reason}")
    log.info("stage_paused", person=person, status=status, until=until.isoformat())
    return redirect(request, f"/stages/{status}")


@routes.post("/stages/{status}/resume")
async def resume(request: web.Request) -> web.Response:
    """End the pause. Nothing happens if there is none."""
    status = request.match_info["status"]
    await _require_stage(request)
    await request.app[SITE].engine.resume_stage(status, f"{request[VISITOR].name}, dashboard")
    log.info("stage_resumed", person=request[VISITOR].name, status=status)
    return redirect(request, f"/stages/{status}")


async def _require_stage(request: web.Request) -> None:
    """Refuse who may not act on stages, then a status that is none."""
    async with reading(request.app[SITE].pool) as reader:
        reader.require_operator()
        _stage_of(request, await Queries(reader).statuses())


def _stage_of(request: web.Request, statuses: Sequence[Status]) -> Status:
    name = request.match_info["status"]
    for one in statuses:
        if one.status == name and not one.terminal:
            return one
    raise unknown("stage of this name")


async def _stage_page(request: web.Request, fault: str = "", reason: str = "") -> web.Response:
    async with reading(request.app[SITE].pool) as reader:
        queries = Queries(reader)
        stage = _stage_of(request, await queries.statuses())
        queues = await queries.queues()
        left = await ActivityQueries(reader).left()
        actions = await queries.actions(subject=stage.status, limit=_ACTIONS)
        alerts = await queries.alerts()
    return page(
        request,
        "stage.html",
        {
            "title": f"Stage {stage.status}",
            "now": reader.now,
            "stage": stage,
            "provider_pauses": [
                one
                for one in alerts
                if one.alert == "stage_paused" and one.subject.startswith(f"{stage.status}: ")
            ],
            "queue": next(one for one in queues if one.queue == stage.status),
            "left": by_minute(left, reader.now).get(stage.status, [0] * MINUTES),
            "minutes": MINUTES,
            "actions": actions,
            "lengths": {value: words for value, (words, _) in _LENGTHS.items()},
            "longest_reason": _LONGEST_REASON,
            "may_act": request[VISITOR].may_act and reader.is_operator,
            "fault": fault,
            "reason": reason,
        },
        status=HTTPStatus.BAD_REQUEST if fault else HTTPStatus.OK,
    )
