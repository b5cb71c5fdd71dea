"""The wire format: reads requests and builds answers, without I/O.

Vendor: LlamaCloud API reference, "Parsing" and "Files" (v2); SDK llama-cloud 2.19.0, `types`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from multidict import MultiMapping

from fakes.llamacloud.documents import CREDITS_A_PAGE
from fakes.llamacloud.files import files_json
from fakes.llamacloud.jobs import File, ParseJob
from fakes.llamacloud.webhooks import Hook

RESULT_NOT_FOUND: Final = "Result not found. Check job status to see if it has completed."
JOB_NOT_FOUND: Final = "Parse job not found"
QUOTA_SPENT: Final = "You have used all the credits of your plan."

_STATUSES: Final = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
_MARKDOWN: Final = frozenset({"markdown", "markdown_full"})
_RESULTS: Final = _MARKDOWN | {"text", "text_full"}
_EXPANDABLE: Final = _RESULTS | {"usage", "items", "metadata", "forms", "job_metadata"}
OPTIONS: Final = (
    *("agentic_options", "processing_options", "page_ranges", "output_options", "disable_cache"),
)
"""The fields of an order that choose how a file is parsed; the imitation only keeps them.

Of `output_options` it makes the files that they ask for.
"""

_DEFAULT_PAGE_SIZE: Final = 20
_LONGEST_URL: Final = 200


class Refused(Exception):
    """An answer that is not a success. The detail is a sentence, or FastAPI's list of errors."""

    def __init__(self, status: int, detail: str | list[dict[str, Any]]) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail

    def response(self) -> web.Response:
        if self.status in (502, 504):
            # A proxy in front of the API sends these, and its pages are HTML.
            page = f"<html><body><h1>{self.status}</h1></body></html>"
            return web.Response(status=self.status, text=page, content_type="text/html")
        return web.json_response({"detail": self.detail}, status=self.status)


def invalid(name: str, message: str) -> Refused:
    return Refused(422, [{"type": "value_error", "loc": ["body", name], "msg": message}])


@dataclass(frozen=True, slots=True)
class Order:
    """The body of `POST /api/v2/parse` without its file."""

    tier: str
    version: str
    user_metadata: Mapping[str, str] | None
    hooks: Sequence[Hook]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Order:
        tier, metadata = body.get("tier"), body.get("user_metadata")
        if tier not in CREDITS_A_PAGE:
            raise invalid("tier", f"Input should be one of {', '.join(CREDITS_A_PAGE)}")
        if not isinstance(body.get("version"), str):
            raise invalid("version", "Field required")
        if metadata is not None and not _is_texts(metadata):
            raise invalid("user_metadata", "Input should be an object of strings")
        hooks = [_hook(entry) for entry in body.get("webhook_configurations") or ()]
        return cls(tier, body["version"], metadata, hooks)


@dataclass(frozen=True, slots=True)
class Listing:
    """The query of `GET /api/v2/parse`."""

    job_ids: Sequence[str]
    status: str | None
    after: datetime | None
    before: datetime | None
    size: int
    below: int
    """Only jobs with a lower number: the last one of the page before. New jobs shift no page."""

    @classmethod
    def read(cls, query: MultiMapping[str]) -> Listing:
        status = query.get("status")
        if status is not None and status not in _STATUSES:
            raise invalid("status", f"Input should be one of {', '.join(_STATUSES)}")
        try:
            listing = cls(
                job_ids=query.getall("job_ids", []),
                status=status,
                after=_moment(query.get("created_at_on_or_after")),
                before=_moment(query.get("created_at_on_or_before")),
                size=int(query.get("page_size", _DEFAULT_PAGE_SIZE)),
                below=int(query["page_token"], 16) if "page_token" in query else sys.maxsize,
            )
        except ValueError as error:
            raise invalid("query", str(error)) from None
        if listing.size < 1:
            raise invalid("page_size", "Input should be greater than 0")
        return listing

    def page(self, jobs: Iterable[ParseJob], project_id: str) -> dict[str, Any]:
        matching = [job for job in jobs if self._wants(job)]
        page, rest = matching[: self.size], matching[self.size :]
        return {
            "items": [job_json(job, project_id) for job in page],
            "next_page_token": f"{page[-1].number:x}" if rest else None,
        }

    def _wants(self, job: ParseJob) -> bool:
        return (
            job.number < self.below
            and (not self.job_ids or job.id in self.job_ids)
            and self.status in (None, job.status)
            and (self.after is None or job.created_at >= self.after)
            and (self.before is None or job.created_at <= self.before)
        )


def result_json(job: ParseJob, expand: Iterable[str], project_id: str, url: str) -> dict[str, Any]:
    """The answer to `GET /api/v2/parse/{id}`. Files are below `url`."""
    wanted = set(expand)
    unknown = {name for name in wanted - _EXPANDABLE if not name.endswith("_content_metadata")}
    if unknown:
        raise invalid("expand", f"Unknown: {', '.join(sorted(unknown))}")
    if job.tier == "fast" and wanted & _MARKDOWN:
        raise Refused(400, "Markdown is not available for the tier 'fast'.")
    # A failed or cancelled job has no result either. Only its status tells the two cases apart.
    if wanted & _RESULTS and not job.readable:
        raise Refused(404, RESULT_NOT_FOUND)
    pages = list(enumerate(job.document.pages, start=1))
    results = {
        "markdown_full": job.document.markdown,
        "text_full": job.document.markdown,
        "markdown": {
            "pages": [
                {"page_number": number, "success": False, "error": "The page failed."}
                if page is None
                else {"page_number": number, "success": True, "markdown": page}
                for number, page in pages
            ]
        },
        "metadata": {
            "pages": [
                {"page_number": number, "confidence": round(1 - number / 10, 2)}
                for number, _ in pages
            ],
            "document": None,
        },
        "items": {
            "pages": [
                {"page_number": number, "success": True, "items": [{"type": "text", "md": page}]}
                for number, page in pages
                if page is not None
            ]
        },
        "text": {"pages": [{"page_number": number, "text": page or ""} for number, page in pages]},
    }
    return {
        "job": job_json(job, project_id, usage="usage" in wanted),
        **{name: result for name, result in results.items() if name in wanted},
        **files_json(job, wanted, f"{url}/_files/{job.id}"),
    }


def job_json(job: ParseJob, project_id: str, *, usage: bool = False) -> dict[str, Any]:
    return {
        "id": job.id,
        "project_id": project_id,
        "status": job.status,
        "tier": job.tier,
        "name": job.file.name,
        "error_message": job.error_message,
        "created_at": _iso(job.created_at),
        "updated_at": _iso(job.updated_at),
        # "usage" is a value of `expand`: without it the API promises nothing.
        "usage": {"credits": job.credits} if usage else None,
        "user_metadata": job.user_metadata,
    }


def file_json(file: File, project_id: str) -> dict[str, Any]:
    _, dot, extension = file.name.rpartition(".")
    return {
        "id": file.id,
        "name": file.name,
        "project_id": project_id,
        "external_file_id": file.external_file_id,
        "file_type": extension.lower() if dot else None,
        "last_modified_at": _iso(file.uploaded_at),
        "expires_at": None,
        "purpose": file.purpose,
        "download_url": None,
    }


def file_part(form: Mapping[str, Any]) -> tuple[str, bytes]:
    part = form.get("file")
    if not isinstance(part, web.FileField):
        raise invalid("file", "Field required")
    with part.file as file:
        return part.filename, file.read()


def json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise invalid("", "JSON decode error") from None
    if not isinstance(value, dict):
        raise invalid("", "Input should be an object")
    return value


def webhook_url(url: object) -> str:
    # The real API also requires https and a domain name. A test's receiver has neither.
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise Refused(400, "The webhook URL must be an http or https URL.")
    if len(url) >= _LONGEST_URL:
        raise Refused(400, f"The webhook URL must be shorter than {_LONGEST_URL} characters.")
    return url


def _hook(entry: object) -> Hook:
    if not isinstance(entry, dict):
        raise invalid("webhook_configurations", "Input should be an object")
    output_format = entry.get("webhook_output_format") or "string"
    if output_format not in ("string", "json"):
        raise invalid("webhook_output_format", "Input should be 'string' or 'json'")
    events = entry.get("webhook_events")
    return Hook(
        url=webhook_url(entry.get("webhook_url")),
        events=None if events is None else tuple(events),
        headers={name: str(value) for name, value in (entry.get("webhook_headers") or {}).items()},
        output_format=output_format,
        secret=entry.get("webhook_signing_secret"),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
