"""Print one job in full, one value a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from hookline.cli.formats import printable, summary, timestamp
from hookline.cli.output import console
from hookline.postgres.views import Artifact, JobOverview, LoggedRequest

__all__ = ["print_overview"]

# A document may have a picture of each of its pages.
_NAMED: Final = 20


def print_overview(
    one: JobOverview,
    artifacts: Sequence[Artifact] = (),
    requests: Sequence[LoggedRequest] = (),
) -> None:
    """Print every value that the job has, its artifacts, and what its providers are to cancel."""
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
        "waiting": one.waits_because,
        "content": f"{one.parsed_path} ({one.parsed_bytes:,} bytes)" if one.parsed_path else "",
        "last error": summary(one.last_error or {}, at_most=None),
        "correlation": one.correlation_id,
        "provider": one.provider,
        "options": summary(one.options, at_most=None),
        "metadata": summary(one.metadata, at_most=None),
        "priority": str(one.priority or ""),
        "group": str(one.group_id or ""),
    }
    told = [("artifact", f"{one.label} ({one.bytes:,} bytes)") for one in artifacts[:_NAMED]]
    if rest := artifacts[_NAMED:]:
        size = sum(one.bytes for one in rest)
        told.append(("artifact", f"and {len(rest):,} more ({size:,} bytes): see --json"))
    told += [("at provider", _sentence(request)) for request in requests]
    for name, value in (*rows.items(), *told):
        if value:
            console().print(
                Text.assemble((f"{name:<12}", "bold"), printable(value)), soft_wrap=True
            )


def _sentence(request: LoggedRequest) -> str:
    said = request.result or request.last_error
    return f"{request.kind} {request.parse_job_id} of {request.provider}: {request.state}" + (
        f" ({said})" if said and said != request.state else ""
    )
