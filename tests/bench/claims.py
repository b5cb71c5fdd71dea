"""Claims a second without a backlog and with 10^6 waiting jobs, beside two other queues.

Each claim takes one job in one transaction of pgbench. All use the same Postgres 18, which syncs
every commit. A backlog should cost nothing: the ratio shows what it costs. The other queues are
procrastinate's own fetch, if procrastinate is installed, and pgmq's read. pgmq is an extension, so
its statement is written out here. Both do less than claim_jobs (no search for expired leases, no
join with a document), so compare the ratios and not the rates.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from rich.console import Console
from rich.table import Table

from bench.thin import describe_server
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from hookline.standalone.embedded.programs import Programs

WAITING = 1_000_000
CLIENTS = 4
CLAIMS = 500  # by each client in each round
ROUNDS = 3


@dataclass(frozen=True)
class Queue:
    name: str
    fill: Callable[[str, int], None]
    claim: str
    claimed: str


def _fill_hookline(url: str, jobs: int) -> None:
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        # Without keys, guards and history: claims read none, and a million rows would take minutes.
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history"
        )
        connection.execute(
            """
            insert into upload_pipeline.documents (
              owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed
            )
            select gen_random_uuid(), 'report.pdf', 'application/pdf', 9, repeat('0', 64),
                   'storage://raw/report.pdf', true
              from generate_series(1, %s)
            """,
            [jobs],
        )
        connection.execute(
            """
            insert into upload_pipeline.upload_jobs (
              document_id, owner_id, status, terminal, failed, claimable, has_content,
              upload_confirmed, correlation_id
            )
            select d.document_id, d.owner_id, s.status, s.terminal, s.failed, s.claimable,
                   s.has_content, true, 'bench'
              from upload_pipeline.documents as d
             cross join upload_pipeline.statuses as s
             where s.initial
            """
        )


def _fill_procrastinate(url: str, jobs: int) -> None:
    from procrastinate.schema import SchemaManager  # type: ignore[import-not-found,unused-ignore]

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SchemaManager.get_schema().encode())
        connection.execute("select procrastinate_register_worker_v1()")
        # Its triggers write a history and notify the workers, which a fill does not need.
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "insert into procrastinate_jobs (queue_name, task_name)"
            " select 'parse', 'parse' from generate_series(1, %s)",
            [jobs],
        )


def _fill_pgmq(url: str, jobs: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("""
            create table q_parse (
              msg_id bigint generated always as identity primary key,
              read_ct integer not null default 0,
              enqueued_at timestamptz not null default now(),
              vt timestamptz not null,
              message jsonb
            );
            create index q_parse_vt on q_parse (vt);
        """)
        connection.execute(
            "insert into q_parse (vt, message)"
            " select now(), jsonb_build_object('n', n) from generate_series(1, %s) as n",
            [jobs],
        )


QUEUES: tuple[Queue, ...] = (
    Queue(
        "hookline: claim_jobs",
        _fill_hookline,
        "select job_id, lease_token, raw_path from upload_pipeline.claim_jobs("
        "status => 'uploaded', worker => 'bench', batch => 1, lease => '1 hour')",
        "select count(*) from upload_pipeline.upload_jobs where lease_token is not null",
    ),
    Queue(
        "procrastinate: fetch_job",
        _fill_procrastinate,
        "select id, args from procrastinate_fetch_job_v2(null, 1)",
        "select count(*) from procrastinate_jobs where status = 'doing'",
    ),
    Queue(
        "pgmq.read, written out",
        _fill_pgmq,
        "with cte as ("
        "select msg_id from q_parse where vt <= clock_timestamp()"
        " order by msg_id asc limit 1 for update skip locked)"
        " update q_parse as m set vt = clock_timestamp() + interval '1 hour',"
        " read_ct = read_ct + 1 from cte where m.msg_id = cte.msg_id"
        " returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message",
        "select count(*) from q_parse where read_ct = 1",
    ),
)


def main() -> None:
    console = Console()
    queues = QUEUES
    if find_spec("procrastinate") is None:
        console.print("procrastinate is not installed (pip install procrastinate): left out.")
        queues = tuple(queue for queue in QUEUES if queue.fill is not _fill_procrastinate)
    rates: dict[tuple[str, int], list[float]] = {}
    with ThrowawayPostgres(options={"max_wal_size": "4GB"}) as postgres:
        url = postgres.start()
        with psycopg.connect(url) as connection:
            console.print(f"{describe_server(connection)}; {CLIENTS} connections, one job a claim")
        places = {
            (queue.name, waiting): _prepare(console, url, queue, waiting)
            for queue in queues
            for waiting in (0, WAITING)
        }
        for _ in range(ROUNDS):
            for queue in queues:
                for waiting in (0, WAITING):
                    key = (queue.name, waiting)
                    rates.setdefault(key, []).append(_run_pgbench(places[key], queue.claim))
        for queue in queues:
            for waiting in (0, WAITING):
                with psycopg.connect(places[queue.name, waiting]) as connection:
                    found = connection.execute(queue.claimed.encode()).fetchone()
                assert found == (CLIENTS * CLAIMS * ROUNDS,), f"{queue.name}: {found} were claimed"
    _print(console, queues, rates)


def _prepare(console: Console, url: str, queue: Queue, waiting: int) -> str:
    """Make a database with the jobs that will be claimed and `waiting` more; return its URL."""
    started = time.monotonic()
    name = f"{re.sub('[^a-z]+', '_', queue.name)}_{waiting}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    place = urlsplit(url)._replace(path=f"/{name}").geturl()
    queue.fill(place, waiting + CLIENTS * CLAIMS * ROUNDS)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    console.print(f"{queue.name}: {waiting} left waiting, {time.monotonic() - started:.0f} s")
    return place


def _run_pgbench(url: str, statement: str) -> float:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "claim.sql")
        script.write_text(f"{statement};\n")
        Path(directory).chmod(0o755)
        done = subprocess.run(
            [
                Programs.find().bin_dir / "pgbench",
                *("--no-vacuum", "--protocol=prepared", f"--file={script}"),
                *(f"--client={CLIENTS}", f"--transactions={CLAIMS}"),
                url,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def _print(
    console: Console, queues: tuple[Queue, ...], rates: dict[tuple[str, int], list[float]]
) -> None:
    table = Table("claims /s", "none left waiting", f"{WAITING:,} left waiting", "ratio")
    for queue in queues:
        none = statistics.median(rates[queue.name, 0])
        many = statistics.median(rates[queue.name, WAITING])
        table.add_row(queue.name, f"{none:.0f}", f"{many:.0f}", f"{many / none:.2f}")
    console.print(f"Medians of {ROUNDS} rounds, alternating:")
    console.print(table)
