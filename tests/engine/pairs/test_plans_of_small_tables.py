"""A session keeps the plans that it made when the tables were small. They must suit large ones.

A pool's connection may be as old as the installation. A plan that reads such a table whole costs
little on its first day and gets slower with every job.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.pairs.calls import CALLS, Call
from engine.pairs.scenes import CLEAR, TABLES, Scene, Stage
from engine.races.arguments import Row
from support.servers import Server

JOBS = 400
# At least six, since Postgres makes a plan for each of the first five calls.
SCENES = ["uploaded", "leased", "queued", "missed", "kept", "parsed"]
# These work through all of something, and say so.
READ_ALL = {"check_integrity", "recount_statuses"}
GROWING = [
    "upload_jobs",
    "events",
    "documents",
    "provider_jobs",
    "contents",
    "webhook_deliveries",
    "credit_reservations",
    "deletions",
    "notifications",
    "provider_requests",
    "artifacts",
]

# Finished jobs, jobs of which the provider has said nothing, and deliveries that nobody knows.
_MAKE = """
do $$
declare
  made upload_pipeline.receipt;
begin
  for n in 1 .. %(jobs)s loop
    made := upload_pipeline.create_job(
      owner_id => gen_random_uuid(), filename => 'many.pdf', mime => 'application/pdf',
      bytes_len => 9, file_sha256 => encode(sha256(n::text::bytea), 'hex'),
      raw_path => 'storage://raw/many-' || n
    );
    perform upload_pipeline.confirm_upload(made.job_id, 9, encode(sha256(n::text::bytea), 'hex'));
    perform upload_pipeline.record_submission(made.job_id, 1, 'many-' || n);
    if n %% 2 = 0 then
      perform upload_pipeline.receive_event(
        'llamacloud', 'many-' || n, repeat('0', 64), 'parse.success', 'parse_ready',
        parse_job_id => 'many-' || n
      );
      perform upload_pipeline.receive_event(
        'llamacloud', 'nobody-' || n, repeat('0', 64), 'parse.success', 'parse_ready',
        parse_job_id => 'nobody-' || n
      );
      perform upload_pipeline.receive_content(
        'llamaparse', 'many-' || n, repeat('0', 64), 'parsed', made.job_id,
        content => '# many'::bytea
      );
    end if;
  end loop;
end
$$
"""
_READ = b"""
select relname as name, seq_tup_read::integer as rows
  from pg_stat_xact_user_tables
 where schemaname = 'upload_pipeline'
   and relname = any (%s)
"""


@pytest.fixture
def stage(postgres18: Server) -> Iterator[tuple[Stage, psycopg.Connection[Row]]]:
    with (
        postgres18.create(template=postgres18.template) as url,
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
    ):
        yield Stage(conn), conn


def _read_whole(
    stage: Stage, conn: psycopg.Connection[Row], call: Call, scene: Scene
) -> dict[str, int]:
    """The tables of which a call reads many rows without an index. Its changes are undone."""
    with conn.transaction(force_rollback=True):
        # These counts begin when the session has last sent its own, not with the transaction.
        before = _rows_read(conn)
        try:
            with conn.transaction():
                stage.call(call.function, **call.arguments(scene))
        except (psycopg.Error, AssertionError):
            pass
        read = {table: rows - before.get(table, 0) for table, rows in _rows_read(conn).items()}
    return {table: rows for table, rows in read.items() if rows > JOBS // 4}


@contextmanager
def _keys_only(conn: psycopg.Connection[Row]) -> Iterator[None]:
    """For statements of this test: the plans of foreign keys are made by who first needs them."""
    conn.execute("set enable_seqscan = off")
    yield
    conn.execute("reset enable_seqscan")


def _rows_read(conn: psycopg.Connection[Row]) -> dict[str, int]:
    return {row["name"]: row["rows"] for row in conn.execute(_READ, [GROWING])}


@pytest.mark.long
def test_no_function_reads_a_large_table_whole(
    stage: tuple[Stage, psycopg.Connection[Row]],
) -> None:
    made, conn = stage
    calls = [call for call in CALLS if call.function not in READ_ALL]
    # A table that was empty when it was last vacuumed is taken for one page.
    conn.execute("vacuum analyze")
    for name in SCENES:
        with _keys_only(conn):
            scene = made.scene(name)
        for call in calls:
            _read_whole(made, conn, call, scene)

    with _keys_only(conn):
        conn.execute(CLEAR.encode())
    conn.execute((_MAKE % {"jobs": JOBS}).encode())
    conn.execute("".join(f"create table many_{t} as table upload_pipeline.{t};" for t in TABLES))
    many = "".join(f"insert into upload_pipeline.{t} table many_{t};" for t in TABLES)
    found = set()
    for name in SCENES:
        scene = made.scene(name)
        with _keys_only(conn):
            made.put_back(scene)
        conn.execute(many.encode())
        for call in calls:
            for table, rows in _read_whole(made, conn, call, scene).items():
                found.add(f"{call.name} reads {rows} rows of {table}, in the scene {name}")
    assert not found, "\n".join(sorted(found))
