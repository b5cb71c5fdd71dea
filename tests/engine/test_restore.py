"""A dump and a restore keep every row, and the guards are enabled afterwards."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from engine.races.arguments import new_job
from support.servers import Server

# The installation fills the lookup tables. They are emptied, since the dump brings its own rows.
MAKE_ROOM = """
delete from upload_pipeline.event_codes;
delete from upload_pipeline.transitions;
delete from upload_pipeline.statuses;
delete from upload_pipeline.error_codes;
delete from upload_pipeline.providers;
"""

TABLES = """
select table_name from information_schema.tables
where table_schema = 'upload_pipeline' and table_type = 'BASE TABLE' order by table_name
"""

GUARDS = """
select tgrelid::regclass::text, tgname, tgenabled
from pg_trigger
where not tgisinternal and tgfoid::regproc::text like 'upload_pipeline.%'
order by tgname
"""


class SampleData:
    """Rows in every table and jobs in every status, made by the functions themselves."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn
        self.deliveries = 0

    def make_job(self, name: str, *, confirmed: bool = True) -> uuid.UUID:
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        row = self.conn.execute(
            """
            select job_id from upload_pipeline.create_job(
              owner_id => %s, filename => %s, mime => 'application/pdf', bytes_len => 1,
              file_sha256 => %s, raw_path => %s)
            """,
            (uuid.uuid4(), f"{name}.pdf", sha256, f"storage://raw/{name}.pdf"),
        ).fetchone()
        assert row is not None
        job_id = uuid.UUID(str(row[0]))
        if confirmed:
            self.conn.execute(
                "select upload_pipeline.confirm_upload("
                "job_id => %s, bytes_len => 1, file_sha256 => %s)",
                (job_id, sha256),
            )
        return job_id

    def _delivery(self) -> tuple[str, str]:
        self.deliveries += 1
        return str(self.deliveries), hashlib.sha256(str(self.deliveries).encode()).hexdigest()

    def receive_event(
        self, code: str | None, *, parse_job_id: str, job_id: uuid.UUID | None = None
    ) -> str:
        row = self.conn.execute(
            """
            select outcome from upload_pipeline.receive_event(
              source => 'llamacloud', delivery_id => %s, body_sha256 => %s, event_type => 'parse.x',
              code => %s, parse_job_id => %s, job_id => %s, payload => '{"error": "é \\" \\\\n"}')
            """,
            (*self._delivery(), code, parse_job_id, job_id),
        ).fetchone()
        assert row is not None
        return str(row[0])

    def receive_content(self, job_id: uuid.UUID, content: bytes, *, recognised: bool = True) -> int:
        row = self.conn.execute(
            """
            select ordinal from upload_pipeline.receive_content(
              source => 'llamaparse', delivery_id => %s, body_sha256 => %s, event_type => 'parsed',
              job_id => %s, content => %s, recognised => %s)
            """,
            (*self._delivery(), job_id, content, recognised),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def store(self, job_id: uuid.UUID, content: bytes) -> None:
        ordinal = self.receive_content(job_id, content)
        self.conn.execute(
            "select upload_pipeline.finish_content(job_id => %s, ordinal => %s)", (job_id, ordinal)
        )

    def submit(self, job_id: uuid.UUID, parse_job_id: str) -> None:
        self.conn.execute(
            "select upload_pipeline.record_submission("
            "job_id => %s, attempt => 1, parse_job_id => %s)",
            (job_id, parse_job_id),
        )

    def refuse(self) -> None:
        self.conn.execute(
            "select upload_pipeline.count_refusals(refusals => jsonb_build_array("
            "jsonb_build_object('source', 'llamacloud', 'reason', 'no_match', 'count', 3)))"
        )

    def create(self) -> None:
        self.refuse()
        self.conn.execute("select upload_pipeline.start_announcing()")
        self.make_job("unconfirmed", confirmed=False)
        self.make_job("uploaded")
        self.submit(self.make_job("parse_queued"), "pj-queued")
        self.submit(self.make_job("parse_ready"), "pj-ready")
        self.receive_event("parse_ready", parse_job_id="pj-ready")

        parsed = self.make_job("parsed")
        self.store(parsed, b"# once\n")
        complete = self.make_job("complete")
        self.store(complete, b"# twice\x00\xff\n")
        self.conn.execute(
            """
            select upload_pipeline.move_job_or_raise(
                     j, upload_pipeline.resolve_step(j.status, 'job_completed'), '{}'
                   )
            from upload_pipeline.lock_job(%s) as j
            """,
            (complete,),
        )

        failed = self.make_job("failed")
        self.submit(failed, "pj-failed")
        self.receive_event("parse_failed", parse_job_id="pj-failed")
        retried = self.make_job("retried")
        self.submit(retried, "pj-retried")
        self.receive_event("parse_failed", parse_job_id="pj-retried")
        self.conn.execute("select upload_pipeline.retry_job(job_id => %s)", (retried,))
        self.conn.execute(
            "select upload_pipeline.cancel_job(job_id => %s)", (self.make_job("gone"),)
        )

        self.conn.execute(
            "update upload_pipeline.statuses set announced = true where status = 'parsed'"
        )
        pending = self.make_job("pending")
        self.receive_content(pending, b"# not yet stored\n")
        self.receive_content(pending, bytes(range(256)), recognised=False)
        self.receive_event("parse_ready", parse_job_id="pj-parked")
        self.receive_event(None, parse_job_id="pj-of-another-application")

        erased = self.make_job("erased")
        self.submit(erased, "pj-erased")
        self.store(erased, b"# erased\n")
        self.conn.execute(
            """
            select upload_pipeline.erase_document(document_id => document_id)
            from upload_pipeline.upload_jobs where job_id = %s
            """,
            (erased,),
        )

        self.conn.execute(
            """
            update upload_pipeline.upload_jobs
               set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()
             where job_id = %s
            """,
            (parsed,),
        )
        self.conn.execute(
            "select upload_pipeline.set_credit_cap("
            "owner_id => null, period => 'month', credits => 5)"
        )
        self.conn.execute(
            """
            select upload_pipeline.reserve_credits(c.job_id, c.lease_token, credits => 1.5)
              from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w') as c
            """
        )
        self.conn.execute("select upload_pipeline.set_fallback('llamacloud', 'docling')")
        self.conn.execute(
            "insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)"
            " select job_id, 'text', 1, repeat('a', 64), 1, 'storage://parsed/a.txt'"
            " from upload_pipeline.upload_jobs limit 1"
        )
        self.conn.execute("select upload_pipeline.set_owner(gen_random_uuid(), max_running => 2)")
        self.conn.execute(
            "select upload_pipeline.pause_stage("
            "'uploaded', now() + interval '1 hour', 'no credits', provider => 'docling')"
        )
        self.conn.execute(
            """
            select upload_pipeline.start_announcing();
            insert into upload_pipeline.job_groups (group_id, owner_id, closed_at, check_after)
            values (gen_random_uuid(), gen_random_uuid(), now(), now());
            select * from upload_pipeline.claim_notifications();
            """
        )
        grouped = {**new_job("grouped"), "group_id": uuid.uuid4()}
        names = sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in grouped
        )
        self.conn.execute(sql.SQL("select upload_pipeline.create_job({})").format(names), grouped)
        self.conn.execute(
            "select upload_pipeline.pause_stage("
            "status => 'parsed', until => now() + interval '1 day', reason => 'é')"
        )

        # A state machine that differs from the one that the installation makes.
        self.conn.execute(
            """
            insert into upload_pipeline.statuses (status, description)
            values ('mine', 'A stage of my own.');
            insert into upload_pipeline.transitions values ('parsed', 'mine', 'stage_started');
            update upload_pipeline.transitions set enabled = false where to_status = 'complete';
            update upload_pipeline.statuses set claimable = false where status = 'parse_ready';
            """
        )


def rows(url: str) -> dict[str, list[str]]:
    with psycopg.connect(url) as conn:
        return {
            table: [
                row[0]
                for row in conn.execute(
                    sql.SQL("select t::text from {} t order by t::text").format(
                        sql.Identifier("upload_pipeline", table)
                    )
                )
            ]
            for (table,) in conn.execute(TABLES).fetchall()
        }


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(query.encode()).fetchall()


@pytest.fixture
def source(postgres: Server) -> Iterator[str]:
    with postgres.create(template=postgres.template) as url:
        with psycopg.connect(url) as conn:
            SampleData(conn).create()
        yield url


@pytest.fixture
def target(postgres: Server) -> Iterator[str]:
    with postgres.create(template=postgres.template) as url:
        yield url


def dump(server: Server, url: str, path: Path, *options: str) -> None:
    done = server.run(
        "pg_dump", *options, "--schema=upload_pipeline", "--file", path, "--dbname", url
    )
    assert done.returncode == 0, done.stderr


# The load of the events counts the steps again.
DATA_ONLY = ("--data-only", "--exclude-table-data=upload_pipeline.activity_counts")


def without_counts(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    return {table: rows for table, rows in rows.items() if table != "activity_counts"}


RESTORE = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", MAKE_ROOM, "-f")


def test_sample_data_fills_every_table_and_status(source: str) -> None:
    statuses = ask(source, "select distinct status from upload_pipeline.upload_jobs order by 1")
    assert [row[0] for row in statuses] == [
        *("cancelled", "complete", "failed_parse", "parse_queued", "parse_ready"),
        *("parsed", "uploaded"),
    ]
    outcomes = ask(source, "select distinct outcome from upload_pipeline.webhook_deliveries")
    assert {row[0] for row in outcomes} >= {"applied", "kept", "unrecognised", "parked", "ignored"}
    assert [table for table, found in rows(source).items() if not found] == []
    assert ask(source, "select * from upload_pipeline.check_integrity()") == []


@pytest.mark.parametrize("session", ["origin", "replica"])
def test_dump_of_data_only_is_restored_into_a_new_installation(
    session: str, postgres: Server, source: str, target: str, tmp_path: Path
) -> None:
    dump(postgres, source, tmp_path / "data.sql", *DATA_ONLY)
    options = {"PGOPTIONS": f"-c session_replication_role={session}"}
    done = postgres.run("psql", "-1", *RESTORE, tmp_path / "data.sql", target, env=options)
    assert done.returncode == 0, done.stderr
    assert without_counts(rows(target)) == without_counts(rows(source))
    if session == "replica":
        assert ask(target, "select * from upload_pipeline.recount_statuses()")
    assert ask(target, "select * from upload_pipeline.check_integrity()") == []


def test_restore_without_one_event_of_a_history_is_refused(
    postgres: Server, source: str, target: str, tmp_path: Path
) -> None:
    dump(postgres, source, tmp_path / "data.sql", *DATA_ONLY)
    lines = (tmp_path / "data.sql").read_text().splitlines(keepends=True)
    lost = [n for n, line in enumerate(lines) if "\tupload_confirmed\t" in line and "\t2\t" in line]
    del lines[lost[0]]
    (tmp_path / "less.sql").write_text("".join(lines))
    done = postgres.run("psql", "-1", *RESTORE, tmp_path / "less.sql", target)
    assert "has no unbroken history" in done.stderr
    assert rows(target)["upload_jobs"] == []


def test_restore_without_a_single_transaction_fails_with_a_clear_error(
    postgres: Server, source: str, target: str, tmp_path: Path
) -> None:
    dump(postgres, source, tmp_path / "data.sql", *DATA_ONLY)
    done = postgres.run("psql", *RESTORE, tmp_path / "data.sql", target)
    # MAKE_ROOM is a transaction of its own, and a machine without an initial status is refused.
    assert "none of the 0 statuses is initial" in done.stderr
    assert rows(target)["upload_jobs"] == []


def test_dump_of_the_whole_database_is_restored_with_its_guards(
    postgres: Server, source: str, tmp_path: Path
) -> None:
    dump(postgres, source, tmp_path / "whole.sql")
    with postgres.create() as empty:
        done = postgres.run(
            "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", tmp_path / "whole.sql", empty
        )
        assert done.returncode == 0, done.stderr
        assert rows(empty) == rows(source)
        assert ask(empty, "select * from upload_pipeline.check_integrity()") == []
        assert ask(empty, GUARDS) == ask(source, GUARDS)
        assert {row[1] for row in ask(empty, GUARDS) if row[2] != "A"} == {
            "deleted_jobs_are_counted",
            "steps_are_counted",
            "later_jobs_are_scheduled",
        }


@contextmanager
def member_of(server: Server, url: str, role: str) -> Iterator[str]:
    """The URL of the same database for a login role that is a member of `role` only."""
    server.execute(f"create role backup login password 'backup' in role {role}")
    try:
        yield server.url(urlsplit(url).path[1:], user="backup", password="backup")
    finally:
        server.execute("drop role backup")


def test_member_of_the_owner_dumps_every_row(
    postgres: Server, source: str, target: str, tmp_path: Path
) -> None:
    with member_of(postgres, source, "hookline_owner") as url:
        dump(postgres, url, tmp_path / "data.sql", *DATA_ONLY)
    done = postgres.run("psql", "-1", *RESTORE, tmp_path / "data.sql", target)
    assert done.returncode == 0, done.stderr
    assert without_counts(rows(target)) == without_counts(rows(source))


def test_dump_by_pg_read_all_data_ends_with_an_error_and_not_empty(
    postgres: Server, source: str, tmp_path: Path
) -> None:
    with member_of(postgres, source, "pg_read_all_data") as url:
        options = ("--data-only", "--schema=upload_pipeline", "--file", tmp_path / "data.sql")
        done = postgres.run("pg_dump", *options, "--dbname", url)
    assert done.returncode != 0
    assert "row-level security policy" in done.stderr


def test_restore_on_supabase_broadcasts_nothing_while_the_trigger_is_disabled(
    postgres: Server, source: str, target: str, tmp_path: Path
) -> None:
    dump(postgres, source, tmp_path / "data.sql", *DATA_ONLY)
    for path in ("tests/support/platform.psql", "db/supabase/install.sql"):
        done = postgres.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, target)
        assert done.returncode == 0, done.stderr
    switch = "alter table upload_pipeline.events {} trigger events_are_broadcast"
    postgres.execute(switch.format("disable"), urlsplit(target).path[1:])
    done = postgres.run("psql", "-1", *RESTORE, tmp_path / "data.sql", target)
    assert done.returncode == 0, done.stderr
    postgres.execute(switch.format("enable"), urlsplit(target).path[1:])
    assert without_counts(rows(target)) == without_counts(rows(source))
    assert ask(target, "select count(*) from realtime.messages") == [(0,)]

    with psycopg.connect(target) as conn:
        SampleData(conn).make_job("announced", confirmed=False)
    assert ask(target, "select count(*) from realtime.messages") == [(1,)]
