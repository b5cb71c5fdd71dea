"""What a database or a role sets for its sessions changes neither what we read nor what we do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.errors import IsolationUnsupported
from hookline.postgres.migrations import migrate, pending
from hookline.postgres.pool import open_pool, transaction
from hookline.postgres.records import Receipt
from hookline.postgres.views import Views
from support.servers import Server

SETTINGS = {
    "defaults": None,
    "German dates": "DateStyle = 'German, DMY'",
    "SQL dates": "DateStyle = 'SQL, MDY'",
    "ISO dates, day first": "DateStyle = 'ISO, DMY'",
    "LATIN1": "client_encoding = 'LATIN1'",
    "Kolkata": "TimeZone = 'Asia/Kolkata'",
    "a nameless zone": "TimeZone = '<+0545>-05:45'",
    "ISO intervals": "IntervalStyle = 'iso_8601'",
    "repeatable read": "default_transaction_isolation = 'repeatable read'",
    "serializable": "default_transaction_isolation = 'serializable'",
    "lazy commits": "synchronous_commit = off",
    "old strings": "standard_conforming_strings = off",
}


@pytest.fixture(params=list(SETTINGS.values()), ids=list(SETTINGS))
def unusual(request: pytest.FixtureRequest, database: str) -> str:
    """The URL of a database that sets something for its sessions."""
    change_defaults(database, request.param)
    return database


def change_defaults(database: str, setting: str | None) -> None:
    if setting is not None:
        name = urlsplit(database).path.removeprefix("/")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f'alter database "{name}" set {setting}'.encode())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncConnectionPool]:
    async with open_pool(url, size=4, prepare_threshold=5, name="hookline-test") as pool:
        yield pool


def new_job(engine: Engine) -> Awaitable[Receipt]:
    return engine.create_job(
        owner_id=uuid4(),
        filename="報告.pdf",
        mime="application/pdf",
        bytes_len=9,
        file_sha256=uuid4().hex * 2,
        raw_path="storage://raw/a.pdf",
    )


async def test_a_transaction_has_the_isolation_and_formats_that_we_rely_on(
    unusual: str, login: Callable[[str], str]
) -> None:
    async with opened(login("operator")) as pool, transaction(pool) as connection:
        cursor = await connection.execute(
            "select current_setting('transaction_isolation'), current_setting('client_encoding'),"
            " current_setting('standard_conforming_strings'),"
            " current_setting('synchronous_commit'), now(), interval '1 day 2 hours', %s",
            ["報告"],
        )
        isolation, encoding, *switches, moment, interval, text = await cursor.fetchone() or ()
    assert (isolation, encoding, switches) == ("read committed", "UTF8", ["on", "on"])
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
    assert (interval, text) == (timedelta(days=1, hours=2), "報告")


async def test_jobs_are_made_and_read_as_without(unusual: str, login: Callable[[str], str]) -> None:
    async with opened(login("operator")) as pool:
        engine, views = Engine(pool), Views(pool)
        # At once: under a stricter isolation some of them would fail.
        receipts = await asyncio.gather(*(new_job(engine) for _ in range(16)))
        assert {receipt.outcome for receipt in receipts} == {"applied"}
        jobs = await views.jobs()
        assert {job.filename for job in jobs} == {"報告.pdf"}
        assert all(abs(job.created_at - datetime.now(UTC)) < timedelta(minutes=1) for job in jobs)
        [event] = await views.timeline(jobs[0].job_id)
        assert event.ts == jobs[0].created_at
        assert all(status.retry_base > timedelta(0) for status in await views.statuses())
        await views.queue_health()
        await views.alerts()


async def test_migrations_are_applied_as_without(postgres18: Server) -> None:
    for setting in SETTINGS.values():
        with postgres18.create() as url:
            change_defaults(url, setting)
            done = await asyncio.gather(*(asyncio.to_thread(migrate, url) for _ in range(2)))
            assert sorted(map(len, done))[0] == 0, "the second one finds nothing to do"
            with psycopg.connect(url, autocommit=True) as connection:
                assert pending(connection) == []


async def test_a_stricter_synchronous_commit_is_kept(
    database: str, login: Callable[[str], str]
) -> None:
    change_defaults(database, "synchronous_commit = remote_apply")
    change_defaults(database, "DateStyle = 'German, DMY'")
    async with opened(login("operator")) as pool, transaction(pool) as connection:
        cursor = await connection.execute("show synchronous_commit")
        assert await cursor.fetchone() == ("remote_apply",)


async def test_default_that_changes_while_we_are_connected_refuses_one_call_only(
    login: Callable[[str], str],
) -> None:
    async with open_pool(
        login("operator"), size=1, prepare_threshold=5, name="hookline-test"
    ) as pool:
        async with pool.connection() as connection:
            # As a reload of postgresql.conf does to every session.
            await connection.execute("set default_transaction_isolation = 'serializable'")
        engine = Engine(pool)
        with pytest.raises(IsolationUnsupported):
            await new_job(engine)
        assert (await new_job(engine)).outcome == "applied"


async def test_ordinary_defaults_cost_nothing(login: Callable[[str], str]) -> None:
    async with opened(login("operator")) as pool, transaction(pool) as connection:
        assert connection.autocommit, "one call is one statement, without begin and commit"
