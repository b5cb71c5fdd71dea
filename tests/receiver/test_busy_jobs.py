"""A job that somebody holds keeps one connection at most, so the other jobs' webhooks get in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import Unavailable
from hookline.postgres.pool import open_pool, transaction
from hookline.receiver.busy_jobs import BusyJobs, JobBusy
from support.sender import Sender, Start, event_of
from support.waiting import until

POOL_SIZE = 2


async def test_webhooks_of_a_held_job_do_not_delay_those_of_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.receiver.busy_jobs._PAUSE", 0.0)
    async with start(pool_size=POOL_SIZE) as sender:
        held = sender.submitted("held")
        for n in range(4):
            sender.submitted(f"other-{n}")
        with psycopg.connect(sender.database) as forgotten:
            forgotten.execute(
                "select from upload_pipeline.upload_jobs where job_id = %s for update",
                [held.job_id],
            )
            first = asyncio.create_task(sender.send_event(event_of("held")))
            await wait_for_lock_wait(sender)
            again = await asyncio.gather(
                *(sender.send_event(event_of("held")) for _ in range(3 * POOL_SIZE))
            )
            assert {status for status, _ in again} == {503}
            others = await asyncio.gather(
                *(sender.send_event(event_of(f"other-{n}")) for n in range(4))
            )
            assert {status for status, _ in others} == {200}
            assert not first.done(), "all this while the first one waits for the row"
            assert (await first)[0] == 503
        assert (await sender.send_event(event_of("held")))[0] == 200


async def wait_for_lock_wait(sender: Sender) -> None:
    async with asyncio.timeout(10):
        while not sender.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'"):
            await asyncio.sleep(0.02)


@pytest.fixture
async def pool(login: Callable[[str], str]) -> AsyncIterator[AsyncConnectionPool]:
    async with open_pool(login("ingest"), size=1, prepare_threshold=5, name="test") as made:
        yield made


async def test_calls_about_one_job_follow_each_other(pool: AsyncConnectionPool) -> None:
    busy_jobs = BusyJobs(pool)
    running = 0

    async def call() -> None:
        nonlocal running
        async with busy_jobs.one_call("job"):
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(call() for _ in range(20)))


async def test_a_call_waits_for_a_slow_one_and_not_for_one_about_a_held_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hookline.receiver.busy_jobs._PATIENCE", 60.0)
    busy_jobs = BusyJobs()

    async def call(*, held: bool = False) -> None:
        async with busy_jobs.one_call("job", held=held):
            pass

    async with busy_jobs.one_call("job"):
        second = asyncio.create_task(call())
        with pytest.raises(JobBusy, match="another call"):
            await call(held=True)
        assert not second.done(), "it has waited longer than the one that was turned away"
    await second
    async with busy_jobs.one_call("job", held=True):
        with pytest.raises(JobBusy, match="another call"):
            async with asyncio.timeout(30):
                await call()


async def test_a_call_that_finds_its_job_held_ends_the_wait_of_the_others() -> None:
    busy_jobs = BusyJobs()

    asked = []

    async def call() -> None:
        async with busy_jobs.one_call("job"):
            asked.append("Postgres")
            await asyncio.sleep(0)
            raise Unavailable("held", sqlstate="55P03")

    ended = await asyncio.gather(*(call() for _ in range(4)), return_exceptions=True)
    assert [str(one) for one in ended] == ["held", *["another session holds the job"] * 3]
    assert asked == ["Postgres"]


async def test_a_call_that_takes_long_turns_others_away_and_leaves_nothing_behind(
    pool: AsyncConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.receiver.busy_jobs._PATIENCE", 0.0)
    busy_jobs = BusyJobs(pool)
    async with busy_jobs.one_call("job"):
        with pytest.raises(JobBusy):
            async with busy_jobs.one_call("job"):
                pass
        async with busy_jobs.one_call("another job"):
            pass
    async with busy_jobs.one_call("job"):
        pass
    with pytest.raises(Unavailable, match="held"):
        async with busy_jobs.one_call("job"):
            raise Unavailable("held", sqlstate="55P03")
    with pytest.raises(JobBusy):
        async with busy_jobs.one_call("job"):
            pass


async def test_when_many_calls_wait_for_a_connection_others_are_turned_away_at_once(
    pool: AsyncConnectionPool,
) -> None:
    busy_jobs = BusyJobs(pool)

    async def call() -> None:
        async with transaction(pool):
            pass

    async with transaction(pool):
        waiting = [asyncio.create_task(call()) for _ in range(8)]
        await until(lambda: pool.get_stats().get("requests_waiting") == 8)
        with pytest.raises(JobBusy, match="8 calls wait"):
            async with busy_jobs.one_call("job"):
                pass
    await asyncio.gather(*waiting)
    async with busy_jobs.one_call("job"):
        pass
