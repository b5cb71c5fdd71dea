"""The timeline of a job as people read it: one row for each event, the same in every command."""

from __future__ import annotations

from datetime import UTC

from rich.text import Text

from hookline.cli.formats import duration, printable, summary
from hookline.postgres.views import TimelineEvent

__all__ = ["EVENT_COLUMNS", "SEVERITIES", "event_line", "event_row"]

EVENT_COLUMNS = (">#", "time (UTC)", ">after", "status", "code", "payload")
SEVERITIES = {"error": "red", "warn": "yellow", "info": ""}


def event_row(event: TimelineEvent) -> list[str | Text]:
    """The cells under EVENT_COLUMNS. The severity is the colour of the code."""
    return [
        str(event.version),
        f"{event.ts.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        duration(event.after_the_last),
        _step(event),
        Text(event.code, style=SEVERITIES[event.severity]),
        summary(event.payload),
    ]


def event_line(event: TimelineEvent) -> Text:
    """The same cells as one line, with the time of day only: for a timeline that still grows."""
    line = Text.assemble(
        f"{event.version:>3}  {event.ts.astimezone(UTC):%H:%M:%S}"
        f"  {duration(event.after_the_last):>7}  {_step(event):<27}  ",
        (f"{event.code:<18}", SEVERITIES[event.severity]),
        f"  {printable(summary(event.payload))}",
    )
    line.rstrip()
    return line


def _step(event: TimelineEvent) -> str:
    if event.from_status in (None, event.to_status):
        return event.to_status
    return f"{event.from_status} -> {event.to_status}"
