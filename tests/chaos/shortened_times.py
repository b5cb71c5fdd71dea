"""Shorter times for a run: what takes minutes for a user takes seconds here.

Settings and data are changed as a user can change them. The constants are patched. All times stand
in one place because they must stay in proportion to each other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

from hookline.providers.callback import Callback
from hookline.providers.client import ProviderClient
from hookline.providers.llamacloud import provider as llamacloud
from hookline.providers.parser_stages import ParserStages
from hookline.settings import Settings
from hookline.worker.parsing import stages

# Times in the database. Those of statuses are data; BILLING and DRAIN are constants in SQL (10
# minutes and 30 s), so the run updates the rows again and again.
TIMINGS: Final = """
update upload_pipeline.statuses
   set retry_base = interval '100 ms', retry_cap = interval '1 s', max_tries = 10,
       overdue_after = case status when 'parse_queued' then interval '1.5 s' else overdue_after end
 where not terminal
"""
# It must be later than the grace of a submission, as 10 minutes are.
BILLING: Final = """
update upload_pipeline.credit_reservations
   set check_after = least(check_after, upload_pipeline.clock())
 where settled_at is null
   and reserved_at < upload_pipeline.clock() - interval '4.5 s'
   and check_after > upload_pipeline.clock() + interval '2 s'
   and check_after < upload_pipeline.clock() + interval '598 s'
"""
DRAIN: Final = """
update upload_pipeline.contents
   set run_after = received_at + interval '2 s'
 where path is not null
   and stored_at is null
   and run_after > received_at + interval '2 s'
"""
# Pauses between the tries of a notification: seconds instead of hours.
NOTIFICATIONS: Final = """
update upload_pipeline.notifications
   set run_after = upload_pipeline.clock()
 where run_after > upload_pipeline.clock() + interval '1 s'
   and lease_token is null
"""
ENVIRONMENT: Final = {
    "HOOKLINE_NOTIFY_TIMEOUT": "1",
    "HOOKLINE_LEASE": "1",
    "HOOKLINE_PROVIDER_TIMEOUT": "0.6",
    "HOOKLINE_SUBMIT_GRACE": "3.5",
    "HOOKLINE_STORAGE_DEADLINE": "5",
    "HOOKLINE_STOP_TIMEOUT": "1",
    "HOOKLINE_POOL_SIZE": "4",
}

_SHORT: Final[tuple[tuple[str, str, object], ...]] = (
    ("hookline.worker.parsing.outcomes", "PROVIDER_PAUSE", timedelta(seconds=1.5)),
    ("hookline.worker.parsing.outcomes", "STUCK_AFTER", timedelta(seconds=2)),
    ("hookline.worker.parsing.reconcile", "FAILED_BILLED_WITHIN", timedelta(seconds=1)),
    ("hookline.worker.announcing.announcer", "LEASE_MARGIN", 1.0),
    ("hookline.worker.announcing.announcer", "PAUSE_MIN", 0.1),
    ("hookline.worker.announcing.announcer", "PAUSE_MAX", 0.5),
    ("hookline.worker.announcing.announcer", "POLL_MAX_WITH_LISTEN", 0.5),
    ("hookline.worker.announcing.announcer", "POLL_MAX_WITHOUT_LISTEN", 0.5),
    ("hookline.worker.claimer", "POLL_MAX_WITH_LISTEN", 0.5),
    ("hookline.worker.claimer", "POLL_MAX_WITHOUT_LISTEN", 0.5),
)
_PERIODIC_EVERY: Final = 1.0


def shorten_times(webhook_url: str) -> None:
    """Patch the times that are not settings, in this process.

    Also patches the webhook's address: the setting requires https://, as LlamaCloud does, but the
    imitation calls the receiver directly and not a proxy in front of it.
    """
    for name, constant, value in _SHORT:
        module = importlib.import_module(name)
        assert type(getattr(module, constant)) is type(value), f"{name}.{constant}"
        setattr(module, constant, value)

    make_parser_stages: Callable[..., ParserStages] = stages.make_parser_stages

    def shortened(
        client: ProviderClient, settings: Settings, *monotonic: Callable[[], float]
    ) -> ParserStages:
        parser = make_parser_stages(client, settings, *monotonic)
        periodic = tuple(replace(task, every=_PERIODIC_EVERY) for task in parser.periodic)
        return replace(parser, periodic=periodic)

    def webhook(settings: Settings) -> Callback:
        return Callback(webhook_url, settings.llamacloud_secrets[0].get_secret_value())

    replaced: tuple[tuple[ModuleType, str, Any], ...] = (
        (stages, "make_parser_stages", shortened),
        (llamacloud, "webhook_of", webhook),
    )
    for module, name, value in replaced:
        getattr(module, name)
        setattr(module, name, value)
