"""The sources of this receiver, with the secrets and limits of its settings."""

from __future__ import annotations

from pydantic import SecretStr

from hookline.providers.installed import installed
from hookline.setting_values import standard_key
from hookline.settings import Settings
from hookline.sources.llamaparse import LlamaParseSource
from hookline.sources.llamaparse_push import LlamaParsePushSource
from hookline.sources.protocol import Source

__all__ = ["configured_sources"]


def configured_sources(settings: Settings) -> tuple[Source, ...]:
    """All sources, also those of the providers. One without a secret answers 401 to everything."""
    return (
        LlamaParseSource(
            settings.llamaparse_scheme, _envelope_keys(settings), body_limit=settings.max_body
        ),
        LlamaParsePushSource(_text_keys(settings.push_secrets), body_limit=settings.max_body),
        *(
            source
            for provider in installed().values()
            if (source := provider.source(settings)) is not None
        ),
    )


def _envelope_keys(settings: Settings) -> list[bytes]:
    if settings.llamaparse_scheme == "standard":
        return [standard_key(secret.get_secret_value()) for secret in settings.llamaparse_secrets]
    return _text_keys(settings.llamaparse_secrets)


def _text_keys(secrets: tuple[SecretStr, ...]) -> list[bytes]:
    return [secret.get_secret_value().encode() for secret in secrets]
