"""With many jobs, each view and each query of a command still reads few rows, by indexes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import psycopg
import pytest

from bench.growth import QUERIES
from bench.many_jobs import make_jobs
from support.dashboards import running_dashboard
from support.servers import Server

JOBS = 20_000
# stage_latency reads the most: the events of 1,000 jobs.
MOST_READ = 8_000
BIG = ("documents", "upload_jobs", "events", "provider_jobs", "contents", "webhook_deliveries")


@pytest.fixture(scope="module")
def many(postgres18: Server) -> Iterator[str]:
    with postgres18.create(template=postgres18.template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            make_jobs(connection, JOBS)
        yield url


@pytest.mark.parametrize("name", QUERIES)
def test_a_view_reads_few_rows_of_a_large_table(many: str, name: str) -> None:
    before = _rows_read(many)
    with psycopg.connect(many) as connection:
        connection.execute(QUERIES[name].encode())
    assert _rows_read(many) - before < MOST_READ


def test_every_view_is_among_the_queries(many: str) -> None:
    with psycopg.connect(many) as connection:
        views = connection.execute(
            "select viewname from pg_views where schemaname = 'upload_pipeline'"
        ).fetchall()
    asked = " ".join(QUERIES.values())
    assert [name for (name,) in views if f"upload_pipeline.{name}" not in asked] == []


def test_purge_reads_only_what_it_deletes(many: str) -> None:
    before = _rows_read(many)
    with psycopg.connect(many) as connection:
        found = connection.execute(
            "select jobs from upload_pipeline.purge(older_than => '60 days', batch => 100)"
        ).fetchone()
        assert found == (100,)
        connection.rollback()
    assert _rows_read(many) - before < MOST_READ


def test_the_jobs_that_are_made_break_no_promise(many: str) -> None:
    with psycopg.connect(many) as connection:
        assert (
            connection.execute("select * from upload_pipeline.check_integrity()").fetchall() == []
        )
        counts = connection.execute(
            "select status, count(*) from upload_pipeline.upload_jobs group by status"
        ).fetchall()
        assert dict(counts) == {"complete": 18_981, "failed_parse": 19, "parse_queued": 1000}


def _rows_read(url: str) -> int:
    # A session that has ended has reported all that it read.
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint"
            " from pg_stat_user_tables where relname = any(%s)",
            [list(BIG)],
        ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(
    "page",
    [
        *("", "jobs", "jobs?status=parse_queued", "jobs?status=failed_parse", "jobs?age=30d"),
        *("jobs?status=cancelled", "jobs?status=complete", "jobs?text=nothing", "jobs?code=NONE"),
        *("jobs?owner=8f14e45f-ceea-167a-5a36-dedd4bea2543", "jobs?text=01a21727"),
        "jobs?status=complete&before=ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
)
def test_a_page_of_the_dashboard_reads_few_rows(many: str, postgres18: Server, page: str) -> None:
    async def look() -> int:
        async with (
            running_dashboard(postgres18.login(many, "reader")) as url,
            aiohttp.ClientSession() as http,
            http.get(f"{url}/{page}") as answer,
        ):
            return answer.status

    before = _rows_read(many)
    assert asyncio.run(look()) == 200
    # All jobs with their documents are 40,000 rows. Of so few, a plan may read all documents.
    assert _rows_read(many) - before < 30_000
