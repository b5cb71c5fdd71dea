"""Jobs as rows of a table."""

from __future__ import annotations

from rich.text import Text

from hookline.cli.formats import printable, timestamp
from hookline.postgres.views import JobOverview

__all__ = ["JOB_COLUMNS", "job_row"]

JOB_COLUMNS = ("job", "file", "status", ">attempt", "created (UTC)", "moved (UTC)", "remark")


def job_row(one: JobOverview) -> list[str | Text]:
    """The cells under JOB_COLUMNS."""
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
        text = printable(f"to be tried again, {error.get('code', '')}: {error.get('error', '')}")
        return Text(text, style="yellow")
    return Text("" if one.upload_confirmed else "waits for its upload")
