"""What can go wrong with a call to LlamaCloud: one exception for each thing a caller can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
import llama_cloud

__all__ = [
    "Misconfigured",
    "NotReady",
    "ProviderError",
    "QuotaSpent",
    "RateLimited",
    "Refused",
    "Unanswered",
    "UnknownParseJob",
    "provider_errors",
]

_LONGEST_REASON: Final = 300


class ProviderError(Exception):
    """The provider did not do what was asked. The message is a sentence."""


class RateLimited(ProviderError):
    """Not done: too many requests. Ask again later; nobody is at fault."""


class QuotaSpent(ProviderError):
    """Not done: all credits are used. Every other job would be refused now as well."""


class Misconfigured(ProviderError):
    """Not done: the API key or the address is wrong. Every call fails until it is corrected."""


class Refused(ProviderError):
    """Not done, and the same request will never be done."""


class NotReady(ProviderError):
    """The job exists, but its result does not. The job's status says whether it will come."""


class UnknownParseJob(ProviderError):
    """The provider does not know the job, or has forgotten it."""


class Unanswered(ProviderError):
    """No answer, or one that says nothing. If `sent`, the request may have been carried out."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


# What the HTTP status of an answer means. Another 4xx is Refused, another 5xx is Unanswered.
_STATUSES: Final[Mapping[int, type[ProviderError]]] = {
    401: Misconfigured,
    402: QuotaSpent,
    403: Misconfigured,
    404: Misconfigured,
    405: Misconfigured,
    408: Unanswered,
    429: RateLimited,
}
# A 404 whose detail begins like this is about the job or the file, not about the address.
_NOT_FOUND: Final[Mapping[str, type[ProviderError]]] = {
    "result not found": NotReady,
    "parse job not found": UnknownParseJob,
    "file not found": Refused,
}
# With these errors the request was never sent: there was no connection for it.
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@asynccontextmanager
async def provider_errors(seconds: float) -> AsyncIterator[None]:
    """Raise what goes wrong inside the block as a ProviderError. The block has so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unanswered(f"The provider gave no answer within {seconds:g} s.") from error
    except llama_cloud.APIStatusError as error:
        raise _error_of_answer(error.status_code, error.body) from error
    except llama_cloud.APIConnectionError as error:
        cause = error.__cause__
        raise Unanswered(
            f"The provider was not reached: {type(cause or error).__name__}.",
            sent=not isinstance(cause, _NEVER_SENT),
        ) from error
    except (llama_cloud.LlamaCloudError, httpx.HTTPError) as error:
        raise Unanswered(f"The provider's answer broke off: {type(error).__name__}.") from error
    except (AttributeError, TypeError, ValueError) as error:
        # The SDK does not check answers. One of another shape, such as a proxy's, fails here.
        raise Unanswered("The provider's answer has an unknown shape.") from error


def _error_of_answer(status: int, body: object) -> ProviderError:
    detail = body.get("detail") if isinstance(body, dict) else None
    kind = _STATUSES.get(status, Refused if status < 500 else Unanswered)
    if status == 404 and isinstance(detail, str):
        lowered = detail.lower()
        kind = next((k for start, k in _NOT_FOUND.items() if lowered.startswith(start)), kind)
    reason = str(detail)[:_LONGEST_REASON] if detail else "no reason given"
    return kind(f"The provider answered {status}: {reason}")
