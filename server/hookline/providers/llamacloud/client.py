"""The client of LlamaCloud: every call that Hookline makes to it, through the vendor's SDK.

Nothing is retried here: a POST without an answer may have been carried out and paid for.
Vendor: LlamaCloud API reference, "Parsing" and "Files" (v2); SDK llama-cloud 2.19.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Final

import httpx
import llama_cloud
from llama_cloud import AsyncLlamaCloud, DefaultAsyncHttpxClient

from hookline.process.http_client import open_http_client
from hookline.providers.callback import Callback
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
from hookline.providers.errors import NotReady
from hookline.providers.http_calls import LARGEST_RESULT
from hookline.providers.limiter import Limiter
from hookline.providers.llamacloud.errors import provider_errors
from hookline.providers.llamacloud.files import FILE_KINDS, expansions_of, files_in
from hookline.providers.llamacloud.jobs import metadata_of, read_parse_job
from hookline.providers.llamacloud.options import LlamaCloudOptions, fields_of
from hookline.providers.llamacloud.pages import CREDITS_A_PAGE, confidence_in, cut_pages
from hookline.providers.options import NO_OPTIONS, Options, chosen_pages, read_options
from hookline.providers.result_urls import ResultUrls, open_result_urls
from hookline.sources.strict_json import as_text

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


# Artifacts that are in the answer to `GET /parse/{id}?expand=`: its field, and an extension.
_INLINE: Final[Mapping[str, tuple[str, str]]] = {
    "json": ("items", "json"),
    "text": ("text_full", "txt"),
}


class LlamaCloudClient(ProviderClient):
    """The calls to LlamaCloud. `webhook` None means that no webhook will come."""

    name: ClassVar[str] = "llamacloud"
    settings: ClassVar[str] = "LLAMA_CLOUD_API_KEY or LLAMA_CLOUD_BASE_URL"
    artifact_kinds: ClassVar[frozenset[str]] = FILE_KINDS.union(_INLINE)
    options: ClassVar[type[Options]] = LlamaCloudOptions
    event_types: ClassVar[Mapping[Status, str]] = {
        "done": "parse.success",
        "failed": "parse.error",
        "cancelled": "parse.cancelled",
    }

    def __init__(
        self,
        sdk: AsyncLlamaCloud,
        urls: ResultUrls,
        *,
        tier: str,
        version: str,
        webhook: Callback | None,
        answered_within: float = _ANSWERED_WITHIN,
        transferred_within: float = _TRANSFERRED_WITHIN,
    ) -> None:
        self._sdk = sdk
        self._urls = urls
        self._tier = tier
        self._version = version
        self._webhook = webhook
        self._answered_within = answered_within
        self._transferred_within = transferred_within
        self._parses = Limiter(*_PARSES)
        self._uploads = Limiter(*_UPLOADS)

    @property
    def polled(self) -> bool:
        """Whether no webhook will come."""
        return self._webhook is None

    def cost(self, pages: int, options: Mapping[str, object] = NO_OPTIONS) -> Decimal:
        """The credits that LlamaCloud bills for the chosen pages in their tier."""
        chosen = self._options(options)
        tier = chosen.tier or self._tier
        return Decimal(CREDITS_A_PAGE[tier] * chosen_pages(chosen.pages, pages))

    async def prepare(self, document: Document) -> str:
        """Store the file at the provider, and wait until the limit allows another `submit`.

        It returns the file's id, and costs nothing.
        """
        await self._uploads.wait_for_turn()
        async with provider_errors(self._transferred_within):
            file = await self._sdk.files.create(
                file=(document.filename, document.content, document.mime), purpose="parse"
            )
            file_id = read_id(file.id)
        await self._parses.wait_for_turn()
        return file_id

    async def discard(self, handle: str) -> None:
        """Delete a file that no job uses: LlamaCloud may keep it until it is deleted."""
        async with provider_errors(self._answered_within):
            await self._sdk.files.delete(handle)

    async def submit(self, submission: Submission) -> ParseJob:
        """Create a parse job. After Unanswered with `sent`, the job may exist and cost credits."""
        # Never with upload_file=, since the SDK then silently drops user_metadata.
        chosen = self._options(submission.options)
        version = chosen.version or self._version
        fields = fields_of(chosen)
        if self._webhook is not None:
            fields["webhook_configurations"] = [
                {
                    "webhook_url": self._webhook.url,
                    "webhook_events": list(EVENTS),
                    "webhook_output_format": "json",
                    "webhook_signing_secret": self._webhook.secret,
                }
            ]
        async with provider_errors(self._answered_within):
            return read_parse_job(
                await self._sdk.parsing.create(
                    tier=chosen.tier or self._tier,
                    version=version,
                    file_id=submission.handle,
                    user_metadata=metadata_of(submission, version),
                    **fields,
                )
            )

    async def ask(self, parse_job_id: str) -> ParseJob:
        """The job as it is now, with the credits that were billed. Raises UnknownParseJob."""
        async with provider_errors(self._answered_within):
            found = await self._sdk.parsing.get(parse_job_id, expand=["usage"])
            return read_parse_job(found.job)

    async def fetch(self, parse_job_id: str) -> Result:
        """The result of a job. Raises NotReady, also for a job that will never have a result."""
        async with provider_errors(self._transferred_within):
            # We need the pages too: the full text does not say which pages were cut or have failed.
            found = await self._sdk.parsing.get(
                parse_job_id, expand=["markdown_full", "markdown", "metadata", "usage"]
            )
            if found.markdown_full is None:
                raise NotReady("The provider's answer has no result in it.")
            listed = found.markdown.pages if found.markdown is not None else []
            pages = {page.page_number: page.markdown if page.success else None for page in listed}
            job, markdown = read_parse_job(found.job), found.markdown_full
            metadata = found.job.user_metadata or {}
            details = {
                "tier": as_text(found.job.tier),
                "version": as_text(metadata.get("version")),
                **confidence_in(found.metadata),
            }
            if not isinstance(markdown, str) or any(type(number) is not int for number in pages):
                raise TypeError("markdown_full or page_number")
            return Result(
                job,
                markdown,
                pages=len(pages),
                cut=await asyncio.to_thread(cut_pages, pages),
                failed=[number for number, text in sorted(pages.items()) if text is None],
                details=details,
            )

    async def artifacts(self, parse_job_id: str, kinds: Collection[str]) -> list[Artifact]:
        """Where the files are, and the whole text, and `items`: the pages with their items as JSON.

        Each is read by a request of its own, so that a large one costs no other.
        """
        inline = [
            Artifact(kind, extension, partial(self._inline, parse_job_id, field))
            for kind, (field, extension) in _INLINE.items()
            if kind in kinds
        ]
        wanted = expansions_of(kinds)
        if not wanted:
            return inline
        async with provider_errors(self._answered_within):
            files = files_in(await self._expanded(parse_job_id, wanted), kinds, self._urls)
        return inline + files

    async def _inline(self, parse_job_id: str, field: str) -> bytes:
        async with provider_errors(self._transferred_within):
            value = (await self._expanded(parse_job_id, [field])).get(field)
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            return text.encode("utf-8", "surrogatepass") if value else b""

    async def _expanded(self, parse_job_id: str, fields: Sequence[str]) -> dict[str, Any]:
        """The answer as it was sent: the SDK's models leave out what they do not know."""
        answer = await self._sdk.parsing.with_raw_response.get(parse_job_id, expand=list(fields))
        found = json.loads(await answer.read())
        if not isinstance(found, dict):
            raise TypeError("no object")
        return found

    async def ask_many(self, parse_job_ids: Sequence[str]) -> dict[str, ParseJob]:
        """These jobs by their ids, as far as they are listed. A new job may not be listed yet."""
        async with provider_errors(self._answered_within):
            return {
                found.id: found
                async for found in self._listed(job_ids=list(parse_job_ids), page_size=_PAGE_SIZE)
            }

    async def find(self, since: datetime) -> list[ParseJob]:
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

    async def delete(self, parse_job_id: str) -> None:
        """Delete the file, then the job with its result: only the job tells which file it was."""
        async with provider_errors(self._answered_within):
            found = await self._sdk.parsing.get(parse_job_id)
            file_id = (found.job.user_metadata or {}).get("file_id")
            if file_id:
                with suppress(llama_cloud.NotFoundError):
                    await self._sdk.files.delete(file_id)
            await self._sdk.parsing.delete(parse_job_id)

    def _options(self, given: Mapping[str, object]) -> LlamaCloudOptions:
        return read_options(LlamaCloudOptions, given, self.name)

    async def _listed(self, **query: Any) -> AsyncIterator[ParseJob]:
        async for job in self._sdk.parsing.list(**query):
            yield read_parse_job(job)


def _open_http(timeout: httpx.Timeout) -> httpx.AsyncClient:
    # Without redirects, the key and the file are sent to no other host.
    return open_http_client(
        DefaultAsyncHttpxClient,
        largest=LARGEST_RESULT,
        timeout=timeout,
        follow_redirects=False,
    )


@asynccontextmanager
async def open_client(
    api_key: str,
    base_url: str | None = None,
    *,
    tier: str,
    version: str = "latest",
    webhook: Callback | None,
    result_hosts: Collection[str] = (),
    answered_within: float = _ANSWERED_WITHIN,
    transferred_within: float = _TRANSFERRED_WITHIN,
    http: httpx.AsyncClient | None = None,
) -> AsyncIterator[LlamaCloudClient]:
    """A client for this key. `base_url` None means LlamaCloud's own address. Times are seconds.

    Files are fetched from public addresses only, and from `result_hosts`.

    Raises ConfigurationError for a proxy or certificates that cannot be used.
    """
    timeout = httpx.Timeout(answered_within, connect=min(_CONNECTED_WITHIN, answered_within))
    async with (
        AsyncLlamaCloud(
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
            http_client=http or _open_http(timeout),
        ) as sdk,
        open_result_urls(result_hosts, within=answered_within) as urls,
    ):
        yield LlamaCloudClient(
            sdk,
            urls,
            tier=tier,
            version=version,
            webhook=webhook,
            answered_within=answered_within,
            transferred_within=transferred_within,
        )
