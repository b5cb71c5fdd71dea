"""What 10^7 jobs cost: webhooks, views and listings, purge, and a transaction that stays open.

`make bench ARGS="growth --jobs 10000000"`. Beside it stands a database of 10^4 jobs on the same
Postgres 18, which syncs every commit. The large one takes about 4 KB of disk a job, in TMPDIR.

`--unfinished 1000000` lets so many of them wait for the provider. With `--in DIR` both databases
stay there and later runs use them again, with the functions and views of this checkout.
`--only-make` makes them and measures nothing. The output says where the data is, to be removed by
hand.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from rich.console import Console
from rich.table import Table

from bench.many_jobs import make_jobs, submit_job
from bench.reload import reload_functions
from bench.thin import describe_server
from hookline.postgres.migrations import migrate
from hookline.postgres.pool import open_pool
from hookline.postgres.views import Views
from hookline.standalone.embedded import ProjectPostgres, ThrowawayPostgres

SMALL = 10_000
WEBHOOKS = 1000
ROUNDS = 5
CLAIMS = 5000
PURGED = 20_000

# Queries as people write them for each view; the queries of the commands are asked beside them.
QUERIES = {
    "job_overview, newest": (
        "select * from upload_pipeline.job_overview order by job_id desc limit 50"
    ),
    "job_overview, by time": (
        "select * from upload_pipeline.job_overview order by updated_at desc limit 50"
    ),
    "job_overview, one status": (
        "select * from upload_pipeline.job_overview"
        " where status = 'parse_queued' and not terminal limit 50"
    ),
    "job_overview, one document": (
        "select * from upload_pipeline.job_overview where document_id ="
        " (select document_id from upload_pipeline.job_overview order by job_id limit 1)"
    ),
    "job_timeline": (
        "select * from upload_pipeline.job_timeline where job_id ="
        " (select job_id from upload_pipeline.job_overview order by job_id limit 1)"
        " order by version"
    ),
    "document_overview": "select * from upload_pipeline.document_overview limit 50",
    "document_overview, one owner": (
        "select * from upload_pipeline.document_overview where owner_id = md5('7')::uuid limit 50"
    ),
    "read_metrics": "select * from upload_pipeline.read_metrics()",
    "failed_jobs, newest": (
        "select * from upload_pipeline.failed_jobs order by failed_at desc limit 50"
    ),
    "failed_jobs, by code": (
        "select code, count(*) from (select code from upload_pipeline.failed_jobs"
        " order by failed_at desc limit 1000) as f group by code"
    ),
    "delivery_log, newest": (
        "select * from upload_pipeline.delivery_log order by first_seen desc limit 50"
    ),
    "delivery_log, one source": (
        "select * from upload_pipeline.delivery_log where source = 'local'"
        " order by first_seen desc limit 50"
    ),
    "artifact_overview": "select * from upload_pipeline.artifact_overview limit 50",
    "stored_objects": "select * from upload_pipeline.stored_objects limit 50",
    "refusal_log": "select * from upload_pipeline.refusal_log",
    "status_counts": "select * from upload_pipeline.status_counts",
    "activity": "select * from upload_pipeline.activity",
    "delivery_activity": "select * from upload_pipeline.delivery_activity",
    "queue_health": "select * from upload_pipeline.queue_health",
    "stage_latency": "select * from upload_pipeline.stage_latency",
    "credit_status": "select * from upload_pipeline.credit_status",
    "provider_request_log": "select * from upload_pipeline.provider_request_log limit 50",
    "notification_log": "select * from upload_pipeline.notification_log limit 50",
    "group_status": "select * from upload_pipeline.group_status limit 50",
    "job_costs": "select * from upload_pipeline.job_costs limit 50",
    "overdue_counts": "select * from upload_pipeline.overdue_counts",
    "workers": "select * from upload_pipeline.workers",
    "alerts": "select * from upload_pipeline.alerts",
}
COMMANDS: dict[str, Callable[[Views], Awaitable[object]]] = {
    "hookline jobs": lambda views: views.jobs(),
    "hookline jobs --failed": lambda views: views.jobs(failed=True),
    "hookline jobs --status": lambda views: views.jobs(status="parse_queued"),
    "hookline jobs --overdue": lambda views: views.jobs(overdue=True),
    "hookline retry --failed": lambda views: views.failed(limit=1000),
}

_OPTIONS = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "10s",
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="growth", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000_000)
    parser.add_argument("--unfinished", type=int)
    parser.add_argument("--in", dest="directory", type=Path, metavar="DIR")
    parser.add_argument("--only-make", action="store_true")
    chosen = parser.parse_args(arguments)
    console = Console()
    with server(chosen.directory) as url:
        small = make_database(console, url, SMALL)
        large = make_database(console, url, chosen.jobs, chosen.unfinished)
        with psycopg.connect(large) as connection:
            console.print(f"{describe_server(connection)}; {chosen.jobs:,} jobs against {SMALL:,}")
            console.print(_sizes(connection, chosen.jobs))
            if chosen.directory is not None:
                data = connection.execute("show data_directory").fetchone()
                console.print(f"The data stays in {data and data[0]}")
        if chosen.only_make:
            return
        console.print(_webhooks(small, large))
        console.print(_queries(small, large))
        console.print(_purge(large))
        console.print(_held_transaction(large))


@contextmanager
def server(directory: Path | None) -> Iterator[str]:
    if directory is None:
        with ThrowawayPostgres(options=_OPTIONS) as throwaway:
            yield throwaway.start()
        return
    with ProjectPostgres(directory) as kept:
        with psycopg.connect(kept.start(), autocommit=True) as connection:
            for name, value in _OPTIONS.items():
                connection.execute(f"alter system set {name} = '{value}'".encode())
        kept.stop()
        yield kept.start()


def make_database(console: Console, url: str, jobs: int, unfinished: int | None = None) -> str:
    """Return the URL of the database with so many jobs, which is made if it is not there."""
    started = time.monotonic()
    name = f"jobs_{jobs}" if unfinished is None else f"jobs_{jobs}_{unfinished}"
    place = urlsplit(url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select from pg_database where datname = %s", [name]).rowcount:
            reload_functions(place)
            return place
        # It gets its name when it is whole.
        connection.execute(b"drop database if exists unfinished")
        connection.execute(b"create database unfinished")
        begun = urlsplit(url)._replace(path="/unfinished").geturl()
        migrate(begun)
        with psycopg.connect(begun, autocommit=True) as making:
            make_jobs(making, jobs, unfinished)
            making.execute("checkpoint")
        connection.execute(f"alter database unfinished rename to {name}".encode())
    console.print(f"{jobs:,} jobs made in {time.monotonic() - started:.0f} s")
    return place


def _sizes(connection: psycopg.Connection, jobs: int) -> Table:
    table = Table("table", "bytes a job", "of these in indexes")
    rows = connection.execute(
        "select relname, pg_total_relation_size(oid), pg_indexes_size(oid) from pg_class"
        " where relnamespace = 'upload_pipeline'::regnamespace and relkind = 'r'"
        " order by 2 desc"
    ).fetchall()
    for name, size, indexes in rows:
        if size > jobs:
            table.add_row(name, f"{size / jobs:.0f}", f"{indexes / jobs:.0f}")
    total = [sum(row[column] for row in rows) / jobs for column in (1, 2)]
    table.add_row("all", f"{total[0]:.0f}", f"{total[1]:.0f}")
    return table


def _webhooks(small: str, large: str) -> Table:
    """One webhook after the other, by one session; rounds alternate."""
    seconds: dict[str, list[float]] = {small: [], large: []}
    wal: dict[str, int] = {}
    run = uuid4().hex[:8]
    for round_ in range(ROUNDS):
        for place in (small, large):
            with psycopg.connect(place, autocommit=True) as connection:
                names = [f"new-{run}-{round_}-{n}" for n in range(WEBHOOKS // ROUNDS)]
                for name in names:
                    submit_job(connection, name)
                before = _wal_position(connection)
                for name in names:
                    started = time.perf_counter()
                    connection.execute(
                        "select outcome from upload_pipeline.receive_event("
                        "source => 'llamacloud', delivery_id => %(id)s || '-ready',"
                        "body_sha256 => repeat('0', 64), event_type => 'parse.success',"
                        "code => 'parse_ready', parse_job_id => %(id)s)",
                        {"id": name},
                    )
                    seconds[place].append(time.perf_counter() - started)
                wal[place] = (_wal_position(connection) - before) // len(names)
    few, many = median(seconds[small]), median(seconds[large])
    table = Table("one webhook", "few jobs", "many jobs", "ratio")
    table.add_row("p50, ms", f"{few * 1000:.2f}", f"{many * 1000:.2f}", f"{many / few:.2f}")
    few_bytes, many_bytes = wal[small], wal[large]
    table.add_row(
        "WAL, bytes", f"{few_bytes:,}", f"{many_bytes:,}", f"{many_bytes / few_bytes:.2f}"
    )
    return table


def _wal_position(connection: psycopg.Connection) -> int:
    found = connection.execute("select pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    assert found is not None
    return int(found[0])


def _queries(small: str, large: str) -> Table:
    table = Table("query", "few jobs, ms", "many jobs, ms", "the first time")
    measured: dict[str, Callable[[str], list[float]]] = {
        **{name: partial(_time_query, query=query) for name, query in QUERIES.items()},
        **{name: partial(_time_command, command=command) for name, command in COMMANDS.items()},
    }
    for name, measure in measured.items():
        few, many = measure(small), measure(large)
        table.add_row(
            name,
            *(f"{1000 * seconds:.1f}" for seconds in (median(few), median(many), many[0])),
        )
    return table


def _time_query(place: str, *, query: str) -> list[float]:
    with psycopg.connect(place, autocommit=True) as connection:
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            connection.execute(query.encode()).fetchall()
            times.append(time.perf_counter() - started)
        return times


def _time_command(place: str, *, command: Callable[[Views], Awaitable[object]]) -> list[float]:
    async def measure() -> list[float]:
        times = []
        async with open_pool(place, size=1, prepare_threshold=5, name="bench") as pool:
            await pool.wait()
            for _ in range(ROUNDS):
                started = time.perf_counter()
                await command(Views(pool))
                times.append(time.perf_counter() - started)
        return times

    return asyncio.run(measure())


def _purge(large: str) -> str:
    with psycopg.connect(large, autocommit=True) as connection:
        started, deleted = time.monotonic(), 0
        while deleted < PURGED:
            found = connection.execute(
                "select jobs from upload_pipeline.purge(older_than => '30 days')"
            ).fetchone()
            assert found is not None
            if not found[0]:
                break
            deleted += found[0]
        return f"purge: {deleted / (time.monotonic() - started):,.0f} jobs a second, one session"


def _held_transaction(large: str) -> Table:
    """Claim and fail the same jobs again and again, and count rows that vacuum does not remove."""
    table = Table("a transaction is open", "claims /s, first fifth", "last fifth", "ratio")
    for held in (False, True):
        with psycopg.connect(large, autocommit=True) as connection, _snapshot(large, held):
            times = []
            for _ in range(CLAIMS):
                started = time.perf_counter()
                connection.execute(
                    "select upload_pipeline.release_lease(c.job_id, c.lease_token)"
                    " from upload_pipeline.claim_jobs("
                    "status => 'parse_ready', worker => 'bench') as c"
                )
                times.append(time.perf_counter() - started)
        fifth = CLAIMS // 5
        first, last = (1 / median(part) for part in (times[:fifth], times[-fifth:]))
        table.add_row("yes" if held else "no", f"{first:.0f}", f"{last:.0f}", f"{last / first:.2f}")
    return table


@contextmanager
def _snapshot(url: str, held: bool) -> Iterator[None]:
    with psycopg.connect(url) as connection:
        if held:
            connection.execute("set transaction isolation level repeatable read")
            connection.execute("select count(*) from upload_pipeline.statuses")
        yield
