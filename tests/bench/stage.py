"""Jobs a second through a stage that does nothing, by the whole worker, against procrastinate's.

Each side is one worker process with 16 jobs at once, on the same Postgres 18, which syncs every
commit. Both take jobs that wait already. The rate is counted from the first end of a job to the
last one, by the times that Postgres has written. Rounds alternate.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from rich.console import Console

from bench.rates import print_rates
from bench.thin import describe_server
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres

AT_ONCE = 16
JOBS = 2000  # of each round
ROUNDS = 3
_LONGEST_ROUND = 120.0

_STAGE = f"""
from hookline import stage

@stage("parsed", concurrency={AT_ONCE})
async def nothing(job, tools):
    return "job_completed"
"""
_TASK = f"""
import os
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))

@app.task(name="nothing", queue="parse")
async def nothing():
    pass

if __name__ == "__main__":
    app.run_worker(concurrency={AT_ONCE}, wait=False)
"""


@dataclass(frozen=True)
class Side:
    name: str
    make: Callable[[str], object]
    fill: str
    code: str
    arguments: tuple[str, ...]
    # The jobs that have ended since %s, and the seconds from the first end to the last.
    ended: str


def _make_procrastinate(url: str) -> None:
    from procrastinate.schema import SchemaManager  # type: ignore[import-not-found,unused-ignore]

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SchemaManager.get_schema().encode())


HOOKLINE = Side(
    "hookline work",
    migrate,
    # Jobs that have come as far as `parsed`, without the rows that no worker reads.
    """
    with made as (
      insert into upload_pipeline.documents (
        owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed
      )
      select gen_random_uuid(), 'report.pdf', 'application/pdf', 9, repeat('0', 64),
             'storage://raw/report.pdf', true
        from generate_series(1, %s)
      returning document_id, owner_id
    )
    insert into upload_pipeline.upload_jobs (
      document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed,
      correlation_id, parsed_path, parsed_sha256, parsed_bytes
    )
    select m.document_id, m.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content,
           true, 'bench', 'storage://parsed/x.md', repeat('0', 64), 9
      from made as m
     cross join upload_pipeline.statuses as s
     where s.status = 'parsed'
    """,
    _STAGE,
    ("-m", "hookline", "work", "--stages", "code.py"),
    "select count(*), extract(epoch from max(ts) - min(ts)) from upload_pipeline.events"
    " where code = 'job_completed' and ts > %s",
)
PROCRASTINATE = Side(
    "procrastinate worker",
    _make_procrastinate,
    "insert into procrastinate_jobs (queue_name, task_name)"
    " select 'parse', 'nothing' from generate_series(1, %s)",
    _TASK,
    ("code.py",),
    "select count(*), extract(epoch from max(at) - min(at)) from procrastinate_events"
    " where type = 'succeeded' and at > %s",
)


def main() -> None:
    console = Console()
    sides = [HOOKLINE, PROCRASTINATE]
    if find_spec("procrastinate") is None:
        console.print("procrastinate is not installed (pip install procrastinate): left out.")
        sides.remove(PROCRASTINATE)
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    with ThrowawayPostgres(options={"max_wal_size": "4GB"}) as postgres:
        url = postgres.start()
        places = {side.name: _make(url, side, number) for number, side in enumerate(sides)}
        with psycopg.connect(url) as connection:
            console.print(
                f"{describe_server(connection)}; {AT_ONCE} jobs at once, {JOBS} jobs a round"
            )
        for _ in range(ROUNDS):
            for side in sides:
                rates[side.name].append(_run(places[side.name], side))
    print_rates(console, "jobs", rates, HOOKLINE.name, ROUNDS)


def _make(url: str, side: Side, number: int) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database side_{number}".encode())
    place = urlsplit(url)._replace(path=f"/side_{number}").geturl()
    side.make(place)
    return place


def _run(url: str, side: Side) -> float:
    """Let one worker process end all jobs of a round; return how many it ended a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        # Without triggers and keys: only the jobs are wanted, not their history.
        connection.execute("set session_replication_role = replica")
        for trigger in ("disable", "enable always"):
            if side is HOOKLINE:
                connection.execute(
                    f"alter table upload_pipeline.upload_jobs {trigger}"
                    " trigger job_is_born_with_its_history".encode()
                )
            if trigger == "disable":
                connection.execute(side.fill.encode(), [JOBS])
        connection.execute("set session_replication_role = origin")
        connection.execute("vacuum analyze")
        [(since,)] = connection.execute("select clock_timestamp()").fetchall()
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "code.py").write_text(side.code)
            with Path(directory, "log").open("wb") as log:
                worker = subprocess.Popen(
                    [sys.executable, *side.arguments],
                    cwd=directory,
                    env=worker_environment(url, directory),
                    stdout=log,
                    stderr=log,
                )
            try:
                end = time.monotonic() + _LONGEST_ROUND
                while True:
                    [(ended, seconds)] = connection.execute(side.ended.encode(), [since]).fetchall()
                    if ended == JOBS:
                        return (JOBS - 1) / float(seconds)
                    output = Path(directory, "log").read_text()
                    assert time.monotonic() < end, f"{ended} jobs have ended: {output[-2000:]}"
                    time.sleep(0.2)
            finally:
                worker.terminate()
                worker.wait()


def worker_environment(url: str, directory: str) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DATABASE_URL": url,
        "HOOKLINE_PARSER": "none",
        "HOOKLINE_STORAGE_URL": f"file://{directory}",
        "HOOKLINE_ADMIN_PORT": "0",
    }
