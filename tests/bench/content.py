"""Webhooks with the text of a document, against the handler of the specification (`baseline`).

Both write to the same disk and the same Postgres 18, which syncs every commit. Each delivery is of
a job of its own. Rounds alternate; a ratio is of two rounds side by side.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table

from bench.baseline import SCHEMA
from bench.thin import SECRET, baseline, describe_server, receiver
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres

ROUNDS = 5


class _Case(NamedTuple):
    size: int
    at_once: int
    deliveries: int


_CASES = (
    _Case(20_000, 1, 60),
    _Case(20_000, 8, 240),
    _Case(2**20, 4, 40),
    _Case(8 * 2**20, 2, 8),
)
_Job = tuple[UUID, UUID]


def main() -> None:
    console = Console()
    if find_spec("fastapi") is None or find_spec("asyncpg") is None:
        console.print("The baseline is not installed: .venv/bin/pip install '.[bench]'")
        return
    per_round = sum(case.deliveries for case in _CASES)
    rates: dict[tuple[str, _Case], list[float]] = {}
    with ThrowawayPostgres(options={"max_wal_size": "4GB"}) as postgres:
        url = postgres.start()
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            console.print(describe_server(connection))
            jobs = iter(_make_jobs(connection, per_round * (2 * ROUNDS + 1)))
        with receiver(url) as ours, baseline(url) as theirs:
            for number in range(ROUNDS):
                for case in _CASES:
                    both = [("hookline", ours), ("baseline", theirs)]
                    for name, port in both if number % 2 else reversed(both):
                        taken = [next(jobs) for _ in range(case.deliveries)]
                        rates.setdefault((name, case), []).append(_send(port, case, taken))
        with psycopg.connect(url, autocommit=True) as connection:
            for relation in ("upload_pipeline.upload_jobs", "baseline.upload_jobs"):
                query = f"select count(*) from {relation} where status = 'parsed'"  # noqa: S608
                assert connection.execute(query.encode()).fetchone() == (per_round * ROUNDS,)
            row = connection.execute("select count(*) from upload_pipeline.check_integrity()")
            assert row.fetchone() == (0,)
    _print(console, rates)


def _make_jobs(connection: psycopg.Connection, count: int) -> list[_Job]:
    """Jobs that both servers know. Each job is used by one server only."""
    connection.execute(SCHEMA.encode())
    jobs = []
    for first in range(1, count + 1, 1000):
        jobs += connection.execute(
            """
            select j.job_id, j.document_id
              from generate_series(%s::int, %s::int) as n
              cross join lateral upload_pipeline.create_job(
                owner_id => gen_random_uuid(), filename => 'report.pdf',
                mime => 'application/pdf', bytes_len => 9,
                file_sha256 => encode(sha256(n::text::bytea), 'hex'),
                raw_path => 'storage://raw/report.pdf'
              ) as j
            """,
            [first, min(first + 999, count)],
        ).fetchall()
    connection.execute(
        "insert into baseline.upload_jobs (job_id, document_id, status)"
        " select job_id, document_id, 'uploaded' from upload_pipeline.upload_jobs"
    )
    connection.execute("vacuum analyze")
    return jobs


def _send(port: int, case: _Case, jobs: list[_Job]) -> float:
    done = subprocess.run(
        [
            *(sys.executable, Path(__file__).with_name("load.py"), "envelopes"),
            *(str(port), str(case.at_once), str(case.size), SECRET),
        ],
        input=json.dumps([[str(one) for one in job] for job in jobs]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    result = json.loads(done.stdout)
    assert result["outcomes"] == {"applied": case.deliveries}, result
    return float(result["per_second"])


def _print(console: Console, rates: dict[tuple[str, _Case], list[float]]) -> None:
    table = Table("text, at once", "ratio", "of the rounds", "hookline /s", "baseline /s")
    for case in _CASES:
        ours, theirs = rates["hookline", case], rates["baseline", case]
        ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        size = f"{case.size // 2**20} MB" if case.size >= 2**20 else f"{case.size // 1000} KB"
        table.add_row(
            f"{size}, {case.at_once}",
            f"{statistics.median(ratios):.2f}",
            f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
            f"{statistics.median(ours):.0f}",
            f"{statistics.median(theirs):.0f}",
        )
    console.print(f"Medians of {ROUNDS} rounds, alternating:")
    console.print(table)
