"""What all executions of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from hookline.postgres.records import Receipt
from hookline.process.gathering import Gathering
from hookline.settings import Settings
from hookline.stages import Job
from hookline.storage.objects import Storage
from hookline.worker.metrics import WorkerMetrics

__all__ = ["WorkerContext", "log_fields"]


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all executions of one worker share.

    `advances` moves jobs by the steps that were done, together if they end at the same time. A call
    is a job's id, its lease token, and the code and the payload of its step. `notify` tells the
    other stages and workers that a job came to a status. `stop_deadline` is done when the worker
    stops and the time of its handlers is over.
    """

    pool: AsyncConnectionPool
    storage: Storage
    settings: Settings
    metrics: WorkerMetrics
    advances: Gathering[tuple[UUID, UUID, str, Mapping[str, object]], Receipt]
    notify: Callable[[str | None], None]
    stop_deadline: asyncio.Future[None]
    # Handlers that did not end when they were cancelled. They are held here, since asyncio may drop
    # a task that nothing refers to.
    abandoned: set[asyncio.Task[Any]] = field(default_factory=set)


def log_fields(job: Job) -> dict[str, object]:
    """The fields that every log line about a job has."""
    return {
        "stage": job.status,
        "job_id": str(job.job_id),
        "document_id": str(job.document_id),
        "attempt": job.attempt,
        "version": job.version,
        "correlation_id": job.correlation_id,
    }
