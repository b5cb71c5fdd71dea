"""Submits files as `hookline submit` does, and returns what happened to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import JobOverview, TimelineEvent, Views
from hookline.settings import Settings
from hookline.storage.opening import open_storage
from hookline.submission.files import Entry
from hookline.submission.submission import UPLOADS, Submission, Submitted


@asynccontextmanager
async def seen(settings: Settings) -> AsyncIterator[tuple[Engine, Views]]:
    async with connected(settings, size=UPLOADS + 1) as pool:
        yield Engine(pool), Views(pool)


async def submitted(
    settings: Settings, *paths: Path, owner_id: UUID, follow: bool = True, **options: Any
) -> list[Submitted]:
    """Submit files; return their results in the order in which they were done."""
    results: list[Submitted] = []
    async with open_storage(settings) as storage, seen(settings) as (engine, views):
        submission = Submission(
            engine, storage, views, owner_id, follow=follow, on_done=results.append, **options
        )
        await submission.run(map(Entry, paths))
    return results


async def jobs_of(
    settings: Settings, owner_id: UUID
) -> list[tuple[JobOverview, list[TimelineEvent]]]:
    """The jobs of an owner with their timelines. Fails if check_integrity finds something."""
    async with seen(settings) as (engine, views):
        assert await engine.check_integrity() == []
        jobs = await views.jobs(owner_id=owner_id)
        return [(job, await views.timeline(job.job_id)) for job in jobs]


def written(directory: Path, name: str, content: bytes) -> Path:
    (directory / name).write_bytes(content)
    return directory / name
