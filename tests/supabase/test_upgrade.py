"""The rehearsal of an upgrade, from this version to the invented next one of versions.py.

It runs with rows in every table and under traffic. It keeps db/build.py, db/changes and
lock_tables.sql in working order while no version is frozen.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from demo import SEED, violations
from psycopg import sql
from versions import CHANGE, Hookline

from support.sender import Job, Sender, envelope_of, event_of
from support.source_tree import SourceTree
from support.supabase_project import SupabaseLike
from support.waiting import until

TABLES = """
select table_name, array_agg(column_name::text order by ordinal_position)
  from information_schema.columns
  join information_schema.tables using (table_schema, table_name)
 where table_schema = 'upload_pipeline' and table_type = 'BASE TABLE'
 group by table_name
"""

MACHINE = {"statuses", "transitions", "event_codes", "error_codes"}

# The demo's jobs stop at `parsed`. These add a job in each status, by the shortest way there, an
# object to be deleted, a credit cap and a reservation.
MORE_ROWS = r"""
begin;
\i :raw_dml
select pg_temp.make_job_in_status('born-' || status, status) from upload_pipeline.statuses;
commit;
select upload_pipeline.erase_document(document_id => j.document_id)
  from upload_pipeline.job_overview as j
 where j.filename = 'contract.pdf';
insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)
select j.job_id, 'text', 1, repeat('a', 64), 1, 'storage://parsed/x.txt'
  from upload_pipeline.job_overview as j
 limit 1;
select upload_pipeline.record_submission(
  job_id => gen_random_uuid(), attempt => 1, parse_job_id => 'of an erased job'
);
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 100);
select upload_pipeline.set_fallback(provider => 'llamacloud', next_provider => 'docling');
select upload_pipeline.pause_stage(
  status => 'uploaded', until => now() + interval '1 hour', reason => 'x', provider => 'docling'
);
select upload_pipeline.set_owner(owner_id => gen_random_uuid(), max_running => 3);
select r.*
  from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'host-1') as c
  cross join lateral upload_pipeline.reserve_credits(
    job_id => c.job_id, lease_token => c.lease_token, credits => 3
  ) as r;
select upload_pipeline.create_job(
  owner_id => gen_random_uuid(), filename => 'g.pdf', mime => '', bytes_len => 1,
  file_sha256 => repeat('9', 64), raw_path => 'storage://raw/g.pdf', group_id => gen_random_uuid()
);
select upload_pipeline.start_announcing();
select upload_pipeline.cancel_job(job_id => j.job_id)
  from upload_pipeline.upload_jobs as j
 where j.correlation_id = 'born-uploaded';
select upload_pipeline.count_refusals(
  refusals => '[{"source": "llamaparse", "reason": "no_match", "count": 3, "user_agent": "curl/8"}]'
);
"""


@pytest.fixture
def installed(server: SupabaseLike, project: str, this_version: Hookline) -> str:
    """A project's database with this version in it, and a login for its receiver."""
    this_version.migrate(project)
    server.execute(
        "do $$ begin create role receiver login password 'receiver' in role hookline_ingest;"
        " exception when duplicate_object then null; end $$"
    )
    return project


@pytest.fixture
def receiver(server: SupabaseLike, installed: str) -> str:
    with psycopg.connect(installed) as conn:
        return server.url(conn.info.dbname, user="receiver", password="receiver")


@pytest.fixture
def superuser(server: SupabaseLike, installed: str) -> str:
    with psycopg.connect(installed) as conn:
        return server.url(conn.info.dbname)


class Rows:
    """The rows of all tables, over the columns that they had at first."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as conn:
            self.columns: dict[str, list[str]] = dict(conn.execute(TABLES).fetchall())

    def read(self) -> dict[str, set[str]]:
        with psycopg.connect(self.url) as conn:
            return {
                table: {
                    row[0]
                    for row in conn.execute(
                        sql.SQL(
                            "select r::text from (select {} from upload_pipeline.{}) as r"
                        ).format(
                            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
                        )
                    )
                }
                for table, columns in self.columns.items()
            }


def test_every_row_outlives_the_upgrade(
    server: SupabaseLike,
    installed: str,
    superuser: str,
    next_version: Hookline,
    next_tree: SourceTree,
    tmp_path: Path,
) -> None:
    with psycopg.connect(installed, autocommit=True) as conn:
        conn.execute(SEED.encode())
    script = tmp_path / "more.psql"
    script.write_text(MORE_ROWS)
    done = server.run(
        *("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-v", "raw_dml=tests/db/raw_dml.psql"),
        *("-f", script, superuser),
    )
    assert done.returncode == 0, done.stderr
    rows = Rows(superuser)
    before = rows.read()
    assert len(before) >= 13
    assert all(before.values()), [table for table, written in before.items() if not written]

    assert CHANGE[:14] in next_version.migrate(installed)

    after = rows.read()
    for table, written in before.items():
        # The machine may learn; what it was stays.
        assert written <= after[table], table
        assert written == after[table] or table in MACHINE, table
    with psycopg.connect(installed) as conn:
        assert violations(conn) == []
    with server.project() as fresh:
        server.install(fresh, root=next_tree.root)
        assert server.dump(installed, "--schema-only") == server.dump(fresh, "--schema-only")


def test_this_package_does_not_touch_a_newer_database(
    supabase18: SupabaseLike, this_version: Hookline, next_version: Hookline
) -> None:
    with supabase18.project() as url:
        next_version.migrate(url)
        done = this_version.attempt("migrate", url=url)
    assert done.returncode != 0
    assert "upgrade the hookline package" in " ".join(done.stderr.split())


async def test_this_receiver_works_on_the_next_schema(
    installed: str, receiver: str, superuser: str, this_version: Hookline, next_version: Hookline
) -> None:
    next_version.migrate(installed)
    async with this_version.receiving(receiver, superuser=superuser) as sender:
        answers = [await sender.send_envelope(envelope_of(sender.new_job()))]
        notified = sender.submitted("p-1")
        answers.append(await sender.send_event(event_of("p-1")))
        answers.append(await sender.push(sender.new_job(), {"md": "# Report", "txt": "Report"}))
        assert sender.job(notified)["status"] == "parse_ready"
    assert [(code, answer["outcome"]) for code, answer in answers] == [(200, "applied")] * 3


class Traffic:
    """Envelopes of new jobs, six at once, each sent again until it is answered 200."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.ending = False
        self.refused: list[int] = []
        self.sent: list[Job] = []
        rows = sender.query(
            "select r.job_id, r.document_id from generate_series(1, 600) as n"
            " cross join lateral upload_pipeline.create_job(owner_id => gen_random_uuid(),"
            " filename => n || '.pdf', mime => 'application/pdf', bytes_len => 1,"
            " file_sha256 => repeat('a', 64), raw_path => 'storage://raw/' || n) as r"
        )
        self.jobs = iter([Job(row["job_id"], row["document_id"]) for row in rows])

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(self._send())

    async def _send(self) -> None:
        for job in self.jobs:
            while (code := (await self.sender.send_envelope(envelope_of(job)))[0]) != 200:
                self.refused.append(code)
                await asyncio.sleep(0.05)
            self.sent.append(job)
            if self.ending:
                return
        raise AssertionError("more jobs are needed")


async def test_nothing_is_lost_when_the_upgrade_meets_traffic(
    installed: str, receiver: str, superuser: str, this_version: Hookline, next_version: Hookline
) -> None:
    async with this_version.receiving(receiver, superuser=superuser) as sender:
        traffic = Traffic(sender)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run())
            await until(lambda: len(traffic.sent) > 10)
            await asyncio.to_thread(next_version.migrate, installed)
            seen = len(traffic.sent)
            await until(lambda: len(traffic.sent) > seen + 10)
            traffic.ending = True
        assert {sender.job(job)["status"] for job in traffic.sent} == {"parsed"}
    assert set(traffic.refused) <= {503}
    with psycopg.connect(installed) as conn:
        assert violations(conn) == []


def test_the_upgrade_and_a_delivery_do_not_wait_for_each_other(
    installed: str, superuser: str, next_version: Hookline
) -> None:
    """Whatever order it takes the tables in, a delivery that holds one gets the others, too."""
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(superuser, autocommit=True) as watch,
        psycopg.connect(superuser) as delivery,
    ):
        job = delivery.execute(
            "select job_id from upload_pipeline.create_job(owner_id => gen_random_uuid(),"
            " filename => 'a.pdf', mime => 'application/pdf', bytes_len => 1,"
            " file_sha256 => repeat('a', 64), raw_path => 'storage://raw/a')"
        ).fetchone()
        upgrade = pool.submit(next_version.migrate, installed)
        while not watch.execute(
            "select 1 from pg_locks where mode = 'AccessExclusiveLock' and not granted"
        ).fetchone():
            assert not upgrade.done()
        delivery.execute(
            "select upload_pipeline.receive_content(source => 'llamaparse', delivery_id => 'd-1',"
            " body_sha256 => repeat('b', 64), event_type => 'parsed', job_id => %s,"
            " content => '# Report')",
            job,
        )
        delivery.commit()
        assert upgrade.result(timeout=30)
