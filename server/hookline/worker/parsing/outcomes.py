"""The outcome for a job when a call to the provider fails, or the provider failed to parse it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from hookline.postgres.engine import Engine
from hookline.providers.client import ParseJob, ProviderClient
from hookline.providers.errors import (
    Misconfigured,
    ProviderError,
    QuotaSpent,
    RateLimited,
    Refused,
)
from hookline.stages import Deferred, Failed, Paused

__all__ = [
    "PROVIDER_PAUSE",
    "failure_of",
    "is_stuck",
    "outcome_of_error",
    "why_ended",
]

# How long a stage is paused. Long enough not to burden the provider, short enough to go on soon
# after the reason is gone.
PROVIDER_PAUSE: Final = timedelta(minutes=15)
# The longest Retry-After that is believed.
LONGEST_WAIT: Final = timedelta(hours=1)
# A healthy provider ends a job long before this.
STUCK_AFTER: Final = timedelta(hours=24)

_NOT_STORABLE: Final = re.compile("[\0\ud800-\udfff]")
_LONGEST: Final = 1000


def outcome_of_error(error: ProviderError, client: ProviderClient) -> Deferred | Failed:
    """What to raise for a job whose call failed, if it is harmless should it have been carried out.

    That the provider is away never counts as a failed try.
    """
    match error:
        case QuotaSpent():
            return Paused("quota_spent", str(error), PROVIDER_PAUSE)
        case Misconfigured():
            reason = f"{client.settings} may be wrong. {error}"
            return Paused("provider_refused_us", str(error), PROVIDER_PAUSE, reason[:500])
        case RateLimited():
            wait = error.retry_after
            pause = None if wait is None else min(timedelta(seconds=wait), LONGEST_WAIT)
            return Deferred("rate_limited", str(error), pause)
        case Refused():
            return Failed(error.code, str(error), permanent=error.permanent)
        case _:
            return Deferred("provider_unanswered", str(error))


def failure_of(job: ParseJob) -> Failed:
    """What to raise for a provider job that failed: its code, and whether trying again may help."""
    return Failed(job.code, why_ended(job), permanent=job.permanent, start_over=not job.permanent)


def why_ended(job: ParseJob) -> str:
    """The provider's own reason, with what Postgres cannot store replaced."""
    reason = _NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", job.reason or "")
    return reason[:_LONGEST] or f"The provider says {job.said} and gives no reason."


async def is_stuck(job: ParseJob, client: ProviderClient, engine: Engine) -> bool:
    """Whether an unfinished job is too old, by Postgres's clock, to end any more.

    Not every provider says when its job was created. Then it is as old as our record of it.
    """
    since = job.created_at or await engine.submitted_at(client.name, job.id)
    return since is not None and await engine.clock() - since > STUCK_AFTER
