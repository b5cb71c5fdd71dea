"""The stages that parse at a provider, and periodic tasks beside them.

uploaded       submit   sends the file to the provider, once for each attempt
parse_queued   ask      asks about jobs whose webhook did not come in time
parse_ready    fetch    fetches the result and stores it
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from hookline.providers.client import ProviderClient
from hookline.providers.parser_stages import ParserStages, PeriodicTask
from hookline.settings import Settings
from hookline.stages import Stage
from hookline.worker.parsing.ask_stage import Ask
from hookline.worker.parsing.fetch_stage import Fetch
from hookline.worker.parsing.limited_client import LimitedClient
from hookline.worker.parsing.lookups import Lookups
from hookline.worker.parsing.polling import Polling
from hookline.worker.parsing.reconcile import Reconciler
from hookline.worker.parsing.requests import ProviderRequests
from hookline.worker.parsing.submit_stage import Submit

__all__ = ["make_parser_stages"]

# Jobs at once. Submit and fetch hold a file or a result in memory; a question is small.
_LARGE_CONCURRENCY: Final = 8
_SMALL_CONCURRENCY: Final = 100
# Seconds. Longer than all deadlines inside a handler; it ends what has no deadline of its own.
_TIMEOUT: Final = 1800.0
# A call may be several requests, each of which has HOOKLINE_PROVIDER_TIMEOUT. So many times as long
# is the worker's own limit, for a client that has none.
_REQUESTS_A_CALL: Final = 10


def make_parser_stages(
    client: ProviderClient, settings: Settings, monotonic: Callable[[], float] = time.monotonic
) -> ParserStages:
    """The stages and periodic tasks with a client that is open."""
    client = LimitedClient(client, _REQUESTS_A_CALL * settings.provider_timeout)
    lookups = Lookups(client)
    polling = Polling(client, lookups, monotonic=monotonic)
    reconciler = Reconciler(client, lookups)
    submit = Submit(
        client,
        lookups,
        polling,
        assumed_pages=settings.assumed_pages,
        grace=settings.submit_grace,
    )
    ask, fetch = Ask(client, lookups), Fetch(client)
    return ParserStages(
        stages=(
            Stage("uploaded", submit, concurrency=_LARGE_CONCURRENCY, timeout=_TIMEOUT),
            Stage("parse_queued", ask, concurrency=_SMALL_CONCURRENCY, timeout=_TIMEOUT),
            Stage("parse_ready", fetch, concurrency=_LARGE_CONCURRENCY, timeout=_TIMEOUT),
        ),
        periodic=(
            PeriodicTask("polling", polling.run_once, 1.0),
            PeriodicTask("parked", reconciler.apply_parked, 30.0),
            PeriodicTask("requests", ProviderRequests(client).run_once, 5.0),
            PeriodicTask("billing", reconciler.settle_credits, 60.0),
        ),
    )
