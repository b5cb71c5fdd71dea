"""Values as people read them: times, amounts, JSON objects, text that we did not write."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["credits_of", "duration", "printable", "summary", "timestamp"]

# Characters of a summary, so that a table row stays on one line.
_SUMMARY = 60


def duration(span: timedelta | float | None) -> str:
    """A span in the largest unit that fits: 12 ms, 3.4 s, 5 min, 6 h, 7 d. A float is seconds."""
    if span is None:
        return ""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    for size, unit in ((86400, "d"), (3600, "h")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} min"


def summary(payload: dict[str, Any], at_most: int | None = _SUMMARY) -> str:
    """A JSON object as `key=value` words, cut to `at_most` characters. None: not cut."""
    words = " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in payload.items()
        if value is not None
    )
    return words if at_most is None or len(words) <= at_most else f"{words[: at_most - 1]}…"


def printable(text: str) -> str:
    """The text with control characters as escapes, so that it cannot control the terminal."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def timestamp(time: datetime | None) -> str:
    """A time in UTC, to the second. Empty for None."""
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def credits_of(amount: Decimal) -> str:
    """An amount of credits, without zeros at its end; Infinity is `unlimited`."""
    return f"{amount.normalize():,f}" if amount.is_finite() else "unlimited"
