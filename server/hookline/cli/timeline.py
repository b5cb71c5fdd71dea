"""The timeline of a job as people read it: one row for each event, the same in every command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from rich.text import Text

from hookline.cli.formats import duration, printable, summary
from hookline.cli.output import console, fitted_table, print_table
from hookline.postgres.views import TimelineEvent

__all__ = ["EVENT_COLUMNS", "SEVERITIES", "event_line", "event_row", "print_timeline"]

EVENT_COLUMNS = (">#", "time (UTC)", ">after", "status", "code", "payload")
SEVERITIES = {"error": "red", "warn": "yellow", "info": ""}


# A narrower terminal has no room for the times.
_WIDE = 110


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


def print_timeline(events: Sequence[TimelineEvent]) -> None:
    """Print a table. On a terminal it has one line an event, and times of day only if they fit."""
    screen = console()
    if not screen.is_terminal:
        print_table(EVENT_COLUMNS, map(event_row, events))
        return
    rows, columns = [event_row(event) for event in events], list(EVENT_COLUMNS)
    if screen.width < _WIDE:
        rows, columns = [[row[0], *row[2:]] for row in rows], [columns[0], *columns[2:]]
    screen.print(fitted_table(columns, rows, screen.width, at_most={}))


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
