"""Why there is no markdown of a job, or no artifact."""

from __future__ import annotations

from hookline.error import HooklineError
from hookline.postgres.views import JobOverview

__all__ = [
    "DamagedContent",
    "JobCancelled",
    "JobFailed",
    "NotParsed",
    "StillRunning",
    "UnknownArtifact",
    "WaitTimeout",
    "why_not_parsed",
]


class NotParsed(HooklineError):
    """The job has no markdown. `job` is the job as it was read; its `status` says where it is."""

    def __init__(self, message: str, job: JobOverview) -> None:
        super().__init__(message)
        self.job = job


class StillRunning(NotParsed):
    """The job has not ended: its markdown may come. Wait for it, or ask again later."""


class WaitTimeout(StillRunning, TimeoutError):
    """The time to wait is over, and the job goes on without you: wait again, or ask later."""


class JobFailed(NotParsed):
    """The job failed for good. `code` and `reason` say why; `retry` gives it another attempt."""

    def __init__(self, message: str, job: JobOverview) -> None:
        super().__init__(message, job)
        error = job.last_error or {}
        self.code = str(error.get("code", ""))
        self.reason = str(error.get("error", ""))


class JobCancelled(NotParsed):
    """The job was ended without a failure and without markdown: somebody cancelled it."""


class UnknownArtifact(HooklineError):
    """The job has no such artifact, or it is not stored yet."""


class DamagedContent(HooklineError):
    """The object in storage is not the content of the job: it was changed from outside."""


def why_not_parsed(job: JobOverview) -> NotParsed:
    """The error for a job that failed, or has no content."""
    if job.failed:
        error = job.last_error or {}
        return JobFailed(
            f"Job {job.job_id} is {job.status}: {error.get('error') or error.get('code')}", job
        )
    if job.terminal:
        return JobCancelled(f"Job {job.job_id} is {job.status}, so it has no markdown.", job)
    return StillRunning(
        f"Job {job.job_id} has no markdown yet: it is {job.status} ({job.waits_because}).", job
    )
