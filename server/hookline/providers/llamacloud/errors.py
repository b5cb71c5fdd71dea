"""What each answer and each error of LlamaCloud's SDK means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
import llama_cloud

from hookline.process.limited_answers import AnswerTooLarge
from hookline.providers.errors import (
    Misconfigured,
    NotReady,
    ProviderError,
    QuotaSpent,
    RateLimited,
    Refused,
    Unanswered,
    UnknownParseJob,
    read_retry_after,
    result_too_large,
)
from hookline.providers.http_calls import LARGEST_RESULT

__all__ = ["provider_errors"]

_LONGEST_REASON: Final = 300

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
        raise _error_of_answer(error.response, error.body) from error
    except llama_cloud.APIConnectionError as error:
        cause = error.__cause__
        if isinstance(cause, AnswerTooLarge):
            raise result_too_large(LARGEST_RESULT) from error
        raise Unanswered(
            f"The provider was not reached: {type(cause or error).__name__}.",
            sent=not isinstance(cause, _NEVER_SENT),
        ) from error
    except (llama_cloud.LlamaCloudError, httpx.HTTPError) as error:
        raise Unanswered(f"The provider's answer broke off: {type(error).__name__}.") from error
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        # The SDK does not check answers. One of another shape, such as a proxy's, fails here.
        raise Unanswered("The provider's answer has an unknown shape.") from error


def _error_of_answer(response: httpx.Response, body: object) -> ProviderError:
    status = response.status_code
    detail = body.get("detail") if isinstance(body, dict) else None
    kind = _STATUSES.get(status, Refused if status < 500 else Unanswered)
    if status == 404 and isinstance(detail, str):
        lowered = detail.lower()
        kind = next((k for start, k in _NOT_FOUND.items() if lowered.startswith(start)), kind)
    reason = str(detail)[:_LONGEST_REASON] if detail else "no reason given"
    said = f"The provider answered {status}: {reason}"
    if kind is RateLimited:
        return RateLimited(said, retry_after=read_retry_after(response.headers))
    return Refused(said, status=status) if kind is Refused else kind(said)
