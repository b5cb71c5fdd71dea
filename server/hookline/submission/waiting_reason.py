"""Why nothing moves, as sentences for a person: what `waits_because` of job_overview says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from hookline.postgres.views import JobOverview

__all__ = ["NEEDS_WORKER", "Reason", "find_reasons"]

# How the view ends its text if a worker could claim the job now.
NEEDS_WORKER = "waits for a worker"

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")


class Reason(NamedTuple):
    """`key` is the same for all jobs that wait for the same thing."""

    key: str
    sentence: str


def find_reasons(jobs: Sequence[JobOverview], now: datetime) -> list[Reason]:
    """Why these jobs wait, one reason for each kind. Empty while a worker has one of them."""
    if any(job.leased_until is not None and job.leased_until >= now for job in jobs):
        return []
    found: dict[str, Reason] = {}
    for job in jobs:
        if job.waits_because is not None:
            reason = _reason(job, job.waits_because)
            found.setdefault(reason.key, reason)
    return list(found.values())


def _reason(job: JobOverview, waits_because: str) -> Reason:
    sentence = f"Nothing moves in {job.status}: {waits_because}."
    error = job.last_error or {}
    if error and str(error.get("error")) not in waits_because:
        sentence += f" The last error is {error.get('code')}: {error.get('error')}"
    if waits_because.endswith(NEEDS_WORKER):
        sentence += " Is `hookline work` or `hookline up` running?"
    # Jobs that wait for the same thing until different times have the same reason.
    key = f"{job.status} {_TIME.sub('', waits_because)} {error.get('code')}"
    return Reason(key, sentence)
