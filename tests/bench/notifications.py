"""Notifications a second, by a whole worker, against bare requests to the same endpoint.

Both post the same signed messages, 16 at once, to an endpoint in a process of its own that does
nothing. The worker also claims each from Postgres 18 and finishes it there, and Postgres syncs
every commit. Its notifications wait already; the rate is counted from the first that was taken to
the last, by the times that Postgres has written. Rounds alternate.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
from rich.console import Console

from bench.rates import print_rates
from bench.stage import worker_environment
from bench.thin import describe_server
from hookline.postgres.migrations import migrate
from hookline.postgres.records import Notification
from hookline.settings import Settings
from hookline.standalone.embedded import ThrowawayPostgres
from hookline.worker.announcing.announcer import AT_ONCE
from hookline.worker.announcing.endpoint import open_endpoint
from support.application import SECRET

NOTIFICATIONS = 2000  # of each round
ROUNDS = 3
_LONGEST_ROUND = 120.0

_ENDPOINT = """
import asyncio
from aiohttp import web

async def take(request):
    await request.read()
    return web.Response(status=204)

async def main():
    app = web.Application()
    app.router.add_post("/hooks", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
# A worker has to have a stage, and there is no job for it.
_STAGE = """
from hookline import stage

@stage("uploaded")
async def nothing(job, tools):
    return "parse_started"
"""
# Jobs that were cancelled, without the steps before that.
_FILL = """
with made as (
  insert into upload_pipeline.documents (
    owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed
  )
  select gen_random_uuid(), 'report.pdf', 'application/pdf', 9, repeat('0', 64),
         'storage://raw/report.pdf', true
    from generate_series(1, %s)
  returning document_id, owner_id
), jobs as (
  insert into upload_pipeline.upload_jobs (
    document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed,
    correlation_id
  )
  select m.document_id, m.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content,
         true, 'bench'
    from made as m
   cross join upload_pipeline.statuses as s
   where s.status = 'cancelled'
  returning job_id, document_id
), told as (
  insert into upload_pipeline.events (
    job_id, version, document_id, to_status, type, severity, code, correlation_id, ts
  )
  select j.job_id, 1, j.document_id, 'cancelled', 'operator', 'warn', 'job_cancelled', 'bench',
         upload_pipeline.clock()
    from jobs as j
  returning event_id, job_id, version
)
insert into upload_pipeline.notifications (event_id, job_id, version)
select t.event_id, t.job_id, t.version from told as t
"""
_TAKEN = """
select count(*), extract(epoch from max(taken_at) - min(taken_at))
  from upload_pipeline.notifications
 where taken_at > %s
"""


def main() -> None:
    console = Console()
    rates: dict[str, list[float]] = {"hookline work": [], "bare requests": []}
    with ThrowawayPostgres(options={"max_wal_size": "4GB"}) as postgres, _endpoint() as target:
        url = postgres.start()
        migrate(url)
        with psycopg.connect(url) as connection:
            console.print(
                f"{describe_server(connection)}; {AT_ONCE} notifications at once,"
                f" {NOTIFICATIONS} a round"
            )
        for _ in range(ROUNDS):
            rates["hookline work"].append(_run(url, target))
            rates["bare requests"].append(asyncio.run(_post(target)))
    print_rates(console, "notifications", rates, "hookline work", ROUNDS)


@contextmanager
def _endpoint() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", _ENDPOINT], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/hooks"
    finally:
        process.terminate()
        process.wait()


def _run(url: str, target: str) -> float:
    """Let one worker process send all notifications of a round; return how many a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        # Without triggers and keys: only the notifications are wanted, not a whole history.
        for trigger in ("disable", "enable always"):
            for table, guard in (
                ("upload_jobs", "job_is_born_with_its_history"),
                ("events", "event_moves_its_job"),
            ):
                connection.execute(
                    f"alter table upload_pipeline.{table} {trigger} trigger {guard}".encode()
                )
            if trigger == "disable":
                connection.execute("set session_replication_role = replica")
                connection.execute(_FILL.encode(), [NOTIFICATIONS])
                connection.execute("set session_replication_role = origin")
        connection.execute("vacuum analyze")
        [(since,)] = connection.execute("select clock_timestamp()").fetchall()
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "code.py").write_text(_STAGE)
            with Path(directory, "log").open("wb") as log:
                worker = subprocess.Popen(
                    [sys.executable, "-m", "hookline", "work", "--stages", "code.py"],
                    cwd=directory,
                    env={
                        **worker_environment(url, directory),
                        "HOOKLINE_NOTIFY_URL": target,
                        "HOOKLINE_NOTIFY_SECRETS": SECRET,
                        "HOOKLINE_NOTIFY_PRIVATE": "on",
                    },
                    stdout=log,
                    stderr=log,
                )
            try:
                end = time.monotonic() + _LONGEST_ROUND
                while True:
                    [(taken, seconds)] = connection.execute(_TAKEN.encode(), [since]).fetchall()
                    if taken == NOTIFICATIONS:
                        return (NOTIFICATIONS - 1) / float(seconds)
                    output = Path(directory, "log").read_text()
                    assert time.monotonic() < end, f"{taken} were taken: {output[-2000:]}"
                    time.sleep(0.2)
            finally:
                worker.terminate()
                worker.wait()


async def _post(target: str) -> float:
    """Post as many messages of the same form; return how many a second."""
    settings = Settings.model_validate(
        {"notify_url": target, "notify_secrets": (SECRET,), "notify_private": "on"}
    )
    message = Notification(
        *(UUID(int=1), UUID(int=2), 0, UUID(int=3), UUID(int=4), UUID(int=5), 1, "cancelled"),
        *("job_cancelled", datetime.now(UTC), "bench", {}),
    )
    left = iter(range(NOTIFICATIONS))
    async with open_endpoint(settings, at_once=AT_ONCE) as endpoint:
        assert endpoint is not None

        async def some() -> None:
            for _ in left:
                assert (await endpoint.tell(message)).error is None

        started = time.monotonic()
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        return NOTIFICATIONS / (time.monotonic() - started)
