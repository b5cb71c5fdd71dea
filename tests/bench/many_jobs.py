"""Makes a database with very many jobs, each with its whole history, in minutes.

The public functions make one finished job, one failed job and one that the provider has. Their rows
are then multiplied, table by table, without guards and secondary indexes. So the rows are those of
real jobs: only ids, hashes and times differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg

__all__ = ["make_jobs", "submit_job"]

DAYS = 100  # in which the jobs ended, evenly
OWNERS = 1000
FAILED_IN = 1000  # one job of so many
AT_THE_PROVIDER = 1000
_CHUNK = 50_000  # jobs of one insert

_TABLES = (
    "documents",
    "upload_jobs",
    "events",
    "provider_jobs",
    "contents",
    "webhook_deliveries",
    "credit_reservations",
)
_NAMES = [f"upload_pipeline.{table}" for table in _TABLES]
# What differs from job to job, by the name of its column; `n` is the number of the job.
_OWN = {
    "job_id": "made.job_id",
    "document_id": "made.document_id",
    "owner_id": f"md5((made.n % {OWNERS})::text)::uuid",
    # A UUIDv7 whose twelve bits after the version are those of the step.
    "event_id": (
        "overlay(made.job_id::text placing lpad(to_hex(row.version), 3, '0') from 16)::uuid"
    ),
    "filename": "made.n || '.pdf'",
    "file_sha256": "lpad(to_hex(made.n), 64, '0')",
    "raw_path": "'storage://raw/' || made.n || '.pdf'",
    "correlation_id": "'corr-' || made.n",
    "parsed_path": "'storage://parsed/' || made.document_id || '/' || made.job_id || '.md'",
    "path": "'storage://parsed/' || made.document_id || '/' || made.job_id || '.md'",
    "parse_job_id": "'p-' || made.n",
    "delivery_id": "'event-' || made.n || '-' || row.event_type",
}


def submit_job(connection: psycopg.Connection, parse_job_id: str) -> UUID:
    """A new job that the provider has, with an open reservation. Made by the functions."""
    content = parse_job_id.encode()
    found = connection.execute(
        """
        select j.job_id
          from upload_pipeline.create_job(
            owner_id => %s, filename => 'report.pdf', mime => 'application/pdf', bytes_len => 9,
            file_sha256 => %s, raw_path => 'storage://raw/' || %s
          ) as j
        """,
        [uuid4(), hashlib.sha256(content).hexdigest(), f"{parse_job_id}.pdf"],
    ).fetchone()
    assert found is not None
    connection.execute(
        """
        select upload_pipeline.confirm_upload(
          job_id => %(job)s, bytes_len => 9, file_sha256 => %(sha)s
        )
        """,
        {"job": found[0], "sha": hashlib.sha256(content).hexdigest()},
    )
    [(job_id, token)] = connection.execute(
        "select job_id, lease_token"
        " from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'bench')"
    ).fetchall()
    assert job_id == found[0], "another job waits"
    connection.execute("select upload_pipeline.reserve_credits(%s, %s, 9)", [job_id, token])
    connection.execute(
        "select upload_pipeline.record_submission(%s, 1, %s)", [job_id, parse_job_id]
    )
    return UUID(str(job_id))


def _finish(connection: psycopg.Connection, job_id: UUID, parse_job_id: str) -> None:
    """Let the provider report success, and take the job through all stages."""
    _report(connection, parse_job_id, "parse_ready")
    content = b"# Report\n"
    connection.execute(
        """
        select upload_pipeline.finish_content(job_id => c.job_id, ordinal => c.ordinal)
          from upload_pipeline.receive_content(
            source => 'local', delivery_id => %(parse)s || '-content', body_sha256 => %(sha)s,
            event_type => 'content', job_id => %(job)s, content => %(content)s
          ) as c
        """,
        {
            "parse": parse_job_id,
            "job": job_id,
            "sha": hashlib.sha256(content).hexdigest(),
            "content": content,
        },
    )
    connection.execute("select upload_pipeline.settle_credits(%s, 1, 3)", [job_id])
    done = connection.execute(
        """
        select (upload_pipeline.advance_job(c.job_id, c.lease_token, 'job_completed')).outcome
          from upload_pipeline.claim_jobs(status => 'parsed', worker => 'bench') as c
        """
    ).fetchall()
    assert done == [("applied",)], done


def _report(connection: psycopg.Connection, parse_job_id: str, code: str) -> None:
    connection.execute(
        """
        select upload_pipeline.receive_event(
          source => 'llamacloud', delivery_id => %(parse)s || %(code)s,
          body_sha256 => repeat('0', 64), event_type => %(code)s, code => %(code)s,
          parse_job_id => %(parse)s,
          payload => jsonb_build_object('parse_job_id', %(parse)s::text)
        )
        """,
        {"parse": parse_job_id, "code": code},
    )


def make_jobs(connection: psycopg.Connection, total: int, unfinished: int | None = None) -> None:
    """Fill an installed and empty database with `total` jobs. The connection is a superuser's.

    The last ones (AT_THE_PROVIDER, or `unfinished`) are at the provider, which calls them
    `p-{number}`; all others have ended.
    """
    _make_templates(connection)
    at_the_provider = min(AT_THE_PROVIDER, total // 10) if unfinished is None else unfinished
    every = f"interval '{DAYS} days' / {total}"
    connection.execute(
        "create temporary table made ("
        " n bigint, earlier interval, kind text, job_id uuid, document_id uuid)"
    )
    with connection.transaction(), _without_guards(connection), _without_indexes(connection):
        # In the transaction of the inserts: with wal_level minimal they write no WAL then.
        connection.execute(f"truncate {', '.join(_NAMES)} cascade".encode())
        for first in range(1, total + 1, _CHUNK):
            last = min(first + _CHUNK - 1, total)
            connection.execute("truncate made")
            connection.execute(
                # The ids are UUIDv7 (RFC 9562) of the time of the job's birth.
                f"""
                insert into made
                select n, ({total} - n) * ({every}),
                       case when n > {total - at_the_provider} then 'parse_queued'
                            when n % {FAILED_IN} = 0 then 'failed_parse'
                            else 'complete' end,
                       (prefix || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                       (prefix || '70008001' || lpad(to_hex(n), 12, '0'))::uuid
                  from generate_series({first}::bigint, {last}) as n
                 cross join lateral (
                   select lpad(
                            to_hex(
                              (extract(epoch from now() - ({total} - n) * ({every})) * 1000)::bigint
                            ), 12, '0'
                          ) as prefix
                   offset 0
                 ) as birth
                """.encode()  # noqa: S608
            )
            for table in _TABLES:
                _multiply(connection, table)
    connection.execute("drop table made")
    connection.execute("select upload_pipeline.recount_statuses()")
    for table in _TABLES:
        connection.execute(f"drop table template_{table}".encode())
    connection.execute("vacuum (analyze)")


def _make_templates(connection: psycopg.Connection) -> None:
    """One job of each kind, moved to temporary tables."""
    finished = submit_job(connection, "finished")
    _finish(connection, finished, "finished")
    submit_job(connection, "failed")
    _report(connection, "failed", "parse_failed")
    submit_job(connection, "submitted")
    for table in _TABLES:
        key = "document_id" if table == "documents" else "job_id"
        connection.execute(
            f"create temporary table template_{table} as"  # noqa: S608
            f" select row.*, j.status as kind from upload_pipeline.{table} as row"
            f" join upload_pipeline.upload_jobs as j using ({key})".encode()
        )


def _multiply(connection: psycopg.Connection, table: str) -> None:
    columns = connection.execute(
        "select attname, atttypid = 'timestamptz'::regtype from pg_attribute"
        " where attrelid = ('upload_pipeline.' || %s)::regclass and attnum > 0"
        " and not attisdropped order by attnum",
        [table],
    ).fetchall()
    values = [
        f"row.{name} - made.earlier"
        if is_time
        else f"case when row.{name} is not null then {_OWN[name]} end"
        if name in _OWN
        else f"row.{name}"
        for name, is_time in columns
    ]
    connection.execute(
        f"insert into upload_pipeline.{table} ({', '.join(name for name, _ in columns)})"  # noqa: S608
        f" select {', '.join(values)} from made"
        # Without a join by hash, the rows come in the order of the jobs.
        f" cross join lateral (select t.* from template_{table} as t where t.kind = made.kind"
        " offset 0) as row".encode()
    )


@contextmanager
def _without_guards(connection: psycopg.Connection) -> Iterator[None]:
    """Insert without triggers, keys and checks. The rows are copies of rows that passed them."""
    always_on = connection.execute(
        "select tgrelid::regclass::text, tgname from pg_trigger where tgenabled = 'A'"
        " and tgrelid = any(%s::regclass[])",
        [_NAMES],
    ).fetchall()
    checks = connection.execute(
        "select relchecks, oid from pg_class where oid = any(%s::regclass[])", [_NAMES]
    ).fetchall()
    for name in _NAMES:
        connection.execute(f"alter table {name} disable trigger all".encode())
    # Faster than to drop them, and what is made again is the same.
    connection.execute(
        "update pg_class set relchecks = 0 where oid = any(%s::regclass[])", [_NAMES]
    )
    yield
    for count, table in checks:
        connection.execute("update pg_class set relchecks = %s where oid = %s", [count, table])
    for name in _NAMES:
        connection.execute(f"alter table {name} enable trigger all".encode())
    for relation, name in always_on:
        connection.execute(f"alter table {relation} enable always trigger {name}".encode())


@contextmanager
def _without_indexes(connection: psycopg.Connection) -> Iterator[None]:
    """Leave the indexes alone until the end. Making them then, from sorted rows, is faster."""
    connection.execute(
        "update pg_index set indisready = false, indisvalid = false"
        " where indrelid = any(%s::regclass[])",
        [_NAMES],
    )
    # Every session then reads again which indexes there are.
    connection.execute(
        "update pg_class set relhasindex = relhasindex where oid = any(%s::regclass[])", [_NAMES]
    )
    yield
    for name in _NAMES:
        connection.execute(f"reindex table {name}".encode())
