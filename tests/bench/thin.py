"""Thin webhooks through the whole receiver, against pgbench that calls only `receive_event`.

Both use the same Postgres 18, which syncs every commit (fsync and synchronous_commit are on). Both
use one transaction for each delivery, and each delivery moves another job. Rounds alternate.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from hookline.standalone.embedded.programs import Programs

SECRET = "bench-secret-0123456789"
ROUNDS = 3
# Connections and deliveries: one at once, and as many as the pool has connections.
CASES = ((1, 600), (8, 3000))

_PGBENCH = """
\\set i :i + 1
\\set n :first + :client_id * :share + :i - 1
select outcome from upload_pipeline.receive_event(
  source => 'llamacloud', delivery_id => 'event-' || :n, body_sha256 => repeat('0', 64),
  event_type => 'parse.success', code => 'parse_ready', parse_job_id => 'p-' || :n,
  payload => jsonb_build_object('parse_job_id', 'p-' || :n));
"""


def main() -> None:
    console = Console()
    jobs = sum(count for _, count in CASES) * ROUNDS * 2
    with ThrowawayPostgres(options={}) as postgres:
        url = postgres.start()
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            console.print(f"{describe_server(connection)}; {jobs} jobs")
            _make_jobs(connection, jobs)
        rates: dict[tuple[str, int], list[float]] = {}
        latencies: dict[int, list[float]] = {}
        first = 1
        with receiver(url) as port:
            for _ in range(ROUNDS):
                for clients, count in CASES:
                    rate = _run_pgbench(url, clients, first, count)
                    rates.setdefault(("pgbench", clients), []).append(rate)
                    first += count
                    rate, p50 = _run_server(port, clients, first, count)
                    rates.setdefault(("server", clients), []).append(rate)
                    latencies.setdefault(clients, []).append(p50)
                    first += count
        with psycopg.connect(url, autocommit=True) as connection:
            moved = connection.execute(
                "select count(*) from upload_pipeline.upload_jobs where status = 'parse_ready'"
            ).fetchone()
            assert moved == (jobs,), f"{moved} of {jobs} jobs moved"
    _print(console, rates, latencies)


def describe_server(connection: psycopg.Connection) -> str:
    settings = connection.execute(
        "select name || ' ' || setting from pg_settings where name in"
        " ('server_version', 'fsync', 'synchronous_commit') order by name"
    ).fetchall()
    return f"{os.cpu_count()} cores; " + ", ".join(setting for (setting,) in settings)


def _make_jobs(connection: psycopg.Connection, count: int) -> None:
    # In batches, because each provider job takes an entry in the lock table until the commit.
    for first in range(1, count + 1, 1000):
        connection.execute(
            """
            select count(upload_pipeline.record_submission(j.job_id, 1, 'p-' || n))
              from generate_series(%s::int, %s::int) as n
              cross join lateral upload_pipeline.create_job(
                owner_id => gen_random_uuid(), filename => 'report.pdf',
                mime => 'application/pdf', bytes_len => 9,
                file_sha256 => encode(sha256(n::text::bytea), 'hex'),
                raw_path => 'storage://raw/report.pdf'
              ) as j
            """,
            [first, min(first + 999, count)],
        )
    connection.execute("vacuum analyze")


@contextmanager
def receiver(url: str) -> Iterator[int]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create role receiver login password 'r' in role hookline_ingest")
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "hookline", "serve"],
                cwd=directory,
                stderr=stderr,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "DATABASE_URL": f"postgresql://receiver:r@{url.rpartition('@')[2]}",
                    "HOOKLINE_STORAGE_URL": f"file://{directory}",
                    "HOOKLINE_LLAMACLOUD_SECRETS": SECRET,
                    "HOOKLINE_LLAMAPARSE_SECRETS": SECRET,
                    "HOOKLINE_PORT": "0",
                    "HOOKLINE_ADMIN_PORT": "0",
                },
            )
        try:
            while not (found := re.search(r'"url": "http://127.0.0.1:(\d+)"', log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield int(found[1])
        finally:
            process.terminate()
            process.wait()


def _run_pgbench(url: str, clients: int, first: int, count: int) -> float:
    share = count // clients
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_PGBENCH)
        script.flush()
        os.chmod(script.name, 0o644)
        done = subprocess.run(
            [
                Programs.find().bin_dir / "pgbench",
                *("--no-vacuum", "--protocol=prepared", f"--file={script.name}"),
                *(f"--client={clients}", f"--transactions={share}"),
                *(f"--define=first={first}", f"--define=share={share}", "--define=i=0"),
                url,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def _run_server(port: int, connections: int, first: int, count: int) -> tuple[float, float]:
    load = Path(__file__).with_name("load.py")
    done = subprocess.run(
        [sys.executable, load, *map(str, (port, connections, first, count)), SECRET],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result = json.loads(done.stdout)
    assert result["outcomes"] == {"applied": count}, result
    return result["per_second"], result["p50_ms"]


def _print(
    console: Console,
    rates: dict[tuple[str, int], list[float]],
    latencies: dict[int, list[float]],
) -> None:
    table = Table("at once", "pgbench /s", "server /s", "ratio", "server p50 ms")
    for clients, _ in CASES:
        pgbench = statistics.median(rates["pgbench", clients])
        server = statistics.median(rates["server", clients])
        p50 = statistics.median(latencies[clients])
        table.add_row(
            str(clients), f"{pgbench:.0f}", f"{server:.0f}", f"{server / pgbench:.2f}", f"{p50:.2f}"
        )
    console.print(f"Medians of {ROUNDS} rounds, alternating:")
    console.print(table)
