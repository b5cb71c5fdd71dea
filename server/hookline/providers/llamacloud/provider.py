"""LlamaCloud, as the settings configure it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import structlog

from hookline.providers.callback import Callback
from hookline.providers.client import ProviderClient
from hookline.providers.llamacloud.options import LlamaCloudOptions
from hookline.settings import ConfigurationError, Settings
from hookline.sources import routes
from hookline.sources.llamacloud import LlamaCloudSource

__all__ = ["PROVIDER", "LlamaCloud", "webhook_of"]

log = structlog.get_logger("hookline.llamacloud")


class LlamaCloud:
    """The provider `llamacloud`: see `hookline.providers.provider.Provider`."""

    name = "llamacloud"
    title = "LlamaCloud"
    variable = "LLAMA_CLOUD_API_KEY"
    options = LlamaCloudOptions

    def is_configured(self, settings: Settings) -> bool:
        """Whether there is an API key."""
        return settings.llama_cloud_api_key is not None

    def remedies(self, settings: Settings) -> list[str]:
        """The package and the key, as far as they are missing."""
        missing = []
        if find_spec("llama_cloud") is None:
            missing.append("pip install '.[llamacloud]' in the checkout of Hookline")
        if settings.llama_cloud_api_key is None:
            missing.append("set LLAMA_CLOUD_API_KEY")
        return missing

    def source(self, settings: Settings) -> LlamaCloudSource:
        """Its event notifications."""
        return LlamaCloudSource(
            [secret.get_secret_value().encode() for secret in settings.llamacloud_secrets]
        )

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[ProviderClient]:
        """A client for the key of the settings.

        Raises ConfigurationError if there is no API key or the package is not installed.
        """
        key = settings.require_api_key()
        try:
            from hookline.providers.llamacloud.client import open_client
        except ModuleNotFoundError as error:
            if error.name != "llama_cloud":
                raise
            raise ConfigurationError(
                "LlamaCloud needs the package llama-cloud: pip install '.[llamacloud]' in the"
                " checkout of Hookline."
            ) from error
        async with open_client(
            key,
            settings.llama_cloud_base_url,
            tier=settings.parse_tier,
            version=settings.parse_version,
            webhook=webhook_of(settings),
            result_hosts=settings.result_hosts,
            answered_within=settings.provider_timeout,
        ) as client:
            yield client


def webhook_of(settings: Settings) -> Callback | None:
    """The callback with the receiver's newest secret, or None if a setting for it is missing."""
    missing = [
        variable
        for variable, value in (
            ("HOOKLINE_PUBLIC_URL", settings.public_url),
            ("HOOKLINE_LLAMACLOUD_SECRETS", settings.llamacloud_secrets),
        )
        if not value
    ]
    if missing:
        log.warning("webhook_not_configured", missing=missing, instead="LlamaCloud is polled")
        return None
    secret = settings.llamacloud_secrets[0].get_secret_value()
    return Callback(f"{settings.public_url}{routes.LLAMACLOUD}", secret)


PROVIDER = LlamaCloud()
