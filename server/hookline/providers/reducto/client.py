"""The client of Reducto.

Vendor: Reducto API reference, "Upload", "Parse", "Job"; "Svix webhooks"; "Deleting Jobs & Uploads".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import quote

import aiohttp

from hookline.providers.client import (
    Artifact,
    Document,
    ParseJob,
    ProviderClient,
    Result,
    Status,
    Submission,
    read_id,
)
from hookline.providers.errors import NotReady, Refused, Unanswered, UnknownParseJob
from hookline.providers.http_calls import HttpCalls, form_file, read_json, reading
from hookline.providers.options import NO_OPTIONS, Options, chosen_pages, read_options
from hookline.providers.reducto.artifacts import ARTIFACT_KINDS, artifacts_in
from hookline.providers.reducto.jobs import metadata_of, read_job, read_listed, read_result
from hookline.providers.reducto.options import ReductoOptions, configuration_of
from hookline.providers.result_urls import ResultUrls

__all__ = ["ReductoClient"]

_PAGE_SIZE: Final = 500
# A listing of all recent jobs costs more than a few questions.
_WORTH_A_LISTING: Final = 4


class ReductoClient(ProviderClient):
    """The calls to Reducto. `polled`: no webhook will come."""

    name: ClassVar[str] = "reducto"
    settings: ClassVar[str] = "REDUCTO_API_KEY or REDUCTO_BASE_URL"
    artifact_kinds: ClassVar[frozenset[str]] = ARTIFACT_KINDS
    options: ClassVar[type[Options]] = ReductoOptions
    event_types: ClassVar[Mapping[Status, str]] = {
        "done": "Completed",
        "failed": "Failed",
        "cancelled": "Cancelled",
    }
    # Results are deleted after about 24 hours.
    remembers: ClassVar[timedelta] = timedelta(hours=24)

    def __init__(
        self, http: HttpCalls, urls: ResultUrls, *, credits_a_page: Decimal, polled: bool
    ) -> None:
        self._http = http
        self._urls = urls
        self._credits_a_page = credits_a_page
        self._polled = polled

    @property
    def polled(self) -> bool:
        """Whether no webhook will come."""
        return self._polled

    def cost(self, pages: int, options: Mapping[str, object] = NO_OPTIONS) -> Decimal:
        """Credits for the chosen pages, as the settings say: the true price depends on the pages.

        Agentic parsing costs twice as much. Vendor: Reducto docs, "Credit usage".
        """
        chosen = self._options(options)
        times = 2 if chosen.agentic else 1
        return self._credits_a_page * times * chosen_pages(chosen.pages, pages)

    async def prepare(self, document: Document) -> str:
        """Store the file at Reducto, which deletes it after about 24 hours. It costs nothing."""
        form = aiohttp.FormData(quote_fields=False)
        form_file(form, "file", document)
        return _read_file_id(await self._http.json("POST", "/upload", data=form))

    async def submit(self, submission: Submission) -> ParseJob:
        """Start to parse. The metadata comes back inside the signed bytes of the webhook."""
        asynchronous: dict[str, Any] = {"metadata": metadata_of(submission)}
        if not self._polled:
            asynchronous["webhook"] = {"mode": "svix", "channels": []}
        order = {
            "input": submission.handle,
            "async": asynchronous,
            **configuration_of(self._options(submission.options)),
        }
        return _read_created(await self._http.json("POST", "/parse_async", json=order))

    async def ask(self, parse_job_id: str) -> ParseJob:
        """The job as it is now, with what was billed. Raises UnknownParseJob."""
        found = await self._found(parse_job_id)
        return read_job(parse_job_id, found, self._credits_a_page)

    async def fetch(self, parse_job_id: str) -> Result:
        """The result: in the answer, or behind a URL if it is larger than about 6 MB."""
        found = await self._found(parse_job_id)
        job = read_job(parse_job_id, found, self._credits_a_page)
        if job.status != "done":
            raise NotReady(f"The provider says {job.said}.")
        pages, full = _read_parse(found)
        if full.get("type") == "url":
            full = read_json(await self._urls.fetch(full.get("url")))
        markdown, details = read_result(full)
        artifacts = _read_artifacts(full, self._urls)
        return Result(job, markdown, pages=pages, details=details, artifacts=artifacts)

    async def ask_many(self, parse_job_ids: Sequence[str]) -> dict[str, ParseJob]:
        """Those among the latest 500 jobs of the account, without reason and cost."""
        if len(parse_job_ids) < _WORTH_A_LISTING:
            return {}
        jobs, _ = await self._listed({"exclude_configs": "true"})
        wanted = set(parse_job_ids)
        return {job.id: job for job in jobs if job.id in wanted}

    async def find(self, since: datetime) -> list[ParseJob]:
        """All jobs of the account since then, the oldest first."""
        found: list[ParseJob] = []
        query: dict[str, str] = {}
        while True:
            jobs, cursor = await self._listed(query)
            found += [job for job in jobs if job.created_at is None or job.created_at >= since]
            # The newest come first.
            older = [job for job in jobs if job.created_at is not None and job.created_at < since]
            if older or not jobs or cursor in (None, query.get("cursor")):
                return found[::-1]
            query = {"cursor": cursor}

    async def cancel(self, parse_job_id: str) -> None:
        """Stop a job. Raises Refused if it has ended, UnknownParseJob."""
        await self._http.bytes("POST", f"/cancel/{quote(parse_job_id, safe='')}")

    async def delete(self, parse_job_id: str) -> None:
        """Delete the job's results. Reducto deletes the file itself after about 24 hours."""
        try:
            await self._http.bytes(
                "DELETE", _path_of(parse_job_id), params={"include_persisted": "true"}
            )
        except Refused as error:
            # The job runs, or is being deleted. A question about it tells which.
            if error.status == 409:
                await self._found(parse_job_id)
            raise

    async def discard(self, handle: str) -> None:
        """Delete a file that no job uses. Raises UnknownParseJob if it is gone."""
        await self._http.bytes("DELETE", f"/upload/{quote(handle, safe='')}")

    def _options(self, given: Mapping[str, object]) -> ReductoOptions:
        return read_options(ReductoOptions, given, self.name)

    async def _found(self, parse_job_id: str) -> dict[str, Any]:
        try:
            return await self._http.json("GET", _path_of(parse_job_id))
        except Refused as error:
            # The vendor's answer while the job is being deleted; later it is 410.
            if error.status == 409:
                raise UnknownParseJob(str(error)) from error
            raise

    async def _listed(self, query: Mapping[str, str]) -> tuple[list[ParseJob], str | None]:
        found = await self._http.json("GET", "/jobs", params={"limit": str(_PAGE_SIZE), **query})
        jobs, cursor = found.get("jobs"), found.get("next_cursor")
        if not isinstance(jobs, list) or not isinstance(cursor, str | None):
            raise Unanswered("The provider's answer has an unknown shape.")
        return [read_listed(job) for job in jobs], cursor


def _path_of(parse_job_id: str) -> str:
    return f"/job/{quote(parse_job_id, safe='')}"


@reading()
def _read_file_id(found: dict[str, Any]) -> str:
    return read_id(found["file_id"])


@reading()
def _read_created(found: dict[str, Any]) -> ParseJob:
    return ParseJob(id=read_id(found["job_id"]), status="waiting", said="Pending")


@reading()
def _read_parse(found: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
    parse = found["result"]
    pages = (parse.get("usage") or {}).get("num_pages")
    full = parse["result"]
    if not isinstance(full, dict):
        raise ValueError("no result")
    return (pages if type(pages) is int else None), full


@reading()
def _read_artifacts(full: dict[str, Any], urls: ResultUrls) -> list[Artifact]:
    return artifacts_in(full, urls)
