"""The outcome for a job when a call to the provider fails, or the provider failed to parse it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from hookline.providers.llamacloud.errors import (
    Misconfigured,
    ProviderError,
    QuotaSpent,
    RateLimited,
    Refused,
)
from hookline.providers.llamacloud.jobs import ParseJob
from hookline.stages import Deferred, Failed, Paused

__all__ = ["failure_of", "is_stuck", "outcome_of_error", "why_ended"]

# How long a stage is paused. Long enough not to burden the provider, short enough to go on soon
# after the reason is gone.
PROVIDER_PAUSE: Final = timedelta(minutes=15)
# A healthy provider ends a job long before this.
STUCK_AFTER: Final = timedelta(hours=24)

_PERMANENT: Final = frozenset(
    {
        "UNSUPPORTED_FILE_TYPE",
        "PDF_IS_PROTECTED",
        "PDF_IS_BROKEN",
        "NO_DATA_FOUND_IN_FILE",
        "DOCUMENT_TOO_LARGE",
        "TOO_MANY_PAGES",
    }
)
"""Failures of the document itself. Parsing it again gives the same failure."""

_CODE: Final = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bTIMEOUT\b")
_NOT_STORABLE: Final = re.compile("[\0\ud800-\udfff]")
_LONGEST: Final = 1000


def outcome_of_error(error: ProviderError) -> Deferred | Failed:
    """What to raise for a job whose call failed, if it is harmless should it have been carried out.

    That the provider is away never counts as a failed try.
    """
    match error:
        case QuotaSpent():
            return Paused("quota_spent", str(error), PROVIDER_PAUSE)
        case Misconfigured():
            reason = f"LLAMA_CLOUD_API_KEY or LLAMA_CLOUD_BASE_URL may be wrong. {error}"
            return Paused("provider_refused_us", str(error), PROVIDER_PAUSE, reason[:500])
        case RateLimited():
            return Deferred("rate_limited", str(error))
        case Refused():
            return Failed("provider_refused", str(error))
        case _:
            return Deferred("provider_unanswered", str(error))


def failure_of(job: ParseJob) -> Failed:
    """What to raise for a provider job that FAILED: its code, and whether trying again may help."""
    text = why_ended(job)
    found = _CODE.search(text)
    code = found[0][:100] if found else "parse_failed"
    return Failed(code, text, permanent=code in _PERMANENT, start_over=code not in _PERMANENT)


def why_ended(job: ParseJob) -> str:
    """The provider's own reason, with what Postgres cannot store replaced."""
    said = _NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", job.error_message or "")
    return said[:_LONGEST] or f"The provider says {job.status} and gives no reason."


def is_stuck(job: ParseJob, now: datetime) -> bool:
    """Whether an unfinished job is too old at `now`, by Postgres's clock, to end any more."""
    return job.created_at is not None and now - job.created_at > STUCK_AFTER
