"""What can go wrong with a call to LlamaCloud, as one exception for each meaning."""

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


@asynccontextmanager
async def provider_errors(seconds: float) -> AsyncIterator[None]:
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


def _meaning(status: int, body: object) -> ProviderError:
    detail = body.get("detail") if isinstance(body, dict) else None
    kind = _STATUSES.get(status, Refused if status < 500 else Unanswered)
    if status == 404 and isinstance(detail, str):
        lowered = detail.lower()
        kind = next((k for start, k in _NOT_FOUND.items() if lowered.startswith(start)), kind)
    reason = str(detail)[:_LONGEST_REASON] if detail else "no reason given"
    return kind(f"The provider answered {status}: {reason}")
