"""Why jobs do not move, as a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from hookline.postgres.views import JobOverview, Status

__all__ = ["Reason", "find_reasons"]


class Reason(NamedTuple):
    """`key` is the same for all jobs that wait for the same thing."""

    key: str
    sentence: str


def find_reasons(
    jobs: Sequence[JobOverview], statuses: Mapping[str, Status], now: datetime
) -> list[Reason]:
    """Why these jobs wait, one reason for each kind. Empty while a worker has one of them."""
    if any(job.leased_by is not None for job in jobs):
        return []
    found: dict[str, Reason] = {}
    for job in jobs:
        reason = _reason(job, statuses[job.status], now, len(jobs))
        if reason is not None:
            found.setdefault(reason.key, reason)
    return list(found.values())


def _reason(job: JobOverview, status: Status, now: datetime, jobs: int) -> Reason | None:
    if status.paused_until is not None and status.paused_until > now:
        until = f"{status.paused_until.astimezone(UTC):%H:%M:%S}Z"
        return Reason(
            f"paused {job.status}",
            f"The stage of {job.status} is paused until {until}: {status.paused_because}",
        )
    if job.last_error is not None:
        code = str(job.last_error.get("code"))
        return Reason(code, f"It will be tried again after {code}: {job.last_error.get('error')}")
    if status.claimable:
        return Reason(
            "no worker",
            f"No worker has taken {'it' if jobs == 1 else 'them'}: is `hookline work` or"
            " `hookline up` running?",
        )
    return None
