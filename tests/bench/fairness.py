"""How many claims the first job of an owner waits for, behind 10^5 older jobs of another owner.

Both have a job that is due; the greedy owner's are an hour older. The late owner's job is made
once for each round, and claims are counted until one has it. `others` are owners who have jobs,
but none that is due: no claim reads them. The time of a claim is its median in the round.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
from rich.console import Console
from rich.table import Table

from bench.thin import describe_server
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres

__all__ = ["Waited", "fill", "wait_for_turn"]

GREEDY = 100_000
ROUNDS = 20
GREEDY_OWNER = UUID(int=1)


@dataclass(frozen=True)
class Waited:
    """The claims until the late owner had their job, that one included; milliseconds a claim."""

    claims: int
    milliseconds: float


def fill(connection: psycopg.Connection, owner: str, jobs: int, run_after: str) -> None:
    """Make confirmed jobs in the initial status. `owner`, `run_after`: SQL, one value a job."""
    # Without keys, guards and history: claims read none, and 10^5 jobs would take a minute.
    guard = "trigger job_is_born_with_its_history"
    connection.execute("set session_replication_role = replica")
    connection.execute(f"alter table upload_pipeline.upload_jobs disable {guard}".encode())
    connection.execute(
        f"""
        with made as (
          insert into upload_pipeline.documents (
            owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed
          )
          select {owner}, 'report.pdf', 'application/pdf', 9,
                 encode(sha256(uuid_send(gen_random_uuid())), 'hex'), 'storage://raw/report.pdf',
                 true
            from generate_series(1, {jobs})
          returning document_id, owner_id
        )
        insert into upload_pipeline.upload_jobs (
          document_id, owner_id, status, terminal, failed, claimable, has_content,
          upload_confirmed, correlation_id, run_after, scheduled
        )
        select m.document_id, m.owner_id, s.status, s.terminal, s.failed, s.claimable,
               s.has_content, true, 'bench', due.at, due.at > upload_pipeline.clock()
          from made as m
         cross join upload_pipeline.statuses as s
         cross join lateral (select {run_after} as at) as due
         where s.initial
        """.encode()  # noqa: S608 - ours
    )
    connection.execute(f"alter table upload_pipeline.upload_jobs enable always {guard}".encode())
    connection.execute("set session_replication_role = origin")


def wait_for_turn(connection: psycopg.Connection, batch: int, after: UUID | None) -> Waited:
    """Make the job of a new owner, and claim as a worker does until it has that job."""
    owner = uuid4()
    connection.execute(
        "select upload_pipeline.confirm_upload(c.job_id, 1, repeat('0', 64))"
        " from upload_pipeline.create_job(owner_id => %s, filename => 'late.pdf', mime => '',"
        " bytes_len => 1, file_sha256 => repeat('0', 64), raw_path => 'storage://raw/late') as c",
        [owner],
    )
    times: list[float] = []
    while True:
        started = time.perf_counter()
        rows = connection.execute(
            "select owner_id from upload_pipeline.claim_jobs("
            "status => 'uploaded', worker => 'bench', batch => %s, lease => '1 hour', after => %s)",
            [batch, after],
        ).fetchall()
        times.append((time.perf_counter() - started) * 1000)
        assert rows, "a job that is due was not claimed"
        after = rows[-1][0]
        if owner in {row[0] for row in rows}:
            return Waited(len(times), statistics.median(times))


def main() -> None:
    console = Console()
    table = Table("others", "jobs a claim", "claims: median", "most", "ms a claim")
    with ThrowawayPostgres(options={"max_wal_size": "4GB"}) as postgres:
        url = postgres.start()
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            console.print(f"{describe_server(connection)}; {GREEDY:,} older jobs of one owner")
            fill(
                connection,
                f"'{GREEDY_OWNER}'::uuid",
                GREEDY,
                "upload_pipeline.clock() - interval '1 hour'",
            )
            for others in (0, 1_000):
                fill(
                    connection,
                    "gen_random_uuid()",
                    others,
                    "upload_pipeline.clock() + interval '1 day'",
                )
                connection.execute("vacuum analyze")
                for batch in (1, 10):
                    waited = [wait_for_turn(connection, batch, uuid4()) for _ in range(ROUNDS)]
                    claims = [one.claims for one in waited]
                    table.add_row(
                        f"{others:,}",
                        str(batch),
                        f"{statistics.median(claims):g}",
                        str(max(claims)),
                        f"{statistics.median(one.milliseconds for one in waited):.1f}",
                    )
    console.print(table)
