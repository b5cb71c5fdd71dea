"""With many jobs, each page still reads few rows, by indexes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import aiohttp
import psycopg
import pytest

from bench.many_jobs import make_jobs
from support.dashboards import PAGES, running_dashboard
from support.rows_read import rows_read
from support.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOBS = 20_000
MOST_READ = 8_000
# A search goes through 3,000 jobs with their documents. All are 40,000 rows here, and of so few a
# plan may read all jobs or all documents.
MOST_SEARCHED = 30_000


@pytest.fixture(scope="module")
def many(postgres18: Server) -> Iterator[str]:
    with postgres18.create(template=postgres18.template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            make_jobs(connection, JOBS)
        yield url


@pytest.fixture(scope="module")
def job(many: str) -> UUID:
    with psycopg.connect(many) as connection:
        found = connection.execute(
            "select job_id from upload_pipeline.upload_jobs order by job_id desc limit 1"
        ).fetchone()
    assert found is not None
    return UUID(str(found[0]))


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_reads_few_rows_of_a_large_table(
    many: str, postgres18: Server, job: UUID, path: str
) -> None:
    before = rows_read(many)
    # Its sessions report what they read when they end.
    async with (
        running_dashboard(postgres18.login(many, "reader")) as url,
        aiohttp.ClientSession() as browser,
        browser.get(url + path.format(job=job)) as answer,
    ):
        assert answer.status == 200
        await answer.read()
    most = MOST_SEARCHED if path.startswith("/jobs?") else MOST_READ
    assert rows_read(many) - before < most
