"""Say why deliveries were refused, from the view refusal_log: doctor has no log to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hookline.doctor.check import Check, count
from hookline.doctor.login import NO_VIEW, NOT_ALLOWED
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import RefusedDeliveries, Views
from hookline.timing import now

__all__ = ["check_refusals"]

_SINCE = timedelta(days=1)


async def check_refusals(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    """A warning for each source and reason of the last day; `unseen` as in check_queues.

    Raises DatabaseError.
    """
    try:
        refused = await views.refused_since(now() - _SINCE)
    except DatabaseError as error:
        if error.sqlstate == NO_VIEW:
            return [Check("refusals", "fault", "The database is too old: run `hookline migrate`.")]
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("refusals", "hookline_reader")]
    if not refused:
        return [Check("refusals", "ok", "No delivery was refused in the last 24 hours.")]
    return [Check("refusals", "warning", _sentence(one)) for one in refused]


def _sentence(one: RefusedDeliveries) -> str:
    sender = f' by "{one.user_agent}"' if one.user_agent else ""
    refused = f"{count(one.count, 'delivery', 'deliveries')} of {one.source} refused in 24 hours"
    latest = f"the last at {one.latest:%H:%M}Z{sender}"
    return f"{refused}, {latest}: {one.reason}. {one.likely_cause or ''}".rstrip()
