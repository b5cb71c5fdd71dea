"""LlamaCloud as the parser: three stages, and periodic tasks beside them.

uploaded       submit   sends the file to LlamaCloud, once for each attempt
parse_queued   ask      asks about jobs whose webhook did not come in time
parse_ready    fetch    fetches the result and stores it
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from hookline.providers.parser_stages import ParserStages, PeriodicTask
from hookline.settings import ConfigurationError, Settings
from hookline.sources import routes
from hookline.stages import Stage

if TYPE_CHECKING:
    from hookline.providers.llamacloud.client import LlamaCloudClient
    from hookline.providers.llamacloud.jobs import Callback

__all__ = ["llamacloud_stages", "make_parser_stages"]

log = structlog.get_logger("hookline.llamacloud")

# Jobs at once. Submit and fetch hold a file or a result in memory; a question is small.
_LARGE_CONCURRENCY = 8
_SMALL_CONCURRENCY = 100
# Seconds. Longer than all deadlines inside a handler; it ends what has no deadline of its own.
_TIMEOUT = 1800.0


@asynccontextmanager
async def llamacloud_stages(settings: Settings) -> AsyncIterator[ParserStages]:
    """The stages of LlamaCloud for these settings. Its client is open inside the block.

    Raises ConfigurationError if there is no API key or the package is not installed.
    """
    key = settings.require_api_key()
    try:
        from hookline.providers.llamacloud.client import open_client
    except ModuleNotFoundError as error:
        if error.name != "llama_cloud":
            raise
        raise ConfigurationError(
            "LlamaCloud needs the package llama-cloud: pip install '.[llamacloud]' in the checkout"
            " of Hookline."
        ) from error
    async with open_client(
        key, settings.llama_cloud_base_url, answered_within=settings.provider_timeout
    ) as provider:
        yield make_parser_stages(provider, settings)


def make_parser_stages(
    provider: LlamaCloudClient, settings: Settings, monotonic: Callable[[], float] = time.monotonic
) -> ParserStages:
    """The stages and periodic tasks with a client that is open."""
    # Imported here, since they need the package.
    from hookline.worker.parsing.ask_stage import Ask
    from hookline.worker.parsing.fetch_stage import Fetch
    from hookline.worker.parsing.lookups import Lookups
    from hookline.worker.parsing.polling import Polling
    from hookline.worker.parsing.reconcile import Reconciler
    from hookline.worker.parsing.submit_stage import Submit

    lookups = Lookups(provider)
    polling = Polling(lookups, monotonic=monotonic)
    reconciler = Reconciler(provider, lookups)
    submit = Submit(
        provider,
        lookups,
        polling,
        webhook=_webhook(settings),
        tier=settings.parse_tier,
        assumed_pages=settings.assumed_pages,
        grace=settings.submit_grace,
    )
    return ParserStages(
        stages=(
            Stage("uploaded", submit, concurrency=_LARGE_CONCURRENCY, timeout=_TIMEOUT),
            Stage(
                "parse_queued",
                Ask(provider, lookups),
                concurrency=_SMALL_CONCURRENCY,
                timeout=_TIMEOUT,
            ),
            Stage(
                "parse_ready",
                Fetch(provider),
                concurrency=_LARGE_CONCURRENCY,
                timeout=_TIMEOUT,
            ),
        ),
        periodic=(
            PeriodicTask("llamacloud polling", polling.run_once, 1.0),
            PeriodicTask("llamacloud parked", reconciler.apply_parked, 30.0),
            PeriodicTask("llamacloud billing", reconciler.settle_credits, 60.0),
        ),
    )


def _webhook(settings: Settings) -> Callback | None:
    """The callback with the receiver's newest secret, or None if a setting for it is missing."""
    from hookline.providers.llamacloud.jobs import Callback

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
