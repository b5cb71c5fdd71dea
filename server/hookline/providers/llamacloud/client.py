"""LlamaCloud: the one place that knows its SDK, and what its answers mean to a caller.

Nothing is retried here. A POST that was not answered may have been carried out, and paid for.
Vendor: LlamaCloud API reference, "Parsing" and "Files" (v2); SDK llama-cloud 2.19.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import httpx
from llama_cloud import AsyncLlamaCloud, DefaultAsyncHttpxClient

from hookline.providers.llamacloud.errors import NotReady, provider_errors
from hookline.providers.llamacloud.jobs import Callback, ParseJob, Result, read_id, read_parse_job
from hookline.providers.llamacloud.limiter import Limiter

__all__ = ["EVENTS", "LlamaCloudClient", "open_client"]

EVENTS: Final = ("parse.success", "parse.partial_success", "parse.error", "parse.cancelled")
"""The events that end a job: the others would tell us nothing that we act on."""

_ANSWERED_WITHIN: Final = 60.0
_TRANSFERRED_WITHIN: Final = 600.0
_CONNECTED_WITHIN: Final = 10.0
# Documented for an organisation; other processes on the same key have their share of it.
_PARSES: Final = (50, 10.0)
_UPLOADS: Final = (50, 5.0)
_PAGE_SIZE: Final = 100


class LlamaCloudClient:
    """The calls that Hookline makes, each of them once. All raise ProviderError's family only."""

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
        """Store a file with the provider; answers its id. It costs nothing."""
        await self._uploads.wait_for_turn()
        async with provider_errors(self._transferred_within):
            file = await self._sdk.files.create(file=(filename, content, mime), purpose="parse")
            return read_id(file.id)

    async def wait_for_turn_to_create(self) -> None:
        """Wait until the documented limit allows another `create`, which itself waits for nothing:

        whoever notes when it was sent does so in between.
        """
        await self._parses.wait_for_turn()

    async def create(
        self, file_id: str, *, tier: str, metadata: Mapping[str, str], webhook: Callback | None
    ) -> ParseJob:
        """Have a file parsed. Unanswered, where `sent`, may mean that it is, and is paid for."""
        # Not with upload_file=: the SDK drops user_metadata then, without a word.
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
        """A job as it is, with what was billed for it. Raises UnknownParseJob."""
        async with provider_errors(self._answered_within):
            found = await self._sdk.parsing.get(parse_job_id, expand=["usage"])
            return read_parse_job(found.job)

    async def result(self, parse_job_id: str) -> Result:
        """The result of a job. Raises NotReady, also of one that will never have any."""
        async with provider_errors(self._transferred_within):
            # The whole, and the pages: the whole does not say which of them are cut or failed.
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
        """Those of these jobs that are listed, which a new one may not be yet."""
        async with provider_errors(self._answered_within):
            return {
                found.id: found
                async for found in self._listed(job_ids=list(parse_job_ids), page_size=_PAGE_SIZE)
            }

    async def jobs_since(self, since: datetime) -> list[ParseJob]:
        """All jobs that are listed and were created since then, in order of creation."""
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
    """The provider for this key. `base_url` None is LlamaCloud's own; times are seconds."""
    timeout = httpx.Timeout(answered_within, connect=min(_CONNECTED_WITHIN, answered_within))
    async with AsyncLlamaCloud(
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        max_retries=0,
        http_client=http or DefaultAsyncHttpxClient(timeout=timeout),
    ) as sdk:
        yield LlamaCloudClient(
            sdk, answered_within=answered_within, transferred_within=transferred_within
        )
