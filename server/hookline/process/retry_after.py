"""The header Retry-After of an answer (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["seconds_until"]


def seconds_until(retry_after: str, now: datetime) -> float | None:
    """The seconds from `now` that a value asks for: a number or a date. None if it is neither.

    They may be too many for a timedelta, and less than 0 for a date that is over.
    """
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
        return ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
