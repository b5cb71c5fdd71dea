"""How pages write times, spans and numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

__all__ = ["as_json", "count", "credits", "iso", "size", "span", "utc"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def span(length: timedelta | float) -> str:
    """A length of time in its two largest units: 42 ms, 3.4 s, 12 min, 2 h 5 min, 3 d 4 h."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 0:
        return "0 s"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = int(seconds)
    for place, (unit, word) in enumerate(_UNITS):
        if whole >= unit:
            rest = whole % unit
            if place + 1 < len(_UNITS) and (few := rest // _UNITS[place + 1][0]):
                return f"{whole // unit} {word} {few} {_UNITS[place + 1][1]}"
            return f"{whole // unit} {word}"
    return f"{whole} s"


def utc(moment: datetime) -> str:
    """A time for people, to the second: 2026-11-26 03:29:32Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def iso(moment: datetime) -> str:
    """A time for programs, as the attribute datetime of an element <time>."""
    return moment.astimezone(UTC).isoformat()


def count(number: int, limit: int | None = None) -> str:
    """A number with separators. With a limit, a larger one is `more than` the limit."""
    if limit is not None and number > limit:
        return f"more than {limit:,}"
    return f"{number:,}"


def credits(amount: Decimal) -> str:  # noqa: A001 - what it writes
    """An amount of credits, without zeros at its end; Infinity is `unlimited`."""
    if not amount.is_finite():
        return "unlimited"
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(number: int) -> str:
    """A number of bytes: 950 bytes, 1.2 KiB, 34 MiB."""
    if number < 1024:
        return f"{number} byte{'' if number == 1 else 's'}"
    amount = float(number)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024 or unit == "GiB":
            break
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def as_json(value: object) -> str:
    """A payload, indented."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
