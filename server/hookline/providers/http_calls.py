"""Calls to a provider over plain HTTP: each is sent once, and each answer has one meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from hookline.providers.client import Document
from hookline.providers.errors import (
    Misconfigured,
    ProviderError,
    QuotaSpent,
    RateLimited,
    Refused,
    Unanswered,
    UnknownParseJob,
    read_retry_after,
    result_too_large,
)

__all__ = ["LARGEST_RESULT", "HttpCalls", "form_file", "read_json", "reading"]

LARGEST_RESULT: Final = 64 * 2**20
"""Bytes of an answer. A larger result fails its job with the code result_too_large."""

_CONNECTED_WITHIN: Final = 10.0
_CHUNK: Final = 2**16
# Bytes of a refusal that are read, and characters of the reason in it that are kept.
_REFUSAL: Final = 2**14
_LONGEST_REASON: Final = 300
# They cannot stand in a header.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
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
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._timeout = aiohttp.ClientTimeout(total=within, sock_connect=_CONNECTED_WITHIN)

    async def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The JSON object of an answer. `request` is that of aiohttp: data, json, params."""
        return read_json(await self.bytes(method, path, **request))

    async def bytes(self, method: str, path: str | URL, **request: Any) -> bytes:
        """The body of an answer, at most LARGEST_RESULT bytes. A URL is taken as it is."""
        try:
            async with self._session.request(
                method,
                f"{self._base_url}{path}" if isinstance(path, str) else path,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
                **request,
            ) as response:
                if response.status // 100 != 2:
                    raise _error_of(response, await _reason_in(response))
                body = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK):
                    body += chunk
                    if len(body) > LARGEST_RESULT:
                        raise result_too_large(LARGEST_RESULT)
                return bytes(body)
        # Without a connection nothing was sent.
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unanswered(
                f"The provider was not reached: {type(error).__name__}.", sent=False
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(f"The provider gave no answer: {type(error).__name__}.") from error


def form_file(form: aiohttp.FormData, field: str, document: Document) -> None:
    """Add a document as a file to a form that was made with quote_fields=False.

    Otherwise aiohttp percent-encodes the name, and servers do not decode it.
    """
    name = _CONTROL.sub("_", document.filename)
    form.add_field(field, document.content, filename=name, content_type=document.mime)


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Unanswered if it is none."""
    try:
        # NaN and Infinity are no JSON, and Postgres does not take them.
        found = json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unanswered("The provider's answer is not a JSON object.")
    return found


@contextmanager
def reading() -> Iterator[None]:
    """Raise Unanswered for an answer of another shape. Also a decorator: `@reading()`.

    A submission with such an answer may have been carried out, so its reservation stays open.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise Unanswered("The provider's answer has an unknown shape.") from error


def _error_of(response: aiohttp.ClientResponse, reason: str) -> ProviderError:
    status = response.status
    said = f"The provider answered {status}{f': {reason}' if reason else ''}."
    if status == 429:
        return RateLimited(said, retry_after=read_retry_after(response.headers))
    if kind := _STATUSES.get(status):
        return kind(said)
    return Refused(said, status=status) if status < 500 else Unanswered(said)


async def _reason_in(response: aiohttp.ClientResponse) -> str:
    """The reason in a refusal, as most providers write it; empty if there is none."""
    try:
        found: Any = json.loads(await response.content.read(_REFUSAL))
    except (ValueError, RecursionError, aiohttp.ClientError, TimeoutError):
        # The status is the answer, also if its reason does not arrive.
        return ""
    for name in ("error", "detail", "message", "msg"):
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return found.rstrip(".")[:_LONGEST_REASON] if isinstance(found, str) else ""
