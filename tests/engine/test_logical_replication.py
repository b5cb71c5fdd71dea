"""Logical replication: a subscription, created as db/README.md says, applies every change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from hookline.standalone.embedded import ThrowawayPostgres
from support.servers import DEBIAN_15, ROOT, Server

_TIMEOUT = 60.0


@contextmanager
def two_databases(postgres: Server) -> Iterator[tuple[str, str]]:
    """A publisher and a subscriber on one server with wal_level = logical, as URLs."""
    bin_dir: Path | None = DEBIAN_15 if postgres.major == 15 else None
    with ThrowawayPostgres(bin_dir=bin_dir, options={"wal_level": "logical"}) as server:
        urls = []
        for name in ("publisher", "subscriber"):
            with psycopg.connect(server.url, autocommit=True) as conn:
                conn.execute(f"create database {name}".encode())
            url = server.url.replace("/postgres?", f"/{name}?")
            done = postgres.run("psql", "-X", "-q", "-f", str(ROOT / "db/install.sql"), url)
            assert done.returncode == 0, done.stderr
            urls.append(url)
        yield urls[0], urls[1]


def subscribe(publisher: str, subscriber: str, *, options: str) -> None:
    with psycopg.connect(publisher, autocommit=True) as conn:
        conn.execute("create publication p for tables in schema upload_pipeline")
        # Made here: a subscriber on the same server would wait for its own transaction.
        conn.execute("select pg_create_logical_replication_slot('s', 'pgoutput')")
    with psycopg.connect(subscriber, autocommit=True) as conn:
        conn.execute(
            f"create subscription s connection '{publisher}' publication p with"
            f" (create_slot = false, slot_name = 's', copy_data = false{options})".encode()
        )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def pair(postgres: Server) -> Iterator[tuple[str, str]]:
    with two_databases(postgres) as pair:
        yield pair


@pytest.fixture
def pair18(postgres18: Server) -> Iterator[tuple[str, str]]:
    with two_databases(postgres18) as pair:
        yield pair


def test_subscriber_has_the_same_history_and_no_violation(
    postgres: Server, pair: tuple[str, str]
) -> None:
    publisher, subscriber = pair
    run_as_owner = ", run_as_owner = true" if postgres.major >= 16 else ""
    subscribe(publisher, subscriber, options=run_as_owner)
    with psycopg.connect(publisher, autocommit=True) as conn:
        conn.execute(
            "select upload_pipeline.set_credit_cap(owner_id => null, period => 'day',"
            " credits => 100)"
        )
        conn.execute(
            "select upload_pipeline.set_credit_cap(owner_id => null, period => 'day',"
            " credits => 200)"
        )
        conn.execute(
            """
            with job as (
              select j.job_id, j.document_id
                from upload_pipeline.create_job(
                  owner_id => gen_random_uuid(), filename => 'a.pdf', mime => 'application/pdf',
                  bytes_len => 4, file_sha256 => repeat('a', 64), raw_path => 'storage://raw/a.pdf'
                ) as j
            )
            select upload_pipeline.confirm_upload(
              job_id => job.job_id, bytes_len => 4, file_sha256 => repeat('a', 64)
            ) from job
            """
        )
        conn.execute("select upload_pipeline.cancel_job(job_id) from upload_pipeline.upload_jobs")
    history = "select job_id, version, code from upload_pipeline.events order by version"
    with (
        psycopg.connect(publisher, autocommit=True) as here,
        psycopg.connect(subscriber, autocommit=True) as there,
    ):
        expected = here.execute(history).fetchall()
        assert [code for _, _, code in expected] == [
            "job_created",
            "upload_confirmed",
            "job_cancelled",
        ]
        wait_for(lambda: there.execute(history).fetchall() == expected)
        caps = "select credits from upload_pipeline.credit_caps"
        wait_for(lambda: there.execute(caps).fetchall() == here.execute(caps).fetchall())
        assert there.execute("select * from upload_pipeline.check_integrity()").fetchall() == []
        there.execute("drop subscription s")


def test_without_run_as_owner_nothing_is_applied_on_postgres_16_and_later(
    pair18: tuple[str, str],
) -> None:
    """Why the handbook asks for this option. Postgres 15 does not have it and does not need it."""
    publisher, subscriber = pair18
    subscribe(publisher, subscriber, options="")
    with psycopg.connect(publisher, autocommit=True) as conn:
        conn.execute(
            "select upload_pipeline.create_job(owner_id => gen_random_uuid(),"
            " filename => 'a.pdf', mime => 'application/pdf', bytes_len => 4,"
            " file_sha256 => repeat('a', 64), raw_path => 'storage://raw/a.pdf')"
        )
    with psycopg.connect(subscriber, autocommit=True) as there:

        def applies_failed() -> bool:
            row = there.execute(
                "select apply_error_count from pg_stat_subscription_stats"
            ).fetchone()
            return row is not None and row[0] > 0

        wait_for(applies_failed)
        jobs = there.execute("select count(*) from upload_pipeline.upload_jobs").fetchone()
        assert jobs == (0,)
        there.execute("alter subscription s set (run_as_owner = true)")
        wait_for(
            lambda: (
                there.execute("select count(*) from upload_pipeline.upload_jobs").fetchone() == (1,)
            )
        )
        there.execute("drop subscription s")
