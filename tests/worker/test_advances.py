"""Jobs whose handlers end at the same time are moved together, and none of them harms another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing, nullcontext
from typing import Any
from uuid import UUID

import psycopg
import pytest

from hookline.postgres.engine import Engine
from hookline.stages import Advance, Job, Stage, Tools
from hookline.tracing import spans
from support.waiting import until
from support.workplace import Workplace

JOBS = 8


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each call of advance_jobs moves."""
    sizes: list[int] = []
    original = Engine.advance_jobs

    async def recorded(self: Engine, advances: Sequence[Any]) -> Any:
        sizes.append(len(advances))
        return await original(self, advances)

    monkeypatch.setattr(Engine, "advance_jobs", recorded)
    return sizes


def _ending_together(payloads: dict[UUID, dict[str, object]]) -> Stage:
    """A stage whose handlers end when all of them have begun."""
    all_there = asyncio.Barrier(JOBS)

    async def index(job: Job, tools: Tools) -> Advance:
        if job.job_id not in payloads:
            return Advance("job_completed")
        payload = payloads.pop(job.job_id)
        await all_there.wait()
        return Advance("job_completed", payload)

    return Stage("parsed", index, concurrency=JOBS)


async def test_jobs_that_end_together_share_a_statement(
    workplace: Workplace, sent: list[int]
) -> None:
    jobs = [workplace.parsed_job() for _ in range(JOBS)]
    async with workplace.working(_ending_together({job: {} for job in jobs})):
        await until(lambda: all(workplace.status(job) == "complete" for job in jobs))
    assert sum(sent) == JOBS
    assert len(sent) <= JOBS // 2


async def test_each_of_them_has_a_span_for_its_wait(workplace: Workplace) -> None:
    names: list[str] = []

    class Names:
        def span(self, name: str, *more: object) -> nullcontext[spans.Span]:
            names.append(name)
            return nullcontext(spans.Span())

        def ids(self) -> dict[str, str]:
            return {}

    jobs = [workplace.parsed_job() for _ in range(JOBS)]
    spans.use(Names())
    try:
        async with workplace.working(_ending_together({job: {} for job in jobs})):
            await until(lambda: all(workplace.status(job) == "complete" for job in jobs))
    finally:
        spans.use(None)
    assert names.count("upload_pipeline.advance_jobs") == JOBS


async def test_a_payload_that_cannot_be_stored_fails_only_its_own_job(
    workplace: Workplace,
) -> None:
    jobs = [workplace.parsed_job() for _ in range(JOBS)]
    payloads: dict[UUID, dict[str, object]] = {job: {} for job in jobs}
    payloads[jobs[3]] = {"text": "\0"}
    async with workplace.working(_ending_together(payloads)):
        await until(
            lambda: all(workplace.status(job) == "complete" for job in jobs if job != jobs[3])
        )
        await until(lambda: "stage_retried" in workplace.codes(jobs[3]))


async def test_a_job_that_another_session_holds_delays_no_other(workplace: Workplace) -> None:
    jobs = [workplace.parsed_job() for _ in range(JOBS)]
    held = asyncio.Event()
    stage = _ending_together({job: {} for job in jobs})

    async def index(job: Job, tools: Tools) -> Any:
        await held.wait()
        return await stage.handler(job, tools)

    with closing(psycopg.connect(workplace.database)) as other:
        async with workplace.working(Stage("parsed", index, concurrency=JOBS)):
            await until(lambda: all(workplace.job(job)["lease_token"] for job in jobs))
            other.execute(
                "select from upload_pipeline.upload_jobs where job_id = %s for update", [jobs[3]]
            )
            held.set()
            await until(
                lambda: all(workplace.status(job) == "complete" for job in jobs if job != jobs[3])
            )
            other.rollback()
            await until(lambda: workplace.status(jobs[3]) == "complete")
