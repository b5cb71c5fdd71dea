"""From release 0.1.0, as its wheel left a database, to this version: under rows, under traffic."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from demo import SEED, violations
from psycopg import sql
from release import Hookline

from hookline.postgres.migrations import migrate
from support.sender import Job, Sender, envelope_of, event_of, until
from support.servers import ROOT
from support.supabase_project import SupabaseLike

TABLES = """
select table_name, array_agg(column_name::text order by ordinal_position)
  from information_schema.columns
  join information_schema.tables using (table_schema, table_name)
 where table_schema = 'upload_pipeline' and table_type = 'BASE TABLE'
 group by table_name
"""

MACHINE = {"statuses", "transitions", "event_codes", "error_codes"}

# Beside the demo's, which stop at `parsed`: a job in each status, by the shortest way there, and an
# object that is to be deleted.
MORE_ROWS = r"""
begin;
\i :histories
select pg_temp.bear('born-' || status, status) from upload_pipeline.statuses;
commit;
select upload_pipeline.erase_document(document_id => j.document_id)
  from upload_pipeline.job_overview as j
 where j.filename = 'contract.pdf';
"""


@pytest.fixture
def installed(server: SupabaseLike, project: str, release: Hookline) -> str:
    """A project's database with 0.1.0 in it, and a login for its receiver."""
    applied = release.migrate(project)
    assert applied.count("hookline__") == 1
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
    server: SupabaseLike, installed: str, superuser: str, tmp_path: Path
) -> None:
    with psycopg.connect(installed, autocommit=True) as conn:
        conn.execute(SEED.encode())
    script = tmp_path / "more.psql"
    script.write_text(MORE_ROWS)
    done = server.run(
        *("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-v", "histories=tests/db/histories.psql"),
        *("-f", script, superuser),
    )
    assert done.returncode == 0, done.stderr
    rows = Rows(superuser)
    before = rows.read()
    assert len(before) >= 11
    assert all(before.values()), before

    assert len(migrate(installed)) >= 1

    after = rows.read()
    for table, written in before.items():
        # The machine may learn; what it was stays.
        assert written <= after[table], table
        assert written == after[table] or table in MACHINE, table
    with psycopg.connect(installed) as conn:
        assert violations(conn) == []
    with server.project() as fresh:
        server.install(fresh)
        assert server.dump(installed, "--schema-only") == server.dump(fresh, "--schema-only")


def test_the_release_is_the_one_that_is_frozen(release: Hookline) -> None:
    for path in release.migrations.iterdir():
        assert path.read_bytes() == (ROOT / "supabase/migrations" / path.name).read_bytes()


def test_the_old_package_does_not_touch_a_newer_database(
    supabase18: SupabaseLike, release: Hookline
) -> None:
    with supabase18.project() as url:
        migrate(url)
        done = release.attempt("migrate", url=url)
    assert done.returncode != 0
    assert "upgrade the hookline package" in " ".join(done.stderr.split())


async def test_the_old_receiver_works_on_the_new_schema(
    installed: str, receiver: str, superuser: str, release: Hookline
) -> None:
    migrate(installed)
    async with release.receiving(receiver, superuser=superuser) as sender:
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
    installed: str, receiver: str, superuser: str, release: Hookline
) -> None:
    async with release.receiving(receiver, superuser=superuser) as sender:
        traffic = Traffic(sender)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run())
            await until(lambda: len(traffic.sent) > 10)
            await asyncio.to_thread(migrate, installed)
            seen = len(traffic.sent)
            await until(lambda: len(traffic.sent) > seen + 10)
            traffic.ending = True
        assert {sender.job(job)["status"] for job in traffic.sent} == {"parsed"}
    assert set(traffic.refused) <= {503}
    with psycopg.connect(installed) as conn:
        assert violations(conn) == []


def test_the_upgrade_and_a_delivery_do_not_wait_for_each_other(
    installed: str, superuser: str
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
        upgrade = pool.submit(migrate, installed)
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
