"""With many jobs, each view and each query of a command still reads few rows, by indexes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from bench.growth import QUERIES
from bench.many_jobs import make_jobs
from support.rows_read import rows_read
from support.servers import Server

JOBS = 20_000
# stage_latency reads the most: the events of 1,000 jobs.
MOST_READ = 8_000


@pytest.fixture(scope="module")
def many(postgres18: Server) -> Iterator[str]:
    with postgres18.create(template=postgres18.template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            make_jobs(connection, JOBS)
        yield url


@pytest.mark.parametrize("name", QUERIES)
def test_a_view_reads_few_rows_of_a_large_table(many: str, name: str) -> None:
    before = rows_read(many)
    with psycopg.connect(many) as connection:
        connection.execute(QUERIES[name].encode())
    assert rows_read(many) - before < MOST_READ


def test_a_backlog_is_told_without_reading_it(postgres18: Server) -> None:
    with postgres18.create(template=postgres18.template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            make_jobs(connection, 12_000, unfinished=10_000)
        before = rows_read(url)
        with psycopg.connect(url) as connection:
            queue = connection.execute(
                "select waiting, overdue, oldest > interval '80 days'"
                " from upload_pipeline.queue_health where queue = 'parse_queued'"
            ).fetchall()
            alert = connection.execute(
                "select count, detail from upload_pipeline.alerts where alert = 'jobs_overdue'"
            ).fetchall()
        # Up to a thousand overdue jobs are read: once for the first view, twice for alerts. For the
        # silence of its source, alerts read as many jobs that wait for it.
        assert rows_read(url) - before < 4_500
    assert queue == [(10_000, 1000, True)]
    assert alert == [(1000, "1000 or more jobs are past their deadline")]


def test_every_view_is_among_the_queries(many: str) -> None:
    with psycopg.connect(many) as connection:
        views = connection.execute(
            "select viewname from pg_views where schemaname = 'upload_pipeline'"
        ).fetchall()
    asked = " ".join(QUERIES.values())
    assert [name for (name,) in views if f"upload_pipeline.{name}" not in asked] == []


def test_purge_reads_only_what_it_deletes(many: str) -> None:
    before = rows_read(many)
    with psycopg.connect(many) as connection:
        found = connection.execute(
            "select jobs from upload_pipeline.purge(older_than => '60 days', batch => 100)"
        ).fetchone()
        assert found == (100,)
        connection.rollback()
    assert rows_read(many) - before < MOST_READ


def test_the_jobs_that_are_made_break_no_promise(many: str) -> None:
    with psycopg.connect(many) as connection:
        assert (
            connection.execute("select * from upload_pipeline.check_integrity()").fetchall() == []
        )
        counts = connection.execute(
            "select status, count(*) from upload_pipeline.upload_jobs group by status"
        ).fetchall()
        assert dict(counts) == {"complete": 18_981, "failed_parse": 19, "parse_queued": 1000}
