"""Check the view alerts: what needs a person."""

from __future__ import annotations

from collections.abc import Callable

from hookline.doctor.check import Check
from hookline.doctor.login import NO_VIEW, NOT_ALLOWED
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Alert, Views

__all__ = ["REMEDIES", "check_alerts"]

# What to do about an alert.
REMEDIES = {
    "stage_paused": "End the pause with `hookline resume` once its reason is gone.",
    "credits_spent": "Raise the cap with `hookline credits --set`.",
    "stage_incomplete": "Add the missing row to upload_pipeline.transitions, or give the status"
    " another failure_code.",
    "lease_unswept": "Start a `hookline work`: every worker ends expired leases, whatever its"
    " stages.",
    "jobs_overdue": "See `hookline jobs --overdue`. Is a worker running? `hookline retry` gives a"
    " job another attempt.",
    "source_silent": "Do its webhooks reach this receiver? See upload_pipeline.delivery_log.",
    "content_unstored": "The storage refuses it: see the row storage here, and storage_failed in"
    " the receiver's log. The bytes are kept in Postgres until it works.",
    "upload_unconfirmed": "Is the file at its raw_path? Then call upload_pipeline.confirm_upload;"
    " else cancel the job with upload_pipeline.cancel_job.",
    "delivery_parked": "Decide with upload_pipeline.settle_parked. Deliveries for another"
    " application also expire by themselves.",
    "object_undeleted": "The storage refuses to delete them: see the row storage here, and"
    " storage_failed in the receiver's log.",
    "provider_request_undone": "See upload_pipeline.provider_request_log: does a worker with this"
    " provider run, and is its key right? Then call upload_pipeline.settle_provider_requests.",
    "notification_unsent": "See `hookline notifications`: mend the endpoint, or start a `hookline"
    " work` with HOOKLINE_NOTIFY_URL. If it answers 401 or 403, compare"
    " HOOKLINE_NOTIFY_SECRETS with the secret of the application.",
    "notification_dead": "See `hookline notifications --dead`. Mend the endpoint, then send them"
    " again with `hookline notifications --retry`.",
    "snapshot_held": "End that session with pg_terminate_backend, drop that slot, or finish that"
    " prepared transaction, unless it is a backup that will end soon.",
    "provider_unserved": "Start a worker with it in HOOKLINE_PARSER, or send the jobs to"
    " another with `hookline retry --provider`.",
    "work_unclaimed": "Start a `hookline work` with this stage, or see why its workers"
    " claim nothing.",
    "dead_letters": "Read upload_pipeline.failed_jobs, remove the cause, and run `hookline retry`.",
    "leases_expiring": "See the log of the workers: does the kernel kill them for their memory?",
    "deliveries_refused": "See the rows refusals here, or upload_pipeline.refusal_log, for the"
    " likely cause.",
    "content_undecided": "Read it with upload_pipeline.read_content, then call accept_content or"
    " discard_content.",
}


async def check_alerts(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    """A warning for each alert; `unseen` makes the row of a role that may not look.

    Raises DatabaseError.
    """
    try:
        alerts = await views.alerts()
    except DatabaseError as error:
        if error.sqlstate == NO_VIEW:
            return [
                Check(
                    "alerts",
                    "fault",
                    "The database is too old: run `hookline migrate`.",
                )
            ]
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("alerts", "hookline_reader")]
    if not alerts:
        return [Check("alerts", "ok", "None.")]
    return [Check("alerts", "warning", _sentence(alert)) for alert in alerts]


def _sentence(alert: Alert) -> str:
    since = f" (since {alert.since:%Y-%m-%d %H:%M}Z)" if alert.since else ""
    remedy = REMEDIES.get(alert.alert, "")
    return f"{alert.alert}, {alert.subject}{since}: {alert.detail}. {remedy}".rstrip()
