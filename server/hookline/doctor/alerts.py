"""The check of the view alerts."""

from __future__ import annotations

from collections.abc import Callable

from hookline.doctor.check import Check
from hookline.doctor.login import NO_VIEW, NOT_ALLOWED
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Alert, Views

__all__ = ["REMEDIES", "check_alerts"]

# What to do about an alert.
REMEDIES = {
    "stage_paused": "upload_pipeline.resume_stage ends the pause, once its reason is gone.",
    "credits_spent": "upload_pipeline.set_credit_cap raises it.",
    "stage_incomplete": "Add the rows to upload_pipeline.transitions.",
    "lease_unswept": "Any `hookline work`, whatever its stages are, takes them back.",
    "jobs_overdue": "See `hookline jobs --overdue`: is a worker running? `hookline retry` sends a"
    " job back.",
    "source_silent": "Do its webhooks reach this receiver? See upload_pipeline.delivery_log.",
    "content_unstored": "Storage refuses it: see the row storage, and storage_failed in the"
    " receiver's log. Nothing is lost meanwhile.",
    "content_undecided": "Look with upload_pipeline.read_content, then accept_content or"
    " discard_content.",
}


async def check_alerts(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    try:
        alerts = await views.alerts()
    except DatabaseError as error:
        if error.sqlstate == NO_VIEW:
            return [Check("alerts", "fault", "The database is older: run `hookline migrate`.")]
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("alerts", "hookline_reader")]
    if not alerts:
        return [Check("alerts", "ok", "None: no stage is paused, no job overdue.")]
    return [Check("alerts", "warning", _alerted(alert)) for alert in alerts]


def _alerted(alert: Alert) -> str:
    since = f" (since {alert.since:%Y-%m-%d %H:%M}Z)" if alert.since else ""
    remedy = REMEDIES.get(alert.alert, "")
    return f"{alert.alert}, {alert.subject}{since}: {alert.detail}. {remedy}".rstrip()
