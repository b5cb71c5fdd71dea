"""The checks that run at COMMIT, with real commits; the pgTAP files roll back.

PostgreSQL 15 runs these checks as the role that commits, 18 as the role that made the change.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from support.servers import Server

SHA256 = hashlib.sha256(b"file").hexdigest()


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    with postgres.create(template=postgres.template) as url:
        yield url


def _create_job(url: str) -> uuid.UUID:
    with psycopg.connect(url) as conn:
        row = conn.execute(
            """
            select job_id from upload_pipeline.create_job(
              owner_id => %s, filename => 'a.pdf', mime => 'application/pdf', bytes_len => 4,
              file_sha256 => %s, raw_path => 'storage://raw/a.pdf')
            """,
            (uuid.uuid4(), SHA256),
        ).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))


def _insert_event(conn: psycopg.Connection, job_id: uuid.UUID, version: int) -> None:
    conn.execute(
        """
        insert into upload_pipeline.events (
          job_id, version, document_id, from_status, to_status, type, severity, code,
          correlation_id, ts
        )
        select job_id, %s, document_id, status, status, 'operator', 'info', 'job_released',
               'x', now()
        from upload_pipeline.upload_jobs where job_id = %s
        """,
        (version, job_id),
    )


def test_each_role_can_commit_the_work_of_its_functions(postgres: Server, database: str) -> None:
    job_id = _create_job(postgres.login(database, "operator"))
    with psycopg.connect(postgres.login(database, "worker")) as conn:
        conn.execute("select upload_pipeline.record_submission(%s, 1, 'pj')", (job_id,))
    with psycopg.connect(postgres.login(database, "ingest")) as conn:
        conn.execute(
            "select upload_pipeline.receive_event("
            "source => 'llamacloud', delivery_id => 'd', body_sha256 => %s, event_type => 'x', "
            "code => 'parse_ready', parse_job_id => 'pj')",
            (SHA256,),
        )
    with psycopg.connect(database) as conn:
        row = conn.execute("select status, version from upload_pipeline.upload_jobs").fetchone()
        events = conn.execute("select count(*) from upload_pipeline.events").fetchone()
        assert row == ("parse_ready", 3)
        assert events == (3,)


def test_commit_of_an_event_without_its_step_is_refused_as_a_whole(database: str) -> None:
    job_id = _create_job(database)
    with psycopg.connect(database) as conn:
        conn.execute("set role hookline_owner")
        conn.execute("update upload_pipeline.documents set filename = 'other.pdf'")
        _insert_event(conn, job_id, 2)
        with pytest.raises(psycopg.DatabaseError) as refusal:
            conn.commit()
        assert refusal.value.sqlstate == "UP010"
    with psycopg.connect(database) as conn:
        counted = conn.execute("select count(*) from upload_pipeline.events").fetchone()
        named = conn.execute("select filename from upload_pipeline.documents").fetchone()
        assert (counted, named) == ((1,), ("a.pdf",))


def test_commit_of_a_job_without_its_history_is_refused_as_a_whole(database: str) -> None:
    _create_job(database)
    with psycopg.connect(database) as conn:
        conn.execute("set role hookline_owner")
        conn.execute(
            "create temp table kept on commit drop as select * from upload_pipeline.upload_jobs"
        )
        conn.execute("delete from upload_pipeline.upload_jobs")
        conn.execute("insert into upload_pipeline.upload_jobs select * from kept")
        with pytest.raises(psycopg.DatabaseError) as refusal:
            conn.commit()
        assert refusal.value.sqlstate == "UP010"
    with psycopg.connect(database) as conn:
        assert conn.execute("select count(*) from upload_pipeline.events").fetchone() == (1,)


def test_two_sessions_cannot_take_the_same_step(database: str) -> None:
    job_id = _create_job(database)
    step = "update upload_pipeline.upload_jobs set version = 2 where job_id = %s"
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        _insert_event(first, job_id, 2)
        first.execute(step, (job_id,))
        second.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            _insert_event(second, job_id, 2)
        second.rollback()
        second.execute("set transaction isolation level repeatable read")
        second.execute("select count(*) from upload_pipeline.events")
        first.commit()
        with pytest.raises(psycopg.DatabaseError) as refusal:
            second.execute(step, (job_id,))
        assert refusal.value.sqlstate == "40001"
    with psycopg.connect(database) as conn:
        assert conn.execute("select * from upload_pipeline.check_integrity()").fetchall() == []
