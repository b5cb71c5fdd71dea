"""What a package of a provider brings: its name, its client, and its source if it calls back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hookline.providers.client import ProviderClient
from hookline.providers.options import Options
from hookline.settings import Settings
from hookline.sources.protocol import Source

__all__ = ["Provider"]


class Provider(Protocol):
    """The object that a package calls PROVIDER, or that its entry point names.

    Creating it reads no setting and imports nothing large: every command may load it.
    """

    @property
    def name(self) -> str:
        """The word of HOOKLINE_PARSER: lower case, digits and underscores."""

    @property
    def title(self) -> str:
        """The name for people."""

    @property
    def variable(self) -> str:
        """The variable that has to be set before anything else, such as the API key."""

    @property
    def options(self) -> type[Options]:
        """The options that a job may have: `NoOptions` if none."""

    def is_configured(self, settings: Settings) -> bool:
        """Whether `variable` is set. Raises ConfigurationError if its value is wrong."""

    def remedies(self, settings: Settings) -> Sequence[str]:
        """What has to be done before `open` can succeed, such as "set ACME_KEY"."""

    def open(self, settings: Settings) -> AbstractAsyncContextManager[ProviderClient]:
        """The client, which is open inside the block. Raises ConfigurationError."""

    def source(self, settings: Settings) -> Source | None:
        """The source of its webhooks, also without a secret; None if it has none of its own.

        Raises ConfigurationError.
        """
