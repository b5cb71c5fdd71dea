"""Reports the provider's answer about a job to the engine, as its own webhook would have."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.providers.llamacloud.jobs import ParseJob
from hookline.worker.parsing.outcomes import why_ended

__all__ = ["SOURCE", "report"]

SOURCE: Final = "llamacloud"
"""The source of the provider's webhooks. An answer that we asked for has the same source."""

# By status: the event type of the provider, and our code for it.
_ENDS: Final = {
    "COMPLETED": ("parse.success", "parse_ready"),
    "FAILED": ("parse.error", "parse_ended"),
    "CANCELLED": ("parse.cancelled", "parse_cancelled"),
}


async def report(engine: Engine, job: ParseJob) -> Receipt | None:
    """Tell the engine that a provider job has ended. Returns None if it has not ended.

    A repeated report counts once. Raises DatabaseError.
    """
    if job.status not in _ENDS:
        return None
    event_type, code = _ENDS[job.status]
    payload: dict[str, Any] = {"parse_job_id": job.id, "asked": True}
    if job.status != "COMPLETED":
        payload["error"] = why_ended(job)
    delivery_id = f"asked:{job.status}:{job.id}"
    return await engine.receive_event(
        SOURCE,
        hashlib.sha256(delivery_id.encode()).hexdigest(),
        Notice(
            delivery_id=delivery_id,
            event_type=event_type,
            code=code,
            parse_job_id=job.id,
            payload=payload,
        ),
    )
