"""The client of docling-serve.

Its callbacks are unsigned, tried three times within some seconds, and lost if its process ends. So
they only make us ask sooner, and we poll in any case.
Vendor: docling-serve 1.x, OpenAPI; the models of docling.datamodel.service (docling-slim 2.143).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import quote
from uuid import UUID

import aiohttp

from hookline.providers.callback import Callback
from hookline.providers.client import (
    Artifact,
    ParseJob,
    ProviderClient,
    Result,
    Status,
    Submission,
    read_id,
)
from hookline.providers.docling.options import DoclingOptions, fields_of
from hookline.providers.docling.source import authorization_of
from hookline.providers.errors import NotReady, Refused
from hookline.providers.http_calls import HttpCalls, form_file, reading
from hookline.providers.options import NO_OPTIONS, Options, read_options
from hookline.sources.strict_json import as_text, replace_unstorable

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


class DoclingClient(ProviderClient):
    """The calls to one docling-serve, where nothing costs credits. `callback` None: only polls."""

    name: ClassVar[str] = "docling"
    settings: ClassVar[str] = "HOOKLINE_DOCLING_URL or HOOKLINE_DOCLING_API_KEY"
    artifact_kinds: ClassVar[frozenset[str]] = frozenset({"html", "json", "text"})
    options: ClassVar[type[Options]] = DoclingOptions
    event_types: ClassVar[Mapping[Status, str]] = {
        "done": "success",
        "failed": "failure",
        "cancelled": "cancelled",
    }

    def __init__(self, http: HttpCalls, callback: Callback | None = None) -> None:
        self._http = http
        self._callback = callback

    @property
    def polled(self) -> bool:
        """Always."""
        return True

    def cost(self, pages: int, options: Mapping[str, object] = NO_OPTIONS) -> Decimal:
        """Nothing."""
        return Decimal(0)

    async def submit(self, submission: Submission) -> ParseJob:
        """Send the file. A task that was lost with its answer is only work done twice."""
        form = aiohttp.FormData(quote_fields=False)
        options = read_options(DoclingOptions, submission.options, self.name)
        offered = [kind for kind in options.artifacts if kind in self.artifact_kinds]
        for kind in ("md", *offered):
            form.add_field("to_formats", kind)
        form.add_field("image_export_mode", "placeholder")
        for name, value in fields_of(options):
            form.add_field(name, value)
        if self._callback is not None:
            form.add_field("callbacks", _callback_of(self._callback, submission))
        form_file(form, "files", submission.document)
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
        return _read_result(job, found)


def _callback_of(callback: Callback, submission: Submission) -> str:
    """One value of the form field `callbacks`: a CallbackSpec as JSON."""
    authorization = authorization_of(
        callback.secret.encode(), UUID(submission.job_id), int(submission.attempt)
    )
    return json.dumps({"url": callback.url, "headers": {"Authorization": authorization}})


def _artifacts_in(document: dict[str, Any]) -> list[Artifact]:
    """The formats beside markdown, as far as they were asked for."""
    found: list[Artifact] = []
    for kind in sorted(DoclingClient.artifact_kinds):
        content = document.get(f"{kind}_content")
        if content:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            extension = "txt" if kind == "text" else kind
            found.append(Artifact.held(kind, extension, text.encode("utf-8", "surrogatepass")))
    return found


@reading()
def _read_result(job: ParseJob, found: dict[str, Any]) -> Result:
    """What the answer holds, or Refused if it says why there is no text."""
    errors = found.get("errors") or []
    if not isinstance(errors, list):
        raise TypeError("errors")
    first = errors[0] if errors else {}
    failure = found.get("failure")
    if not isinstance(failure, dict) and found.get("status") in ("failure", "skipped"):
        failure = first if isinstance(first, dict) else {}
    if isinstance(failure, dict):
        code, reason, permanent = _failure(failure)
        raise Refused(reason, code=code, permanent=permanent)
    document = found["document"]
    markdown = document.get("md_content")
    if not isinstance(markdown, str | None):
        raise TypeError("md_content")
    pages = [error.get("page_no") for error in errors if isinstance(error, dict)]
    return Result(
        job,
        markdown or "",
        artifacts=_artifacts_in(document),
        failed=sorted({page for page in pages if type(page) is int}),
        incomplete=_failure(first)[1] if found.get("status") == "partial_success" else None,
        details=_confidence_in(found.get("confidence")),
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
    return code, as_text(reason) or "The provider gives no reason.", permanent


def _confidence_in(scores: object) -> dict[str, object]:
    """The entry `confidence`: the scores of the document (0 to 1) and docling's word for them."""
    if not isinstance(scores, dict):
        return {}
    named = {"mean": "mean_score", "low": "low_score", "grade": "mean_grade"}
    confidence = {
        name: round(score, 3) if isinstance(score, float) else replace_unstorable(str(score))
        for name, field in named.items()
        if isinstance(score := scores.get(field), str)
        or (isinstance(score, float) and math.isfinite(score))
    }
    return {"confidence": confidence} if confidence else {}
