"""Times and spans as people write them in an option."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.timing import now

__all__ = ["coming_moment_of", "moment_of", "span_of"]

_SPAN = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment_of(option: str, text: str) -> datetime:
    """A time, or how long ago it is. A time without a zone is in UTC. Raises WrongUsage."""
    return _moment(option, text, direction=-1)


def coming_moment_of(option: str, text: str) -> datetime:
    """A time, or in how long it is. A time without a zone is in UTC. Raises WrongUsage."""
    return _moment(option, text, direction=1)


def _moment(option: str, text: str, *, direction: int) -> datetime:
    try:
        if (span := _span(text)) is not None:
            return now() + direction * span
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise WrongUsage(
            f"{option} {printable(text)} is wrong. Right values: 90s, 30m, 12h or 7d for a time"
            f" {'ago' if direction < 0 else 'from now'}, or a time like 2026-11-25 or"
            " 2026-11-25T08:30."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def span_of(option: str, text: str) -> timedelta:
    """A span that is longer than 0. Raises WrongUsage."""
    try:
        span = _span(text)
    except OverflowError:
        span = None
    if not span:
        raise WrongUsage(f"{option} {printable(text)} is wrong. Right values: 90s, 30m, 12h or 7d.")
    return span


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text.strip())
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
