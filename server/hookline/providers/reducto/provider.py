"""Reducto, as the settings configure it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import aiohttp
import structlog

from hookline.process.http_client import check_certificates, proxied
from hookline.providers.client import ProviderClient
from hookline.providers.http_calls import HttpCalls
from hookline.providers.reducto.client import ReductoClient
from hookline.providers.reducto.options import ReductoOptions
from hookline.providers.reducto.source import ReductoSource
from hookline.providers.result_urls import open_result_urls
from hookline.setting_values import standard_key
from hookline.settings import Settings, missing

__all__ = ["PROVIDER", "Reducto"]

log = structlog.get_logger("hookline.reducto")

_BASE_URL = "https://platform.reducto.ai"


class Reducto:
    """The provider `reducto`: see `hookline.providers.provider.Provider`."""

    name = "reducto"
    title = "Reducto"
    variable = "REDUCTO_API_KEY"
    options = ReductoOptions

    def is_configured(self, settings: Settings) -> bool:
        """Whether there is an API key."""
        return settings.reducto_api_key is not None

    def remedies(self, settings: Settings) -> list[str]:
        """The key, if it is missing."""
        return [] if self.is_configured(settings) else [f"set {self.variable}"]

    def source(self, settings: Settings) -> ReductoSource:
        """Its events, which Svix sends."""
        return ReductoSource(
            [standard_key(secret.get_secret_value()) for secret in settings.reducto_secrets]
        )

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[ProviderClient]:
        """A client for the key of the settings. Raises ConfigurationError without one."""
        if settings.reducto_api_key is None:
            raise missing(self.variable)
        check_certificates()
        if not settings.reducto_secrets:
            log.warning(
                "webhook_not_configured",
                missing=["HOOKLINE_REDUCTO_SECRETS"],
                instead="Reducto is polled",
            )
        headers = {"Authorization": f"Bearer {settings.reducto_api_key.get_secret_value()}"}
        base_url = settings.reducto_base_url or _BASE_URL
        async with (
            aiohttp.ClientSession(trust_env=proxied(base_url)) as session,
            open_result_urls(settings.result_hosts, within=settings.provider_timeout) as urls,
        ):
            yield ReductoClient(
                HttpCalls(session, base_url, headers=headers, within=settings.provider_timeout),
                urls,
                credits_a_page=Decimal(str(settings.reducto_credits_per_page)),
                polled=not settings.reducto_secrets,
            )


PROVIDER = Reducto()
