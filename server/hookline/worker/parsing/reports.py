"""Reports the provider's answer about a job to the engine, as its own webhook would have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.providers.client import ParseJob, ProviderClient, Status
from hookline.worker.parsing.outcomes import why_ended

__all__ = ["report"]

_CODES: Final[Mapping[Status, str]] = {
    "done": "parse_ready",
    "failed": "parse_ended",
    "cancelled": "parse_cancelled",
}


async def report(engine: Engine, client: ProviderClient, job: ParseJob) -> Receipt | None:
    """Tell the engine that a provider job has ended. Returns None if it has not ended.

    The source is that of the provider's own webhooks. A repeated report counts once. Raises
    DatabaseError.
    """
    if job.status not in _CODES:
        return None
    payload: dict[str, Any] = {"parse_job_id": job.id, "asked": True}
    if job.status != "done":
        payload["error"] = why_ended(job)
    delivery_id = f"asked:{job.status}:{job.id}"
    return await engine.receive_event(
        client.name,
        hashlib.sha256(delivery_id.encode()).hexdigest(),
        Notice(
            delivery_id=delivery_id,
            event_type=client.event_types[job.status],
            code=_CODES[job.status],
            parse_job_id=job.id,
            payload=payload,
        ),
    )
