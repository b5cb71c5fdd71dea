"""Thin webhooks through the whole receiver, against the handler of the specification (`baseline`).

The receiver runs as one process, and as two on one port. Beside them pgbench, which calls only
`receive_event`, in one transaction for each delivery. All use the same Postgres 18, which syncs
every commit (fsync and synchronous_commit are on), and each delivery moves another job. Rounds
alternate.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from bench.baseline import SCHEMA
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from hookline.standalone.embedded.programs import Programs

SECRET = "bench-secret-0123456789"
ROUNDS = 3
# Deliveries at once, and deliveries of a round.
CASES = ((1, 200), (8, 800), (64, 1600))

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
    if find_spec("fastapi") is None or find_spec("asyncpg") is None:
        console.print("The baseline is not installed: .venv/bin/pip install '.[bench]'")
        return
    # Each of the two receivers and pgbench has its own; the baseline's are in a table of their own.
    jobs = sum(count for _, count in CASES) * ROUNDS * 3
    rates: dict[tuple[str, int], list[float]] = {}
    latencies: dict[tuple[str, int], list[float]] = {}
    with ThrowawayPostgres(options={"max_wal_size": "4GB"}) as postgres:
        url = postgres.start()
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            console.print(f"{describe_server(connection)}; {jobs} jobs")
            _make_jobs(connection, jobs)
            _make_jobs_of_baseline(connection, jobs)
        first = 1
        with (
            receiver(url) as port,
            receiver(url, HOOKLINE_PROCESSES="2") as port_of_two,
            baseline(url) as baseline_port,
        ):
            for _ in range(ROUNDS):
                for clients, count in CASES:
                    rate = _run_pgbench(url, clients, first + count, count)
                    rates.setdefault(("pgbench", clients), []).append(rate)
                    for name, at, start in (
                        ("server", port, first),
                        ("two processes", port_of_two, first + 2 * count),
                        ("baseline", baseline_port, first),
                    ):
                        rate, p50 = _run_server(at, clients, start, count)
                        rates.setdefault((name, clients), []).append(rate)
                        latencies.setdefault((name, clients), []).append(p50)
                    first += 3 * count
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


def _make_jobs_of_baseline(connection: psycopg.Connection, count: int) -> None:
    connection.execute(SCHEMA)
    connection.execute(
        "insert into baseline.upload_jobs (job_id, document_id, status, parse_job_id)"
        " select gen_random_uuid(), gen_random_uuid(), 'uploaded', 'p-' || n"
        " from generate_series(1, %s) as n",
        [count],
    )
    connection.execute("vacuum analyze")


@contextmanager
def receiver(url: str, **changes: str) -> Iterator[int]:
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select to_regrole('receiver')").fetchone() == (None,):
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
                    **changes,
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


@contextmanager
def baseline(url: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [
                    *(sys.executable, Path(__file__).with_name("baseline.py"), str(port)),
                    *(url, directory, SECRET),
                ],
                stderr=stderr,
            )
        try:
            while True:
                assert process.poll() is None, log.read_text()
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield port
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
    latencies: dict[tuple[str, int], list[float]],
) -> None:
    table = Table("at once", "server / baseline", "two processes / baseline", "server / pgbench")
    for column in (*("server /s", "baseline /s", "pgbench /s"), "server p50", "baseline p50"):
        table.add_column(column)
    for clients, _ in CASES:
        server, of_baseline = rates["server", clients], rates["baseline", clients]
        table.add_row(
            str(clients),
            _ratio(server, of_baseline),
            _ratio(rates["two processes", clients], of_baseline),
            _ratio(server, rates["pgbench", clients]),
            *(_spread(rates[name, clients]) for name in ("server", "baseline", "pgbench")),
            *(f"{_median(latencies[name, clients]):.1f} ms" for name in ("server", "baseline")),
        )
    console.print(f"Medians of {ROUNDS} alternating rounds, with their least and most:")
    console.print(table)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _ratio(ours: list[float], theirs: list[float]) -> str:
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return f"{_median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _spread(values: list[float]) -> str:
    return f"{_median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
