"""The alerts: what needs a person, and what that person does."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hookline.dashboard.queries import Queries
from hookline.dashboard.reading import reading
from hookline.dashboard.site import SITE, page

__all__ = ["WHAT_TO_DO", "routes"]

routes = web.RouteTableDef()

WHAT_TO_DO: Final = {
    "stage_paused": "Mend what the pause names, then resume the stage.",
    "credits_spent": "Wait for the end of the window, or raise the cap: `hookline credits --set`.",
    "stage_incomplete": "Insert the missing transition, or choose another failure_code.",
    "lease_unswept": "Start a worker: the next claim takes these jobs back.",
    "jobs_overdue": "Look whether a worker runs, and whether the provider reaches this receiver.",
    "upload_unconfirmed": "Let the application call confirm_upload for its files.",
    "source_silent": "Look whether the provider has the right webhook: run `hookline doctor`.",
    "content_unstored": "Mend the storage: the contents are stored as soon as it works.",
    "content_undecided": "Look at the content, then call accept_content or discard_content.",
    "delivery_parked": "Call record_submission if the provider jobs are yours, or settle_parked.",
    "object_undeleted": "Mend the rights of the storage: the objects are deleted once it works.",
    "provider_request_undone": "Start a worker with this provider, or mend its key. For what it"
    " refuses, call settle_provider_requests.",
    "notification_unsent": "Mend the endpoint, or start a worker with HOOKLINE_NOTIFY_URL.",
    "notification_dead": "Mend the endpoint, then run `hookline notifications --retry`.",
    "provider_unserved": "Start a worker that has this provider, or retry the jobs with another.",
    "work_unclaimed": "Start a worker with this stage, or read why its workers claim nothing.",
    "dead_letters": "Remove the cause that the dead letters name, then retry them.",
    "leases_expiring": "Read the log of the workers: does the kernel end them for their memory?",
    "deliveries_refused": "Compare the secrets, and look for a proxy that changes bodies.",
    "snapshot_held": "End what holds the rows: an old transaction, or a dead replication slot.",
}
"""For each kind of alert, one sentence for who reads it at night."""


@routes.get("/alerts")
async def show(request: web.Request) -> web.Response:
    """The page."""
    async with reading(request.app[SITE].pool) as reader:
        alerts = await Queries(reader).alerts()
    return page(
        request,
        "alerts.html",
        {
            "title": "Alerts",
            "now": reader.now,
            "alerts": [(one, WHAT_TO_DO.get(one.alert, "")) for one in alerts],
            "screens": {
                "stage_paused": "/stages",
                "credits_spent": "/credits",
                "lease_unswept": "/stages",
                "jobs_overdue": "/stages",
                "source_silent": "/deliveries",
                "delivery_parked": "/deliveries",
                "content_undecided": "/deliveries",
            },
        },
    )
