"""LlamaCloud's jobs and callbacks as our own records, read from the SDK's objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from hookline.providers.client import ParseJob, Status, Submission, read_id
from hookline.sources.strict_json import as_text

__all__ = ["failure_in", "metadata_of", "read_parse_job"]

_STATUSES: Final[Mapping[str, Status]] = {
    "PENDING": "waiting",
    "RUNNING": "running",
    "COMPLETED": "done",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
_PERMANENT: Final = frozenset(
    {
        "UNSUPPORTED_FILE_TYPE",
        "PDF_IS_PROTECTED",
        "PDF_IS_BROKEN",
        "NO_DATA_FOUND_IN_FILE",
        "DOCUMENT_TOO_LARGE",
        "TOO_MANY_PAGES",
    }
)
"""Failures of the document itself. Parsing it again gives the same failure."""

_CODE: Final = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bTIMEOUT\b")


class _Described(Protocol):
    """What the four classes of a job in the SDK have in common."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error_message(self) -> str | None: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def updated_at(self) -> datetime | None: ...
    @property
    def user_metadata(self) -> Mapping[str, str] | None: ...
    @property
    def usage(self) -> Any: ...


def metadata_of(submission: Submission, version: str) -> dict[str, str]:
    """The metadata that says to which attempt a provider job belongs. Listings show it.

    The provider does not say which version of its parser was asked for, nor which file it was, so
    both are here as well.
    """
    return {
        "hookline_job_id": submission.job_id,
        "attempt": submission.attempt,
        "version": version,
        "file_id": submission.handle,
    }


def read_parse_job(job: _Described) -> ParseJob:
    """The job as our own record. Raises ValueError, AttributeError or TypeError if it is none."""
    metadata = job.user_metadata or {}
    code, permanent = failure_in(job.error_message)
    billed = _billed(None if job.usage is None else job.usage.credits)
    return ParseJob(
        id=read_id(job.id),
        # A status that we do not know is none that ends a job.
        status=_STATUSES.get(str(job.status), "running"),
        said=str(job.status),
        reason=as_text(job.error_message),
        code=code,
        permanent=permanent,
        created_at=_moment(job.created_at),
        updated_at=_moment(job.updated_at),
        billed=billed,
        job_id=as_text(metadata.get("hookline_job_id")),
        attempt=as_text(metadata.get("attempt")),
    )


def failure_in(message: str | None) -> tuple[str, bool]:
    """The provider's code in an error message, and whether every other attempt would fail too."""
    found = _CODE.search(message or "")
    code = found[0][:100] if found else "parse_failed"
    return code, code in _PERMANENT


def _billed(credits_: object) -> Decimal | None:
    if credits_ is None:
        return None
    billed = Decimal(str(credits_))
    if not billed.is_finite() or billed < 0:
        raise ValueError("no amount of credits")
    return billed


def _moment(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
