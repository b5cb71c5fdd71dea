"""Results that a provider gives as a URL, which may point anywhere.

The URL is that of another service, so it gets no key. It is https, and leads to a public address;
hosts that the settings name may be http and private. Redirects are not followed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from hookline.process.public_addresses import AddressRefused, any_address, open_connector
from hookline.providers.errors import (
    Misconfigured,
    QuotaSpent,
    Refused,
    Unanswered,
    UnknownParseJob,
)
from hookline.providers.http_calls import HttpCalls

__all__ = ["ResultUrls", "open_result_urls"]

_REFUSED: Final = "result_url_refused"
_GONE: Final = "result_gone"


class ResultUrls:
    """Fetches results. `trusted` are the host names that may be http and have private addresses."""

    def __init__(self, public: HttpCalls, private: HttpCalls, trusted: Collection[str]) -> None:
        self._public = public
        self._private = private
        self._trusted = trusted

    async def fetch(self, url: object) -> bytes:
        """The bytes behind the URL. All errors are ProviderError or a subclass.

        Raises Refused with the code result_url_refused for a URL that may not be followed, and
        with result_gone if nothing is there (any more).
        """
        target = _read(url)
        host = target.host or ""
        trusted = host in self._trusted
        if target.scheme != "https" and not (trusted and target.scheme == "http"):
            raise Refused("The URL of the result is not https.", code=_REFUSED)
        calls = self._private if trusted else self._public
        try:
            return await calls.bytes("GET", target)
        except Unanswered as error:
            cause = error.__cause__
            if isinstance(cause, aiohttp.ClientConnectorError) and isinstance(
                cause.os_error, AddressRefused
            ):
                raise Refused(
                    f"The URL of the result leads to {host}, which has no public address.",
                    code=_REFUSED,
                ) from error
            raise
        except (UnknownParseJob, Misconfigured, QuotaSpent) as error:
            # Their usual meanings are those of the provider itself.
            raise Refused(f"The result is not at its URL. {error}", code=_GONE) from error
        except Refused as error:
            if error.code != "provider_refused":
                raise
            raise Refused(f"The result is not at its URL. {error}", code=_REFUSED) from error


@asynccontextmanager
async def open_result_urls(
    trusted: Collection[str] = (), *, within: float = 60.0
) -> AsyncIterator[ResultUrls]:
    """Its connections are open inside the block. One download has `within` seconds."""
    async with (
        aiohttp.ClientSession(connector=open_connector()) as public,
        aiohttp.ClientSession(connector=open_connector(any_address)) as private,
    ):
        yield ResultUrls(
            HttpCalls(public, "", headers={}, within=within),
            HttpCalls(private, "", headers={}, within=within),
            frozenset(trusted),
        )


def _read(url: object) -> URL:
    try:
        # Encoded as it is: another encoding breaks the signature in the query.
        found = URL(url, encoded=True) if isinstance(url, str) else URL()
        if not found.host or found.user is not None or found.port is None:
            raise ValueError
    except ValueError:
        raise Refused("The provider gives no URL of the result.", code=_REFUSED) from None
    return found
