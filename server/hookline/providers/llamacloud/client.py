"""The client of LlamaCloud: every call that Hookline makes to it, through the vendor's SDK.

Nothing is retried here: a POST without an answer may have been carried out and paid for.
Vendor: LlamaCloud API reference, "Parsing" and "Files" (v2); SDK llama-cloud 2.19.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import httpx
from llama_cloud import AsyncLlamaCloud, DefaultAsyncHttpxClient

from hookline.process.http_client import open_http_client
from hookline.providers.limiter import Limiter
from hookline.providers.llamacloud.errors import NotReady, provider_errors
from hookline.providers.llamacloud.jobs import Callback, ParseJob, Result, read_id, read_parse_job

__all__ = ["EVENTS", "LlamaCloudClient", "open_client"]

EVENTS: Final = ("parse.success", "parse.partial_success", "parse.error", "parse.cancelled")
"""The events that end a job. We act on no others, so we ask for no others."""

_ANSWERED_WITHIN: Final = 60.0
_TRANSFERRED_WITHIN: Final = 600.0
_CONNECTED_WITHIN: Final = 10.0
# Calls and seconds, as documented for one organisation. Other processes share the same limit.
_PARSES: Final = (50, 10.0)
_UPLOADS: Final = (50, 5.0)
_PAGE_SIZE: Final = 100


class LlamaCloudClient:
    """The calls to LlamaCloud. Each is made once. All errors are ProviderError or a subclass."""

    def __init__(
        self,
        sdk: AsyncLlamaCloud,
        *,
        answered_within: float = _ANSWERED_WITHIN,
        transferred_within: float = _TRANSFERRED_WITHIN,
    ) -> None:
        self._sdk = sdk
        self._answered_within = answered_within
        self._transferred_within = transferred_within
        self._parses = Limiter(*_PARSES)
        self._uploads = Limiter(*_UPLOADS)

    async def upload(self, filename: str, content: bytes, mime: str) -> str:
        """Store a file at the provider and return its id. It costs nothing."""
        await self._uploads.wait_for_turn()
        async with provider_errors(self._transferred_within):
            file = await self._sdk.files.create(file=(filename, content, mime), purpose="parse")
            return read_id(file.id)

    async def wait_for_turn_to_create(self) -> None:
        """Wait until the documented limit allows another `create`.

        `create` itself does not wait, so that the caller can record in between when it is sent.
        """
        await self._parses.wait_for_turn()

    async def create(
        self, file_id: str, *, tier: str, metadata: Mapping[str, str], webhook: Callback | None
    ) -> ParseJob:
        """Create a parse job. After Unanswered with `sent`, the job may exist and cost credits."""
        # Never with upload_file=, since the SDK then silently drops user_metadata.
        options: dict[str, Any] = {}
        if webhook is not None:
            options["webhook_configurations"] = [
                {
                    "webhook_url": webhook.url,
                    "webhook_events": list(EVENTS),
                    "webhook_output_format": "json",
                    "webhook_signing_secret": webhook.secret,
                }
            ]
        async with provider_errors(self._answered_within):
            return read_parse_job(
                await self._sdk.parsing.create(
                    tier=tier,
                    version="latest",
                    file_id=file_id,
                    user_metadata=dict(metadata),
                    **options,
                )
            )

    async def job(self, parse_job_id: str) -> ParseJob:
        """The job as it is now, with the credits that were billed. Raises UnknownParseJob."""
        async with provider_errors(self._answered_within):
            found = await self._sdk.parsing.get(parse_job_id, expand=["usage"])
            return read_parse_job(found.job)

    async def result(self, parse_job_id: str) -> Result:
        """The result of a job. Raises NotReady, also for a job that will never have a result."""
        async with provider_errors(self._transferred_within):
            # We need the pages too: the full text does not say which pages were cut or have failed.
            found = await self._sdk.parsing.get(
                parse_job_id, expand=["markdown_full", "markdown", "usage"]
            )
            if found.markdown_full is None:
                raise NotReady("The provider's answer has no result in it.")
            pages = found.markdown.pages if found.markdown is not None else []
            return Result(
                read_parse_job(found.job),
                found.markdown_full,
                {page.page_number: page.markdown if page.success else None for page in pages},
            )

    async def jobs(self, parse_job_ids: Sequence[str]) -> dict[str, ParseJob]:
        """These jobs by their ids, as far as they are listed. A new job may not be listed yet."""
        async with provider_errors(self._answered_within):
            return {
                found.id: found
                async for found in self._listed(job_ids=list(parse_job_ids), page_size=_PAGE_SIZE)
            }

    async def jobs_since(self, since: datetime) -> list[ParseJob]:
        """All listed jobs that were created since then, the oldest first."""
        async with provider_errors(self._transferred_within):
            found = [
                job
                async for job in self._listed(created_at_on_or_after=since, page_size=_PAGE_SIZE)
            ]
        return sorted(found, key=lambda job: (job.created_at or since, job.id))

    async def cancel(self, parse_job_id: str) -> None:
        """Stop a job. Raises Refused if it has ended, UnknownParseJob."""
        async with provider_errors(self._answered_within):
            await self._sdk.parsing.cancel(parse_job_id)

    async def _listed(self, **query: Any) -> AsyncIterator[ParseJob]:
        async for job in self._sdk.parsing.list(**query):
            yield read_parse_job(job)


@asynccontextmanager
async def open_client(
    api_key: str,
    base_url: str | None = None,
    *,
    answered_within: float = _ANSWERED_WITHIN,
    transferred_within: float = _TRANSFERRED_WITHIN,
    http: httpx.AsyncClient | None = None,
) -> AsyncIterator[LlamaCloudClient]:
    """A client for this key. `base_url` None means LlamaCloud's own address. Times are seconds.

    Raises ConfigurationError for a proxy or certificates that cannot be used.
    """
    timeout = httpx.Timeout(answered_within, connect=min(_CONNECTED_WITHIN, answered_within))
    async with AsyncLlamaCloud(
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        max_retries=0,
        http_client=http or open_http_client(DefaultAsyncHttpxClient, timeout=timeout),
    ) as sdk:
        yield LlamaCloudClient(
            sdk, answered_within=answered_within, transferred_within=transferred_within
        )
