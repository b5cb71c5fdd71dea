"""Bars of a plot, as numbers for an SVG picture that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hookline.dashboard.queries import MinuteOfWork

__all__ = ["HEIGHT", "WIDTH", "Bar", "bars"]

WIDTH = 10
"""Of one bar, with the space after it. The picture is HEIGHT high."""
HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Bar:
    """A minute. Heights add up to at most HEIGHT: `failed` stands on `arrived`, on `other`."""

    x: int
    at: datetime
    work: MinuteOfWork | None
    other: float
    arrived: float
    failed: float


def bars(work: Sequence[MinuteOfWork], now: datetime, minutes: int) -> list[Bar]:
    """One bar for each of the last minutes, up to the one that has begun."""
    by_minute = {one.at: one for one in work}
    last = now.replace(second=0, microsecond=0)
    most = max((one.steps for one in work), default=0) or 1
    drawn = []
    for place in range(minutes):
        at = last - timedelta(minutes=minutes - 1 - place)
        one = by_minute.get(at)
        scale = HEIGHT / most
        drawn.append(
            Bar(
                x=place * WIDTH,
                at=at,
                work=one,
                other=(one.steps - one.arrived - one.failed) * scale if one else 0,
                arrived=one.arrived * scale if one else 0,
                failed=one.failed * scale if one else 0,
            )
        )
    return drawn
