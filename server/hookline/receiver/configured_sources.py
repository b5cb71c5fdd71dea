"""The sources of this receiver, with the secrets and limits of its settings."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from hookline.providers.installed import installed
from hookline.setting_values import standard_key
from hookline.settings import ConfigurationError, Settings, find_env_file, missing
from hookline.sources.descriptions import read_senders, secrets_variable
from hookline.sources.llamaparse import LlamaParseSource
from hookline.sources.llamaparse_push import LlamaParsePushSource
from hookline.sources.protocol import Source
from hookline.sources.signed_json import SignedJsonSource

__all__ = ["configured_sources", "described_sources", "require_secrets"]


def configured_sources(settings: Settings) -> tuple[Source, ...]:
    """All sources: our own, those of the providers, and those that HOOKLINE_SOURCES describes.

    One without a secret answers 401 to everything. Raises ConfigurationError.
    """
    sources: tuple[Source, ...] = (
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
    return (*sources, *described_sources(settings, frozenset(one.name for one in sources)))


def require_secrets(settings: Settings) -> None:
    """Raise ConfigurationError if no source has a secret: every delivery would be refused."""
    if not any(source.keys for source in configured_sources(settings)):
        raise missing(
            "HOOKLINE_LLAMAPARSE_SECRETS",
            "or HOOKLINE_LLAMACLOUD_SECRETS, or HOOKLINE_PUSH_SECRETS, or the secrets of another"
            " sender: a receiver accepts only what is signed with a secret",
        )


def described_sources(settings: Settings, taken: frozenset[str] = frozenset()) -> list[Source]:
    """The sources that HOOKLINE_SOURCES describes. `taken` are the names of the others.

    Raises ConfigurationError if the file or a secret is missing or wrong.
    """
    if settings.sources is None:
        return []
    try:
        text = Path(settings.sources).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(
            f"HOOKLINE_SOURCES={settings.sources} cannot be read: {reason}."
        ) from error
    variables = {**dotenv_values(find_env_file(), encoding="utf-8-sig"), **os.environ}
    sources: list[Source] = []
    for name, sender in read_senders(text, taken).items():
        variable = secrets_variable(name)
        secrets = variables.get(variable)
        if not secrets:
            raise ConfigurationError(
                f"{variable} is not set, and the source [{name}] of HOOKLINE_SOURCES needs it: set"
                " it, for example to a-long-random-secret,the-one-before-it."
            )
        try:
            keys = sender.keys(secrets.strip())
        except ValueError as error:
            raise ConfigurationError(f"{variable} is wrong: {error}.") from None
        sources.append(SignedJsonSource(sender.description(name), keys))
    return sources


def _envelope_keys(settings: Settings) -> list[bytes]:
    if settings.llamaparse_scheme == "standard":
        return [standard_key(secret.get_secret_value()) for secret in settings.llamaparse_secrets]
    return _text_keys(settings.llamaparse_secrets)


def _text_keys(secrets: tuple[SecretStr, ...]) -> list[bytes]:
    return [secret.get_secret_value().encode() for secret in secrets]
