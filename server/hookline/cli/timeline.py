"""A step of a job's timeline as people read it."""

from __future__ import annotations

from rich.text import Text

from hookline.cli.output import duration, summary
from hookline.postgres.views import TimelineEvent

__all__ = ["EVENT_COLUMNS", "SEVERITIES", "event_row"]

EVENT_COLUMNS = (">#", "time (UTC)", ">after", "step", "type", "severity", "code", "payload")
SEVERITIES = {"error": "red", "warn": "yellow", "info": ""}


def event_row(event: TimelineEvent) -> list[str | Text]:
    origin = event.from_status or ""
    if origin == event.to_status:
        step = f"{origin} (stays)"
    else:
        step = f"{origin} -> {event.to_status}".strip()
    return [
        str(event.version),
        f"{event.ts:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        duration(event.after_the_last),
        step,
        event.type,
        Text(event.severity, style=SEVERITIES[event.severity]),
        event.code,
        summary(event.payload),
    ]
