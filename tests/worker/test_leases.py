"""A lease gives a job to one worker at a time, and no job is lost with its worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from uuid import UUID

import structlog

from hookline.stages import Advance, Deferred, HandedOver, Job, Stage, Tools
from support.waiting import until
from support.workplace import Workplace

Handled = Advance | HandedOver | str


class _Recorder:
    """A handler that runs until `go_on` is set, and records when it began and was cancelled."""

    def __init__(self) -> None:
        self.began: list[UUID] = []
        self.cancelled: list[UUID] = []
        self.go_on = asyncio.Event()

    async def __call__(self, job: Job, tools: Tools) -> Handled:
        self.began.append(job.job_id)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job.job_id)
            raise
        return "job_completed"


async def test_many_workers_run_every_job_once_and_claim_no_more_than_their_concurrency(
    workplace: Workplace,
) -> None:
    done: Counter[UUID] = Counter()
    at_work: Counter[int] = Counter()
    most = 0

    def stage(worker: int) -> Stage:
        async def work(job: Job, tools: Tools) -> Handled:
            nonlocal most
            at_work[worker] += 1
            most = max(most, at_work[worker])
            done[job.job_id] += 1
            await asyncio.sleep(0.01)
            at_work[worker] -= 1
            return "job_completed"

        return Stage("parsed", work, concurrency=3)

    jobs = [workplace.parsed_job() for _ in range(40)]
    async with AsyncExitStack() as workers:
        for number in range(4):
            await workers.enter_async_context(workplace.working(stage(number), pool_size=3))
        held = []
        while sum(done.values()) < len(jobs):
            held.append(
                workplace.one(
                    "select count(*) from upload_pipeline.upload_jobs where lease_token is not null"
                )["count"]
            )
            await asyncio.sleep(0.01)
        await until(lambda: all(workplace.status(job) == "complete" for job in jobs))
    assert done == Counter(jobs)
    assert most == 3
    assert max(held) <= 4 * 3


async def test_heartbeats_keep_the_lease_of_a_handler_that_runs_longer(
    workplace: Workplace,
) -> None:
    slow = _Recorder()
    other = _Recorder()
    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", slow), lease=1):
        await until(lambda: bool(slow.began))
        async with workplace.working(Stage("parsed", other), lease=1):
            await asyncio.sleep(1.5)
            slow.go_on.set()
            await until(lambda: workplace.status(job_id) == "complete")
    assert (slow.began, other.began) == ([job_id], [])
    assert workplace.codes(job_id)[-2:] == ["parse_completed", "job_completed"]


async def test_cancelling_or_erasing_a_job_cancels_its_handler(workplace: Workplace) -> None:
    slow = _Recorder()
    cancelled, erased = workplace.parsed_job(), workplace.parsed_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", slow), lease=1):
            await until(lambda: len(slow.began) == 2)
            workplace.query("select upload_pipeline.cancel_job(%s)", cancelled)
            workplace.query(
                "select upload_pipeline.erase_document(%s)", workplace.job(erased)["document_id"]
            )
            await until(lambda: len(slow.cancelled) == 2)
    assert workplace.status(cancelled) == "cancelled"
    ended = {line["job_id"]: line["result"] for line in lines if line["event"] == "job"}
    assert ended == {str(cancelled): "lost", str(erased): "lost"}


async def test_a_handler_that_hangs_is_cancelled_at_its_timeout_and_the_try_failed(
    workplace: Workplace,
) -> None:
    workplace.query("update upload_pipeline.statuses set max_tries = 1")
    hangs = _Recorder()
    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", hangs, timeout=0.1)):
        await until(lambda: workplace.status(job_id) == "failed_stage")
    assert hangs.cancelled == [job_id]
    assert workplace.job(job_id)["last_error"]["code"] == "stage_timeout"


async def test_a_result_after_the_lease_was_lost_changes_nothing(workplace: Workplace) -> None:
    slow = _Recorder()
    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", slow)):
        await until(lambda: bool(slow.began))
        workplace.query("select upload_pipeline.cancel_job(%s)", job_id)
        slow.go_on.set()
    assert workplace.status(job_id) == "cancelled"


async def test_a_handler_that_finds_its_lease_lost_before_the_heartbeat_has_not_failed(
    workplace: Workplace,
) -> None:
    async def find_out(job: Job, tools: Tools) -> Handled:
        workplace.query("select upload_pipeline.cancel_job(%s)", job.job_id)
        await tools.engine.heartbeat(job.job_id, job.lease_token)
        return "job_completed"

    job_id = workplace.parsed_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", find_out)):
            await until(lambda: any(line["event"] == "job" for line in lines))
    assert workplace.status(job_id) == "cancelled"
    assert [line["result"] for line in lines if line["event"] == "job"] == ["lost"]
    assert "error" not in {line["log_level"] for line in lines}


async def test_a_lease_that_a_hand_over_ends_is_not_lost(workplace: Workplace) -> None:
    cancelled = []

    async def hand_over(job: Job, tools: Tools) -> Handled:
        tools.expect_hand_over()
        workplace.query("select upload_pipeline.record_submission(%s, 1, 'p-1')", job.job_id)
        try:
            await asyncio.sleep(0.8)  # At least one heartbeat finds the lease ended.
        except asyncio.CancelledError:
            cancelled.append(job.job_id)
            raise
        return HandedOver()

    job_id = workplace.uploaded_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("uploaded", hand_over), lease=1):
            await until(lambda: any(line["event"] == "job" for line in lines))
    assert cancelled == []
    assert workplace.status(job_id) == "parse_queued"
    assert [line["result"] for line in lines if line["event"] == "job"] == ["handed_over"]
    assert {line["log_level"] for line in lines} == {"info"}


async def test_a_hand_over_that_fails_after_the_lease_ended_is_lost(workplace: Workplace) -> None:
    async def hand_over(job: Job, tools: Tools) -> Handled:
        tools.expect_hand_over()
        workplace.query("select upload_pipeline.cancel_job(%s)", job.job_id)
        await asyncio.sleep(0.8)
        raise Deferred("NOT_TAKEN", "The receiver did not take it.")

    job_id = workplace.parsed_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", hand_over), lease=1):
            await until(lambda: any(line["event"] == "job" for line in lines))
    assert workplace.status(job_id) == "cancelled"
    assert [line["result"] for line in lines if line["event"] == "job"] == ["lost"]


async def test_a_stop_lets_handlers_finish_and_claims_nothing_more(workplace: Workplace) -> None:
    slow = _Recorder()
    first = workplace.parsed_job()
    async with workplace.working(Stage("parsed", slow)):
        await until(lambda: bool(slow.began))
        asyncio.get_running_loop().call_later(0.2, slow.go_on.set)
        second = workplace.parsed_job()
    assert workplace.status(first) == "complete"
    assert workplace.status(second) == "parsed"
    assert slow.cancelled == []


async def test_a_stop_releases_the_lease_of_an_unfinished_handler_and_counts_no_try(
    workplace: Workplace,
) -> None:
    slow = _Recorder()
    job_id = workplace.parsed_job()
    before = workplace.job(job_id)
    async with workplace.working(Stage("parsed", slow), stop_timeout=0.1):
        await until(lambda: bool(slow.began))
    assert slow.cancelled == [job_id]
    assert workplace.job(job_id) == before


async def test_a_handler_that_resists_cancellation_does_not_delay_a_stop(
    workplace: Workplace,
) -> None:
    began = asyncio.Event()
    resisting = asyncio.Event()
    go_on = asyncio.Event()

    async def resist(job: Job, tools: Tools) -> Handled:
        began.set()
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                resisting.set()
        return "job_completed"

    job_id = workplace.parsed_job()
    try:
        async with workplace.working(Stage("parsed", resist), stop_timeout=0.1):
            await until(began.is_set)
        assert resisting.is_set()
        assert workplace.job(job_id)["lease_token"] is None
    finally:
        go_on.set()
