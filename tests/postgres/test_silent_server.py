"""A server that is gone, or hangs, or ends its connections: each call ends, and the next succeeds.

A proxy stands between: it stalls, refuses, or ends connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from psycopg_pool.base import AttemptWithBackoff

from hookline.postgres import listener, pool
from hookline.postgres.errors import Unavailable
from hookline.postgres.listener import Listener
from hookline.postgres.notifier import CHANNEL
from hookline.postgres.pool import open_pool, transaction
from support.proxy import Proxy
from support.waiting import until

SIZE = 4
Login = Callable[[str], str]


@pytest.fixture
def proxy(login: Login) -> Iterator[Proxy]:
    with Proxy.before(login("ingest")) as made:
        yield made


@pytest.fixture
async def through_proxy(proxy: Proxy, login: Login) -> AsyncIterator[AsyncConnectionPool]:
    """A pool with all its connections open and idle."""
    url = proxy.url(login("ingest"))
    async with open_pool(url, size=SIZE, prepare_threshold=5, name="hookline-test") as made:
        await made.resize(SIZE, SIZE)
        await made.wait()
        yield made


async def ask(over: AsyncConnectionPool) -> int:
    async with transaction(over) as connection:
        row = await (await connection.execute("select 7")).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_call_that_hangs_is_cut_and_cancelled_and_no_other_caller_meets_it(
    proxy: Proxy, through_proxy: AsyncConnectionPool, database: str
) -> None:
    started = asyncio.get_running_loop().time()

    async def hang() -> None:
        async with transaction(through_proxy, within=0.5) as connection:
            proxy.stall()
            await connection.execute("select pg_sleep(600)")

    with pytest.raises(Unavailable, match=r"no answer within 0.5 s"):
        await hang()
    # Idle connections that are just as silent were dropped with it.
    assert await asyncio.gather(*(ask(through_proxy) for _ in range(SIZE))) == [7] * SIZE
    assert asyncio.get_running_loop().time() - started < 6
    with psycopg.connect(database) as superuser:
        found = (
            "select from pg_stat_activity where state = 'active' and query like '%pg_sleep(600)'"
        )
        assert superuser.execute(found).fetchall() == []


async def test_connections_that_a_pooler_ended_while_idle_fail_no_call(
    proxy: Proxy, through_proxy: AsyncConnectionPool
) -> None:
    proxy.end()
    await until(lambda: proxy.open == 0)
    assert await asyncio.gather(*(ask(through_proxy) for _ in range(SIZE))) == [7] * SIZE


async def test_sessions_that_the_server_ended_while_idle_fail_no_call(
    through_proxy: AsyncConnectionPool, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = 'hookline-test'"
        )
    assert await asyncio.gather(*(ask(through_proxy) for _ in range(SIZE))) == [7] * SIZE


async def test_pauses_between_tries_to_connect_stay_short_in_a_long_outage(
    proxy: Proxy, through_proxy: AsyncConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A hundredth of the real times. If pauses doubled without end, 60 tries would take years.
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", AttemptWithBackoff.INITIAL_DELAY / 100)
    through_proxy.reconnect_timeout /= 100
    through_proxy.timeout /= 100
    proxy.refuse()
    async with asyncio.timeout(20):
        while proxy.refused < 60:
            with pytest.raises(Unavailable):
                await ask(through_proxy)
    through_proxy.timeout *= 100
    proxy.forward()
    started = asyncio.get_running_loop().time()
    assert await ask(through_proxy) == 7
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_caller_learns_why_there_is_no_connection(login: Login, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as superuser:
        name = superuser.info.dbname
        superuser.execute(f'alter database "{name}" connection limit 0'.encode())
        async with open_pool(login("ingest"), size=1, prepare_threshold=5, name="test") as full:
            full.timeout = 0.5
            with pytest.raises(Unavailable, match="too many connections for database"):
                await ask(full)
            superuser.execute(f'alter database "{name}" connection limit -1'.encode())
            full.timeout = 30
            assert await ask(full) == 7
            async with transaction(full):
                full.timeout = 0.01
                with pytest.raises(Unavailable, match="no connection to Postgres became free"):
                    await ask(full)


async def test_the_pool_gives_up_soon_enough_to_begin_anew() -> None:
    made = open_pool("", size=SIZE, prepare_threshold=5, name="hookline-test")
    assert made.reconnect_timeout == pool._RECONNECT_TIMEOUT <= 5


async def test_a_listener_whose_server_falls_silent_listens_again(
    proxy: Proxy, login: Login, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_ASK_AFTER", 0.1)
    monkeypatch.setattr(listener, "_ANSWER_TIMEOUT", 0.2)
    heard: list[str | None] = []
    listening = Listener(proxy.url(login("worker")), heard.append)
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(listening.run())
        stack.push_async_callback(asyncio.wait, {task})
        stack.callback(task.cancel)
        await until(lambda: listening.listening)
        proxy.stall()
        await until(lambda: not listening.listening)
        await until(lambda: listening.listening)
        with psycopg.connect(database, autocommit=True) as superuser:
            superuser.execute(f"notify {CHANNEL}, 'parsed'".encode())
        await until(lambda: heard[-1:] == ["parsed"])
        assert heard.count(None) == 2, "claimers are told that they may have missed something"
