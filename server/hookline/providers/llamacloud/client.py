"""LlamaCloud: the one place that knows its SDK, and what its answers mean to a caller.

Nothing is retried here. A POST that was not answered may have been carried out, and paid for.
Vendor: LlamaCloud API reference, "Parsing" and "Files" (v2); SDK llama-cloud 2.19.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

import httpx
import llama_cloud
from llama_cloud import AsyncLlamaCloud, DefaultAsyncHttpxClient

from hookline.providers.llamacloud.limiter import Limiter

__all__ = [
    "EVENTS",
    "Callback",
    "LlamaCloudClient",
    "Misconfigured",
    "NotReady",
    "ParseJob",
    "ProviderError",
    "QuotaSpent",
    "RateLimited",
    "Refused",
    "Result",
    "Unanswered",
    "UnknownParseJob",
    "opened",
]

EVENTS: Final = ("parse.success", "parse.partial_success", "parse.error", "parse.cancelled")
"""The events that end a job: the others would tell us nothing that we act on."""

_ANSWERED_WITHIN: Final = 60.0
_TRANSFERRED_WITHIN: Final = 600.0
_CONNECTED_WITHIN: Final = 10.0
# Documented for an organisation; other processes on the same key have their share of it.
_PARSES: Final = (50, 10.0)
_UPLOADS: Final = (50, 5.0)
_PAGE_SIZE: Final = 100
# Room is left for the words before it in the id of a delivery.
_LONGEST_ID: Final = 180
_LONGEST_REASON: Final = 300


class ProviderError(Exception):
    """The provider did not do what was asked. `str()` of it is a sentence."""


class RateLimited(ProviderError):
    """Not done: too many requests. Ask later, it is nobody's failure."""


class QuotaSpent(ProviderError):
    """Not done: all credits are used. No other job will fare better for now."""


class Misconfigured(ProviderError):
    """Not done: the API key or the address is wrong. Nothing goes before it is right."""


class Refused(ProviderError):
    """Not done, and the same request never will be."""


class NotReady(ProviderError):
    """The job is there, its result is not, or not yet: its status says which."""


class UnknownParseJob(ProviderError):
    """The provider knows no such job, or none any more."""


class Unanswered(ProviderError):
    """No answer, or one that tells nothing: where `sent`, it may have been done all the same."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


# What an answer's status means; else a 4xx is Refused, a 5xx Unanswered.
_STATUSES: Final[Mapping[int, type[ProviderError]]] = {
    401: Misconfigured,
    402: QuotaSpent,
    403: Misconfigured,
    404: Misconfigured,
    405: Misconfigured,
    408: Unanswered,
    429: RateLimited,
}
# How the sentences begin in which a 404 is not about the address.
_NOT_FOUND: Final[Mapping[str, type[ProviderError]]] = {
    "result not found": NotReady,
    "parse job not found": UnknownParseJob,
    "file not found": Refused,
}
# The request never left: no connection was made, or none was free.
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Status: TypeAlias = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A job of the provider. `credits` is what was billed: None until it was, or if not asked."""

    id: str
    status: Status
    error_message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    credits: float | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a job that is COMPLETED. A page of None is one that failed."""

    job: ParseJob
    markdown: str = field(repr=False)
    pages: Mapping[int, str | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the provider reports the end of a job, and the secret that it signs with."""

    url: str
    secret: str = field(repr=False)


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
        await self._uploads.turn()
        async with self._asking(self._transferred_within):
            file = await self._sdk.files.create(file=(filename, content, mime), purpose="parse")
            return _id(file.id)

    async def turn_to_create(self) -> None:
        """Wait until the documented limit allows another `create`, which itself waits for nothing:

        whoever notes when it was sent does so in between.
        """
        await self._parses.turn()

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
        async with self._asking(self._answered_within):
            return _parse_job(
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
        async with self._asking(self._answered_within):
            found = await self._sdk.parsing.get(parse_job_id, expand=["usage"])
            return _parse_job(found.job)

    async def result(self, parse_job_id: str) -> Result:
        """The result of a job. Raises NotReady, also of one that will never have any."""
        async with self._asking(self._transferred_within):
            # The whole, and the pages: the whole does not say which of them are cut or failed.
            found = await self._sdk.parsing.get(
                parse_job_id, expand=["markdown_full", "markdown", "usage"]
            )
            if found.markdown_full is None:
                raise NotReady("The provider's answer has no result in it.")
            pages = found.markdown.pages if found.markdown is not None else []
            return Result(
                _parse_job(found.job),
                found.markdown_full,
                {page.page_number: page.markdown if page.success else None for page in pages},
            )

    async def jobs(self, parse_job_ids: Sequence[str]) -> dict[str, ParseJob]:
        """Those of these jobs that are listed, which a new one may not be yet."""
        async with self._asking(self._answered_within):
            return {
                found.id: found
                async for found in self._listed(job_ids=list(parse_job_ids), page_size=_PAGE_SIZE)
            }

    async def jobs_since(self, since: datetime) -> list[ParseJob]:
        """All jobs that are listed and were created since then, in order of creation."""
        async with self._asking(self._transferred_within):
            found = [
                job
                async for job in self._listed(created_at_on_or_after=since, page_size=_PAGE_SIZE)
            ]
        return sorted(found, key=lambda job: (job.created_at or since, job.id))

    async def cancel(self, parse_job_id: str) -> None:
        """Stop a job. Raises Refused if it has ended, UnknownParseJob."""
        async with self._asking(self._answered_within):
            await self._sdk.parsing.cancel(parse_job_id)

    async def _listed(self, **query: Any) -> AsyncIterator[ParseJob]:
        async for job in self._sdk.parsing.list(**query):
            yield _parse_job(job)

    @asynccontextmanager
    async def _asking(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise Unanswered(f"The provider gave no answer within {seconds:g} s.") from error
        except llama_cloud.APIStatusError as error:
            raise _meaning(error.status_code, error.body) from error
        except llama_cloud.APIConnectionError as error:
            cause = error.__cause__
            raise Unanswered(
                f"The provider was not reached: {type(cause or error).__name__}.",
                sent=not isinstance(cause, _NEVER_SENT),
            ) from error
        except (llama_cloud.LlamaCloudError, httpx.HTTPError) as error:
            raise Unanswered(f"The provider's answer broke off: {type(error).__name__}.") from error
        except (AttributeError, TypeError, ValueError) as error:
            # The SDK checks no answer: what has another shape, such as a proxy's, fails here.
            raise Unanswered("The provider's answer has an unknown shape.") from error


@asynccontextmanager
async def opened(
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


def _meaning(status: int, body: object) -> ProviderError:
    detail = body.get("detail") if isinstance(body, dict) else None
    kind = _STATUSES.get(status, Refused if status < 500 else Unanswered)
    if status == 404 and isinstance(detail, str):
        lowered = detail.lower()
        kind = next((k for start, k in _NOT_FOUND.items() if lowered.startswith(start)), kind)
    reason = str(detail)[:_LONGEST_REASON] if detail else "no reason given"
    return kind(f"The provider answered {status}: {reason}")


class _Described(Protocol):
    """What the SDK's four classes of a job have in common."""

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


def _parse_job(job: _Described) -> ParseJob:
    return ParseJob(
        id=_id(job.id),
        status=cast(Status, str(job.status)),
        error_message=job.error_message,
        created_at=_moment(job.created_at),
        updated_at=_moment(job.updated_at),
        credits=None if job.usage is None else job.usage.credits,
        metadata=dict(job.user_metadata or {}),
    )


def _moment(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _id(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_ID:
        raise ValueError("no id")
    return value
