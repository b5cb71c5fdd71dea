"""A job and an event as people read them."""

from __future__ import annotations

from rich.text import Text

from hookline.cli.output import console, duration, printable, summary, timestamp
from hookline.postgres.views import JobOverview, TimelineEvent

__all__ = ["EVENT_COLUMNS", "JOB_COLUMNS", "SEVERITIES", "event_row", "job_row", "print_overview"]

JOB_COLUMNS = ("job", "file", "status", ">attempt", "created (UTC)", "moved (UTC)", "remark")
EVENT_COLUMNS = (">#", "time (UTC)", ">after", "step", "type", "severity", "code", "payload")

SEVERITIES = {"error": "red", "warn": "yellow", "info": ""}


def job_row(one: JobOverview) -> list[str | Text]:
    return [
        str(one.job_id),
        one.filename,
        Text(one.status, style="red" if one.failed else ""),
        f"{one.attempt}/{one.max_attempts}",
        timestamp(one.created_at).removesuffix("Z"),
        timestamp(one.updated_at).removesuffix("Z"),
        _remark(one),
    ]


def _remark(one: JobOverview) -> Text:
    if one.failed:
        error = one.last_error or {}
        return Text(printable(f"{error.get('code', '')}: {error.get('error', '')}"), style="red")
    if one.overdue:
        return Text("overdue", style="yellow")
    if one.leased_by is not None:
        return Text(printable(f"leased by {one.leased_by}"))
    if one.last_error is not None and not one.terminal:
        error = one.last_error
        text = printable(f"comes again, {error.get('code', '')}: {error.get('error', '')}")
        return Text(text, style="yellow")
    return Text("" if one.upload_confirmed else "waits for its upload")


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


def print_overview(one: JobOverview) -> None:
    status = one.status + (" (overdue)" if one.overdue else "")
    rows = {
        "job": str(one.job_id),
        "document": str(one.document_id),
        "owner": str(one.owner_id),
        "file": one.filename,
        "status": status,
        "attempt": f"{one.attempt} of {one.max_attempts}",
        "created": timestamp(one.created_at),
        "updated": timestamp(one.updated_at),
        "deadline": timestamp(one.deadline_at),
        "leased by": f"{one.leased_by} until {timestamp(one.leased_until)}"
        if one.leased_by
        else "",
        "content": f"{one.parsed_path} ({one.parsed_bytes:,} bytes)" if one.parsed_path else "",
        "last error": summary(one.last_error or {}, at_most=None),
        "correlation": one.correlation_id,
    }
    for name, value in rows.items():
        if value:
            console().print(Text.assemble((f"{name:<12}", "bold"), printable(value)))
