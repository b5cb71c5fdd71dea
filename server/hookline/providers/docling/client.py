"""The client of docling-serve.

Its callbacks are unsigned and are lost if its process ends, so we ask for none and poll.
Vendor: docling-serve 1.x, OpenAPI; the models of docling.datamodel.service (docling-slim 2.143).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import quote

import aiohttp

from hookline.providers.client import (
    ParseJob,
    ProviderClient,
    Result,
    Status,
    Submission,
    read_id,
)
from hookline.providers.errors import NotReady, Refused, Unanswered
from hookline.providers.http_calls import HttpCalls, reading

__all__ = ["DoclingClient"]

_STATUSES: Final[Mapping[str, Status]] = {
    "pending": "waiting",
    "started": "running",
    "success": "done",
    "partial_success": "done",
    "failure": "failed",
    "skipped": "failed",
}
# The document itself is at fault, or the service will never take it.
_PERMANENT: Final = frozenset({"backend_failure", "policy"})
_LONGEST_CATEGORY: Final = 50
# They cannot stand in a header.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class DoclingClient(ProviderClient):
    """The calls to one docling-serve. Nothing there costs credits."""

    name: ClassVar[str] = "docling"
    settings: ClassVar[str] = "HOOKLINE_DOCLING_URL or HOOKLINE_DOCLING_API_KEY"
    event_types: ClassVar[Mapping[Status, str]] = {
        "done": "success",
        "failed": "failure",
        "cancelled": "cancelled",
    }

    def __init__(self, http: HttpCalls) -> None:
        self._http = http

    @property
    def polled(self) -> bool:
        """Always."""
        return True

    def cost(self, pages: int) -> Decimal:
        """Nothing."""
        return Decimal(0)

    async def submit(self, submission: Submission) -> ParseJob:
        """Send the file. A task that was lost with its answer is only work done twice."""
        # Otherwise aiohttp percent-encodes the name, and the service does not decode it.
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("to_formats", "md")
        form.add_field("image_export_mode", "placeholder")
        document = submission.document
        name = _CONTROL.sub("_", document.filename)
        form.add_field("files", document.content, filename=name, content_type=document.mime)
        return _read_task(await self._http.json("POST", "/v1/convert/file/async", data=form))

    async def ask(self, parse_job_id: str) -> ParseJob:
        """The task as it is now. Raises UnknownParseJob, also after a restart of the service."""
        path = f"/v1/status/poll/{quote(parse_job_id, safe='')}"
        return _read_task(await self._http.json("GET", path, params={"wait": "0"}))

    async def fetch(self, parse_job_id: str) -> Result:
        """The result, which the service deletes minutes after it was fetched."""
        job = await self.ask(parse_job_id)
        if job.status != "done":
            raise NotReady(f"The provider says {job.said}.")
        found = await self._http.json("GET", f"/v1/result/{quote(parse_job_id, safe='')}")
        document, errors = found.get("document"), found.get("errors") or []
        if isinstance(found.get("failure"), dict):
            code, reason, permanent = _failure(found["failure"])
            raise Refused(reason, code=code, permanent=permanent)
        if found.get("status") in ("failure", "skipped"):
            code, reason, permanent = _failure(errors[0] if errors else {})
            raise Refused(reason, code=code, permanent=permanent)
        if not isinstance(document, dict) or not isinstance(errors, list):
            raise Unanswered("The provider's answer has an unknown shape.")
        pages = {error.get("page_no") for error in errors if isinstance(error, dict)}
        partial = found.get("status") == "partial_success"
        return Result(
            job,
            document.get("md_content") or "",
            failed=sorted(page for page in pages if type(page) is int),
            incomplete=_failure(errors[0] if errors else {})[1] if partial else None,
        )


@reading()
def _read_task(found: dict[str, Any]) -> ParseJob:
    said = str(found.get("task_status"))[:_LONGEST_CATEGORY]
    failure = found.get("failure") or {"message": found.get("error_message")}
    if not isinstance(failure, dict):
        failure = {}
    code, reason, permanent = _failure(failure)
    status = _STATUSES.get(said, "running")
    return ParseJob(
        id=read_id(found.get("task_id")),
        status=status,
        said=said,
        reason=reason if status == "failed" else None,
        code=code,
        permanent=permanent,
        billed=Decimal(0),
    )


def _failure(said: Any) -> tuple[str, str, bool]:
    """Code, reason and permanence of a PublicFailureInfo or an ErrorItem."""
    if not isinstance(said, dict):
        said = {}
    category = str(said.get("category") or "unknown")[:_LONGEST_CATEGORY]
    reason = said.get("message") or said.get("error_message")
    retryable = said.get("retryable")
    permanent = not retryable if isinstance(retryable, bool) else category in _PERMANENT
    code = "parse_failed" if category == "unknown" else category.upper()
    return code, str(reason or "The provider gives no reason."), permanent
