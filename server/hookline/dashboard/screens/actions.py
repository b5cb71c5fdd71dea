"""Act on jobs: a preview with the number, a confirmation, and the result for each job."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import web

from hookline.dashboard.errors import Refused, unknown
from hookline.dashboard.guard import FORM
from hookline.dashboard.job_filter import JobFilter
from hookline.dashboard.job_search import find_jobs
from hookline.dashboard.operations import ACTIONS, MOST_JOBS, Action, Operation
from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import OPERATIONS, SITE, VISITOR, page, redirect

__all__ = ["routes"]

routes = web.RouteTableDef()

_LONGEST_REASON = 300


@routes.post("/actions/preview")
async def preview(request: web.Request) -> web.Response:
    """Say how many jobs of which status it is about, and ask for the confirmation."""
    form = request[FORM]
    action = _action_of(form.get("action", ""))
    async with reading(request.app[SITE].pool) as reader:
        reader.require_operator()
        queries = Queries(reader)
        statuses = await queries.statuses()
        if form.get("scope") == "all":
            given = dict(parse_qsl(form.get("filter", "")))
            wanted = JobFilter.read(given, [one.status for one in statuses])
            found = await find_jobs(reader, wanted, statuses, MOST_JOBS)
            targets, is_cut = [one.job_id for one in found.jobs], found.next is not None
        else:
            targets, is_cut = _targets_of(form.getall("job", [])), False
        jobs = await queries.jobs(targets)
        erased = await queries.jobs_of_document(jobs[0].document_id) if jobs else []
        providers = await queries.providers() if action == "retry" else []
    if not jobs:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "No job was chosen: go back, and tick the jobs to act on."
        )
    if action == "erase" and len(jobs) != 1:
        raise Refused(HTTPStatus.BAD_REQUEST, "Only one document is erased at a time.")
    return page(
        request,
        "preview.html",
        {
            "title": f"{action.capitalize()} {len(jobs):,} {'job' if len(jobs) == 1 else 'jobs'}?"
            if action != "erase"
            else f"Erase {jobs[0].filename}?",
            "action": action,
            "jobs": jobs,
            "providers": [one.provider for one in providers],
            "erased": len(erased),
            "counts": Counter(one.status for one in jobs),
            "kinds": {one.status: one for one in statuses},
            "is_cut": is_cut,
            "most": MOST_JOBS,
            "longest_reason": _LONGEST_REASON,
            "back": _back_of(form.get("back", "")),
        },
    )


@routes.post("/actions")
async def act(request: web.Request) -> web.Response:
    """Begin what was confirmed, and go to its results."""
    form = request[FORM]
    action = _action_of(form.get("action", ""))
    reason = " ".join(form.get("reason", "").split())
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"The reason has at most {_LONGEST_REASON} characters."
        )
    provider = form.get("provider") if action == "retry" else None
    if provider and not provider.isprintable():
        raise Refused(HTTPStatus.BAD_REQUEST, "There is no such provider.")
    targets = _targets_of(form.getall("job", []))
    if not targets or (action == "erase" and len(targets) != 1):
        raise Refused(HTTPStatus.BAD_REQUEST, "No job was chosen.")
    async with reading(request.app[SITE].pool) as reader:
        reader.require_operator()
        if action == "erase":
            job = await Queries(reader).job(targets[0])
            if job is None:
                raise unknown("job with this id")
            targets = [job.document_id]
    operation = Operation(
        action=action,
        targets=targets,
        person=request[VISITOR].name or "",
        reason=reason,
        provider=provider or None,
        back=_back_of(form.get("back", "")),
    )
    await request.app[OPERATIONS].start(operation)
    return redirect(request, f"/actions/{operation.id}")


@routes.get("/actions/{operation_id}")
async def show(request: web.Request) -> web.Response:
    """How far it is, and what became of each job."""
    operation = request.app[OPERATIONS].get(request.match_info["operation_id"])
    if operation is None:
        raise Refused(
            HTTPStatus.NOT_FOUND,
            "This action is not known any more: the history of each job says what was done.",
        )
    async with reading(request.app[SITE].pool) as reader:
        jobs = await Queries(reader).jobs([one.job_id for one in operation.results])
    return page(
        request,
        "operation.html",
        {
            "title": f"{operation.action.capitalize()}",
            "now": reader.now,
            "operation": operation,
            "done": sum(one.is_done for one in operation.results),
            "refused": sum(not one.is_done for one in operation.results),
            "names": {one.job_id: one.filename for one in jobs},
        },
    )


def _action_of(text: str) -> Action:
    for action in ACTIONS:
        if text == action:
            return action
    raise Refused(HTTPStatus.BAD_REQUEST, f"The action is one of {', '.join(ACTIONS)}.")


def _targets_of(texts: list[str]) -> list[UUID]:
    try:
        targets = list(dict.fromkeys(UUID(text) for text in texts))
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "A chosen job has no valid id.") from None
    if len(targets) > MOST_JOBS:
        raise Refused(HTTPStatus.BAD_REQUEST, f"Choose at most {MOST_JOBS:,} jobs at a time.")
    return targets


def _back_of(text: str) -> str:
    """The page to return to, below the base path: it is appended to that path."""
    return text if text.startswith("/") and text.isascii() and text.isprintable() else "/jobs"
