"""docling-serve, as the settings configure it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import structlog

from hookline.process.http_client import check_certificates
from hookline.providers.callback import Callback
from hookline.providers.client import ProviderClient
from hookline.providers.docling.client import DoclingClient
from hookline.providers.docling.options import DoclingOptions
from hookline.providers.docling.source import DoclingSource
from hookline.providers.http_calls import HttpCalls
from hookline.settings import Settings, missing

__all__ = ["PROVIDER", "Docling"]

log = structlog.get_logger("hookline.docling")


class Docling:
    """The provider `docling`: see `hookline.providers.provider.Provider`."""

    name = "docling"
    title = "docling-serve"
    variable = "HOOKLINE_DOCLING_URL"
    options = DoclingOptions

    def is_configured(self, settings: Settings) -> bool:
        """Whether there is an address."""
        return settings.docling_url is not None

    def remedies(self, settings: Settings) -> list[str]:
        """The address, if it is missing."""
        return [] if self.is_configured(settings) else [f"set {self.variable}"]

    def source(self, settings: Settings) -> DoclingSource:
        """Its callbacks."""
        return DoclingSource(
            [secret.get_secret_value().encode() for secret in settings.docling_secrets]
        )

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[ProviderClient]:
        """A client for the service. Raises ConfigurationError without its address."""
        if settings.docling_url is None:
            raise missing(self.variable)
        if settings.docling_url.startswith("https:"):
            check_certificates()
        key = settings.docling_api_key
        headers = {} if key is None else {"X-Api-Key": key.get_secret_value()}
        async with aiohttp.ClientSession() as session:
            yield DoclingClient(
                HttpCalls(
                    session,
                    settings.docling_url,
                    headers=headers,
                    within=settings.provider_timeout,
                ),
                _callback_of(settings),
            )


def _callback_of(settings: Settings) -> Callback | None:
    """The callback with the newest secret, or None without a secret or an address for it."""
    if not settings.docling_secrets:
        return None
    # Often both are in one network, which the public address is not.
    base = settings.receiver_url or settings.public_url
    if base is None:
        log.warning(
            "webhook_not_configured",
            missing=["HOOKLINE_RECEIVER_URL or HOOKLINE_PUBLIC_URL"],
            instead="docling-serve is only polled",
        )
        return None
    url = f"{base.rstrip('/')}{DoclingSource.route}"
    return Callback(url, settings.docling_secrets[0].get_secret_value())


PROVIDER = Docling()
