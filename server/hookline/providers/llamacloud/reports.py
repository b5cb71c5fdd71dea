"""What the provider said when it was asked, as the notification that it might have sent."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.providers.llamacloud.jobs import ParseJob
from hookline.providers.llamacloud.outcomes import why_ended

__all__ = ["SOURCE", "report"]

SOURCE: Final = "llamacloud"
"""The source of the provider's own notifications: an answer is one of them, asked for."""

# The type of the notification, and the code that it has here.
_ENDS: Final = {
    "COMPLETED": ("parse.success", "parse_ready"),
    "FAILED": ("parse.error", "parse_ended"),
    "CANCELLED": ("parse.cancelled", "parse_cancelled"),
}


async def report(engine: Engine, job: ParseJob) -> Receipt | None:
    """Tell the engine that a provider job has ended; None, and nothing told, if it has not.

    However often it is told, it counts once. Raises DatabaseError.
    """
    if job.status not in _ENDS:
        return None
    event_type, code = _ENDS[job.status]
    payload: dict[str, Any] = {"parse_job_id": job.id, "asked": True}
    if job.status != "COMPLETED":
        payload["error"] = why_ended(job)
    said = f"asked:{job.status}:{job.id}"
    return await engine.receive_event(
        SOURCE,
        hashlib.sha256(said.encode()).hexdigest(),
        Notice(
            delivery_id=said,
            event_type=event_type,
            code=code,
            parse_job_id=job.id,
            payload=payload,
        ),
    )
