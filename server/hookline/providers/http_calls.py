"""Calls to a provider over plain HTTP: each is sent once, and each answer has one meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import aiohttp

from hookline.providers.errors import (
    Misconfigured,
    ProviderError,
    QuotaSpent,
    RateLimited,
    Refused,
    Unanswered,
    UnknownParseJob,
)

__all__ = ["LARGEST_RESULT", "HttpCalls", "reading"]

LARGEST_RESULT: Final = 64 * 2**20
"""Bytes of an answer. A larger result fails its job with the code result_too_large."""

_CONNECTED_WITHIN: Final = 10.0
_CHUNK: Final = 2**16
# What a status means. Another status below 500 is Refused, the others are Unanswered.
_STATUSES: Final[Mapping[int, type[ProviderError]]] = {
    401: Misconfigured,
    402: QuotaSpent,
    403: Misconfigured,
    404: UnknownParseJob,
    405: Misconfigured,
    408: Unanswered,
    410: UnknownParseJob,
}


class HttpCalls:
    """Requests below one address. All errors are ProviderError or a subclass.

    `within` is the deadline of one call in seconds. Redirects are not followed, so that a key is
    sent to no other host.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        headers: Mapping[str, str],
        within: float = 60.0,
        largest: int = LARGEST_RESULT,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._timeout = aiohttp.ClientTimeout(total=within, sock_connect=_CONNECTED_WITHIN)
        self._largest = largest

    async def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The JSON object of an answer. `request` is that of aiohttp: data, json, params."""
        try:
            found = json.loads(await self.bytes(method, path, **request))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Unanswered("The provider's answer is not a JSON object.")
        return found

    async def bytes(self, method: str, path: str, **request: Any) -> bytes:
        """The body of an answer, at most `largest` bytes."""
        try:
            async with self._session.request(
                method,
                f"{self._base_url}{path}",
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
                **request,
            ) as response:
                if response.status // 100 != 2:
                    raise _error_of(response)
                body = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK):
                    body += chunk
                    if len(body) > self._largest:
                        raise Refused(
                            f"The provider's answer has more than {self._largest:,} bytes.",
                            code="result_too_large",
                            permanent=True,
                        )
                return bytes(body)
        # Without a connection nothing was sent.
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unanswered(
                f"The provider was not reached: {type(error).__name__}.", sent=False
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(f"The provider gave no answer: {type(error).__name__}.") from error


@contextmanager
def reading() -> Iterator[None]:
    """Raise Unanswered for an answer of another shape. Also a decorator: `@reading()`.

    A submission with such an answer may have been carried out, so its reservation stays open.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise Unanswered("The provider's answer has an unknown shape.") from error


def _error_of(response: aiohttp.ClientResponse) -> ProviderError:
    said = f"The provider answered {response.status}."
    if response.status == 429:
        seconds = response.headers.get("Retry-After", "")
        is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= 9
        return RateLimited(said, retry_after=float(seconds) if is_number else None)
    return _STATUSES.get(response.status, Refused if response.status < 500 else Unanswered)(said)
