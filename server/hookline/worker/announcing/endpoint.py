"""The application's endpoint: one POST for each try, and what its answer means.

As Standard Webhooks recommends ("Delivery success and failure"): only 2xx is success. 410 says that
nobody wants these messages any more. Everything else is tried again, and Retry-After is obeyed.
Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from hookline.postgres.records import Notification, Told
from hookline.process.http_client import check_certificates
from hookline.process.os_errors import reason_of
from hookline.process.public_addresses import (
    AddressRefused,
    any_address,
    is_private,
    is_public,
    open_connector,
)
from hookline.process.retry_after import seconds_until
from hookline.settings import Settings
from hookline.worker.announcing.message import body_of, headers_of

__all__ = ["Endpoint", "open_endpoint", "pause_of"]

# Seconds.
_LONGEST_PAUSE: Final = 86400.0
# Like 5xx, these are about the endpoint. Other statuses are about the message.
_TRY_LATER: Final = frozenset({408, 429})
# Bytes of an answer, and seconds, that are read so that its connection can be used again.
_READ, _READ_WITHIN = 2**16, 1.0


class Endpoint:
    """Where notifications are sent. `origin` is its URL without the path, which may be a secret."""

    def __init__(self, url: str, keys: Sequence[bytes], session: aiohttp.ClientSession) -> None:
        self._url = url
        self._keys = keys
        self._session = session
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"

    async def tell(self, notification: Notification) -> Told:
        """Send a notification once, and say how that ended."""
        body = body_of(notification)
        headers = headers_of(notification, body, self._keys, time.time())
        error, pause, permanent, fails = None, None, False, False
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status // 100 != 2:
                    error = f"answered {response.status}"
                    pause = pause_of(response.headers.get("Retry-After"), datetime.now(UTC))
                    permanent = response.status == 410
                    fails = response.status in _TRY_LATER or response.status >= 500
                await _read(response)
        # A ValueError is a host that cannot be one.
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            error, fails = _reason(failure), True
        return Told(
            notification.event_id,
            notification.lease_token,
            error=error,
            pause=pause,
            permanent=permanent,
            endpoint_fails=fails,
        )


@asynccontextmanager
async def open_endpoint(settings: Settings, *, at_once: int) -> AsyncIterator[Endpoint | None]:
    """The endpoint of HOOKLINE_NOTIFY_URL, with at most `at_once` connections. None: it is not set.

    Raises ConfigurationError if the certificates of the environment cannot be used.
    """
    if settings.notify_url is None:
        yield None
        return
    check_certificates()
    url = settings.notify_url.get_secret_value()
    is_allowed = is_public
    if settings.notify_private == "on":
        is_allowed = is_private if url.startswith("http:") else any_address
    async with aiohttp.ClientSession(
        connector=open_connector(is_allowed, limit=at_once),
        timeout=aiohttp.ClientTimeout(total=settings.notify_timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=["Accept-Encoding"],
    ) as session:
        yield Endpoint(url, settings.notify_keys, session)


def pause_of(retry_after: str | None, now: datetime) -> timedelta | None:
    """The pause that Retry-After asks for, at most a day."""
    seconds = None if retry_after is None else seconds_until(retry_after, now)
    return None if seconds is None else timedelta(seconds=min(max(seconds, 0), _LONGEST_PAUSE))


async def _read(response: aiohttp.ClientResponse) -> None:
    """Read a short answer. A longer one costs its connection, and its end does not matter."""
    if (response.content_length or 0) > _READ:
        return
    read = 0
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with asyncio.timeout(_READ_WITHIN):
            async for piece in response.content.iter_any():
                read += len(piece)
                if read > _READ:
                    return


def _reason(failure: Exception) -> str:
    """Why no answer came, in a few words and without the path of the URL."""
    match failure:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is refused"
        case aiohttp.ClientConnectorSSLError(os_error=cause):
            return f"TLS failed: {reason_of(cause)}"[:500]
        case aiohttp.ClientConnectorDNSError(host=host):
            return f"the name {host} is not in DNS"
        case aiohttp.ClientConnectorError(os_error=AddressRefused()):
            return "its address is in a local network, or HOOKLINE_NOTIFY_PRIVATE is wrong"
        case aiohttp.ClientConnectorError(os_error=cause):
            return f"no connection: {reason_of(cause)}"[:500]
        case TimeoutError():
            return "no answer in time"
        case _:
            return f"no answer: {type(failure).__name__}"
