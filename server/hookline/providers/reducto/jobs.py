"""Reducto's jobs as our own records.

Vendor: Reducto API reference, "Retrieve Parse" and "Get Jobs"; SDK reductoai 0.25, `types`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeGuard

from hookline.providers.client import ParseJob, Status, Submission, read_id
from hookline.providers.http_calls import reading
from hookline.sources.strict_json import as_text

__all__ = ["metadata_of", "read_job", "read_listed", "read_result"]

_JOB_ID: Final = "hookline_job_id"
# A status that is not here is none that ends a job.
_STATUSES: Final[Mapping[str, Status]] = {
    "Pending": "waiting",
    "Idle": "waiting",
    "Completed": "done",
    "Failed": "failed",
    "Cancelled": "cancelled",
}
_CANCELLED: Final = "JOB_CANCELLED"
# Failures of the document itself, or of what was asked for it: every other attempt fails as well.
_PERMANENT: Final = frozenset(
    {
        "CELL_COUNT_EXCEEDED",
        "DOCUMENT_CORRUPT",
        "DOCUMENT_EMPTY",
        "DOCUMENT_PASSWORD_PROTECTED",
        "DOCUMENT_TOO_LARGE",
        "DOCUMENT_UNSUPPORTED",
        "IMAGE_INVALID_ASPECT_RATIO",
        "IMAGE_TOO_LARGE",
        "IMAGE_TOO_SMALL",
        "INVALID_CONFIG",
        "OFFICE_CONVERSION_TOO_LARGE",
    }
)
_LONGEST_CODE: Final = 100


def metadata_of(submission: Submission) -> dict[str, str]:
    """What Reducto returns inside the signed bytes of its webhook."""
    return {_JOB_ID: submission.job_id, "attempt": submission.attempt}


@reading()
def read_job(parse_job_id: str, found: Mapping[str, Any], credits_a_page: Decimal) -> ParseJob:
    """The answer of `GET /job/{id}`, which does not repeat the id. Raises Unanswered."""
    said = found["status"]
    status = _STATUSES.get(said, "running")
    told = found.get("error")
    error = told if isinstance(told, dict) else {"message": told}
    name = str(error.get("name") or "")[:_LONGEST_CODE]
    if status == "failed" and name == _CANCELLED:
        status = "cancelled"
    created_at, duration = _moment(found.get("created_at")), found.get("duration")
    ended_at = None if created_at is None else created_at + timedelta(seconds=duration or 0)
    return ParseJob(
        id=parse_job_id,
        status=status,
        said=str(said),
        reason=as_text(error.get("message") or found.get("reason")),
        code=name or "parse_failed",
        permanent=name in _PERMANENT,
        created_at=created_at,
        updated_at=ended_at if status in ("done", "failed", "cancelled") else None,
        billed=_billed(found, credits_a_page),
    )


@reading()
def read_listed(found: Mapping[str, Any]) -> ParseJob:
    """A row of `GET /jobs`. Raises Unanswered.

    It says neither why a job failed nor what it cost, and our ids only if `raw_config` is there and
    has the request's metadata, which is not documented.
    """
    metadata = _metadata_in(found.get("raw_config"))
    status = _STATUSES.get(found["status"], "running")
    return ParseJob(
        id=read_id(found["job_id"]),
        status=status,
        said=str(found["status"]),
        created_at=_moment(found.get("created_at")),
        job_id=metadata.get(_JOB_ID),
        attempt=metadata.get("attempt"),
    )


@reading()
def read_result(full: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """The markdown of a full result, and how many of its blocks have low confidence."""
    chunks = full["chunks"]
    said = [block.get("confidence") for chunk in chunks for block in chunk.get("blocks") or ()]
    rated = [one for one in said if one in ("high", "low")]
    details: dict[str, object] = {}
    if rated:
        details["confidence"] = {"blocks": len(rated), "low": rated.count("low")}
    return "\n\n".join(chunk["content"] for chunk in chunks), details


def _billed(found: Mapping[str, Any], credits_a_page: Decimal) -> Decimal | None:
    usage = (found.get("result") or {}).get("usage") or {}
    if usage.get("credits") is not None:
        billed = Decimal(str(usage["credits"]))
        if not billed.is_finite() or billed < 0:
            raise ValueError("no amount of credits")
        return billed
    # Accounts with prices since September 2026 are told quantities, and no credits. The price of a
    # page is that of plain parsing: other work is settled as reserved.
    order = _order_in(found.get("raw_config"))
    pages = usage.get("num_pages")
    if not _is_count(pages) or not order or (_object_in(order, "enhance").get("agentic")):
        return None
    return Decimal(pages) * credits_a_page


def _order_in(raw: object) -> dict[str, Any]:
    """The body of our request; empty if it cannot be read."""
    try:
        found = json.loads(raw) if isinstance(raw, str) else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _metadata_in(raw: object) -> dict[str, str]:
    metadata = _object_in(_object_in(_order_in(raw), "async"), "metadata")
    return {name: value for name, value in metadata.items() if isinstance(value, str)}


def _object_in(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
