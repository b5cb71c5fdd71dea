"""Faults of Postgres and of the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import psycopg

from faults.lab import GOES_ON, STOPPED, Lab
from faults.ledger import Delivery, signed
from faults.small_disk import fill, small_disk
from hookline.standalone.embedded import ThrowawayPostgres
from support.failover import Failover
from support.pooler import running_pooler
from support.proxy import Proxy
from support.standby import running_pair


@asynccontextmanager
async def running_postgres() -> AsyncIterator[ThrowawayPostgres]:
    """A Postgres of the fault's own, with its settings as installed."""
    postgres = ThrowawayPostgres(options={})
    try:
        await asyncio.to_thread(postgres.start)
        yield postgres
    finally:
        await asyncio.to_thread(postgres.close)


async def packets_vanish(lab: Lab) -> None:
    """Packets of all open connections to Postgres vanish; new connections work at once."""
    async with running_postgres() as postgres:
        with Proxy.before(postgres.url) as proxy:
            async with lab.system(
                postgres.url, connect=proxy.url(postgres.url).rpartition("@")[2], recovers_within=15
            ) as system:
                await system.use_all_connections()
                lost = proxy.open
                await asyncio.to_thread(proxy.stall)
                system.end(goes_on=True)
    lab.row.remarks.append(f"{lost} connections lost")


async def outage(lab: Lab) -> None:
    """Postgres is away, and comes back."""
    async with running_postgres() as postgres, lab.system(postgres.url, per_second=5) as system:
        await asyncio.to_thread(postgres.stop)
        await asyncio.sleep(away := lab.seconds(70, 3))
        await asyncio.to_thread(postgres.start)
        system.end()
        lab.row.remarks.append(f"away for {away:g} s")


async def backends_hang(lab: Lab) -> None:
    """The backends of all open connections stand still (SIGSTOP); new ones work at once."""
    async with running_postgres() as postgres:
        async with lab.system(postgres.url, recovers_within=15) as system:
            await system.use_all_connections()
            stopped = system.signal_backends(STOPPED)
            system.end(goes_on=True)
            await system.recovery()
            system.signal_backends(GOES_ON)
        lab.row.remarks.append(f"{len(stopped)} backends stopped")


async def crash(lab: Lab) -> None:
    """The postmaster is killed (-9) and started again, several times."""
    async with running_postgres() as postgres, lab.system(postgres.url) as system:
        times = int(lab.seconds(5, 1))
        for _ in range(times):
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)
            system.end()
            await system.recovery()
        lab.row.remarks.append(f"{times} times")


async def read_only(lab: Lab) -> None:
    """The server is read-only for a while, like a primary that was demoted."""
    async with running_postgres() as postgres, lab.system(postgres.url) as system:
        failover = Failover(system.database)
        system.query(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename in ('receiver', 'worker')"
        )
        await asyncio.sleep(lab.seconds(10, 2))
        async with aiohttp.ClientSession() as http, http.get(f"{system.url}/readyz") as response:
            lab.row.expect(response.status == 503, f"/readyz {response.status}")
        failover.end()
        system.end()


async def held_row(lab: Lab) -> None:
    """A forgotten transaction holds one job's row, whose webhook comes 8 times a second."""
    async with running_postgres() as postgres, lab.system(postgres.url, per_second=30) as system:
        held = system.ledger.deliveries[-1]
        with psycopg.connect(system.database) as forgotten:
            forgotten.execute(
                "select from upload_pipeline.upload_jobs where job_id = %s for update",
                [held.job_id],
            )
            system.begin()
            async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as sending:
                for _ in range(int(lab.seconds(15, 3) * 8)):
                    sending.create_task(_send(http, system.url, held))
                    await asyncio.sleep(1 / 8)
                silence = system.longest_silence()
                share = system.ledger.first_tries
        system.end()
        lab.row.expect(share >= 0.95, f"{share:.0%} of the others at the first try")
        lab.row.expect(silence < 1, f"the others waited {silence:.1f} s at most")


async def _send(http: aiohttp.ClientSession, url: str, delivery: Delivery) -> None:
    body = delivery.body()
    async with http.post(f"{url}/webhooks/llamaparse", data=body, headers=signed(body)):
        pass


async def cancelled_commits(lab: Lab) -> None:
    """The synchronous standby is away, waits for it are cancelled, and then the primary is lost."""
    with running_pair() as pair:
        pair.be_synchronous()
        async with lab.system(pair.primary.url, connect=pair.at, recovers_within=15) as system:
            await asyncio.to_thread(pair.standby.kill)
            cancelled = 0
            for _ in range(int(lab.seconds(40, 8))):
                await asyncio.sleep(0.5)
                cancelled += len(
                    system.query(
                        "select pg_cancel_backend(pid) from pg_stat_activity"
                        " where wait_event = 'SyncRep' and usename in ('receiver', 'worker')"
                    )
                )
            await asyncio.to_thread(pair.fail_over)
            system.database = pair.primary.url
            system.end()
        lab.row.remarks.append(f"{cancelled} waits cancelled")


async def pooler_restarts(lab: Lab) -> None:
    """PgBouncer in transaction mode is killed (-9) and started again, several times."""
    async with running_postgres() as postgres:
        with running_pooler(postgres.url, ("receiver", "worker"), connections=4) as pooler:
            async with lab.system(
                postgres.url,
                connect=f"127.0.0.1:{pooler.port}/postgres",
                environment={"HOOKLINE_PREPARE_THRESHOLD": "off"},
            ) as system:
                times = int(lab.seconds(5, 1))
                for _ in range(times):
                    await asyncio.to_thread(pooler.kill)
                    await asyncio.sleep(1)
                    await asyncio.to_thread(pooler.start)
                    system.end()
                    await system.recovery()
                lab.row.remarks.append(f"{times} times")


async def postgres_disk_full(lab: Lab) -> None:
    """The disk of Postgres is full; an operator frees it and starts Postgres, if that has ended."""
    postgres = ThrowawayPostgres()
    home = postgres.data_dir.parent
    try:
        with small_disk(home, "160m"):
            await asyncio.to_thread(postgres.start)
            try:
                async with lab.system(postgres.url, recovers_within=15) as system:
                    filler = fill(home)
                    # Until then the WAL goes on in segments that are there.
                    with suppress(psycopg.Error):
                        system.query("select pg_switch_wal()")
                    await asyncio.sleep(lab.seconds(20, 5))
                    filler.unlink()
                    await asyncio.to_thread(postgres.start)
                    system.end()
                lab.row.remarks.append(f"answers {dict(system.ledger.answers)}")
            finally:
                await asyncio.to_thread(postgres.kill)
    finally:
        await asyncio.to_thread(postgres.close)
