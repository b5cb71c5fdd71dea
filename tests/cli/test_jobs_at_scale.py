"""With many jobs, the commands still find theirs by indexes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from support.commands import Cli, Database, objects
from support.servers import Server

JOBS = 60_000
RARE = 50  # failed, and as many in parse_queued; all others are complete
MOST_READ = 3_000


@pytest.fixture(scope="module")
def many(postgres18: Server) -> Iterator[Database]:
    with postgres18.create(template=postgres18.template) as url:
        db = Database(url)
        # Without guards and history: none of them is read.
        db.run("alter table upload_pipeline.upload_jobs disable trigger all")
        db.run(
            """
            insert into upload_pipeline.documents
              (document_id, owner_id, filename, mime, bytes_len, file_sha256, raw_path,
               upload_confirmed)
            select md5(n::text)::uuid, md5((n %% 1000)::text)::uuid, n || '.pdf', 'application/pdf',
                   9, lpad(to_hex(n), 64, '0'), 'storage://raw/a.pdf', true
              from generate_series(1, %(jobs)s) as n
            """,
            jobs=JOBS,
        )
        db.run(
            """
            insert into upload_pipeline.upload_jobs
              (document_id, owner_id, status, terminal, failed, claimable, has_content,
               upload_confirmed, correlation_id, parsed_path, parsed_sha256, parsed_bytes,
               last_error, deadline_at)
            select d.document_id, d.owner_id, s.status, s.terminal, s.failed, s.claimable,
                   s.has_content, true, 'bench', 'storage://parsed/a.md', repeat('0', 64), 9,
                   case when s.failed then '{"code": "TIMEOUT", "error": "late"}'::jsonb end,
                   case when not s.terminal then now() - interval '1 hour' end
              from generate_series(1, %(jobs)s) as n
              join upload_pipeline.statuses as s on s.status = case
                     when n <= %(rare)s then 'failed_parse'
                     when n <= 2 * %(rare)s then 'parse_queued'
                     else 'complete' end
              join upload_pipeline.documents as d on d.document_id = md5(n::text)::uuid
             order by n
            """,
            jobs=JOBS,
            rare=RARE,
        )
        db.run("vacuum analyze upload_pipeline.documents, upload_pipeline.upload_jobs")
        yield db


@pytest.fixture
def backlog(many: Database) -> Database:
    """Most jobs are overdue, and the newest ones are not."""
    many.run("""
        update upload_pipeline.upload_jobs
           set status = 'parse_queued', terminal = false, failed = false, claimable = false,
               has_content = false, parsed_path = null, parsed_sha256 = null, parsed_bytes = null,
               last_error = null, deadline_at = now() - interval '1 hour'
         where status = 'complete'
    """)
    many.run("""
        update upload_pipeline.upload_jobs set deadline_at = now() + interval '1 hour'
         where job_id in (
           select job_id from upload_pipeline.upload_jobs where not terminal
            order by job_id desc limit 30000
         )
    """)
    many.run("vacuum analyze upload_pipeline.upload_jobs")
    return many


@contextmanager
def reading_few(db: Database) -> Iterator[None]:
    """Fails if the block scans a whole table, or reads many rows."""

    def read() -> tuple[int, int]:
        # A session that has ended has told all.
        [(scans, rows)] = db.run(
            "select sum(seq_scan)::int, sum(seq_tup_read + idx_tup_fetch)::int"
            " from pg_stat_user_tables where relname in ('documents', 'upload_jobs')"
        )
        return scans, rows

    scans, rows = read()
    yield
    now = read()
    assert now[0] == scans
    assert now[1] - rows < MOST_READ


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["jobs"], 50),
        (["jobs", "--limit", "500"], 500),
        (["jobs", "--failed"], RARE),
        (["jobs", "--status", "failed_parse"], RARE),
        (["jobs", "--status", "parse_queued"], RARE),
        (["jobs", "--status", "complete", "--limit", "10"], 10),
        (["jobs", "--overdue"], RARE),
        (["jobs", "--owner", str(UUID("c4ca4238a0b923820dcc509a6f75849b"))], 50),
        (["jobs", "--owner", "c4ca4238"], 50),
        (["jobs", "--since", "2100-01-01"], 0),
        (["retry", "--failed", "--dry-run"], RARE),
        (["retry", "--code", "TIMEOUT", "--limit", "10", "--dry-run"], 10),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_list_reads_few_rows_more_than_it_prints(
    tmp_path: Path, many: Database, postgres18: Server, arguments: list[str], found: int
) -> None:
    cli = Cli(tmp_path)
    with reading_few(many):
        done = cli(*arguments, "--json", DATABASE_URL=postgres18.login(many.url, "operator"))
        assert done.returncode == 0, done.stderr
    assert len(objects(done)) == found


def test_one_job_is_found_by_the_index_of_its_id(
    tmp_path: Path, many: Database, postgres18: Server
) -> None:
    [(job_id,)] = many.run("select job_id from upload_pipeline.upload_jobs limit 1")
    with reading_few(many):
        done = Cli(tmp_path)(
            "job", job_id, "--json", DATABASE_URL=postgres18.login(many.url, "reader")
        )
    assert [row["job_id"] for row in objects(done)] == [str(job_id)]


def test_a_document_is_found_by_the_index_of_its_id(
    tmp_path: Path, many: Database, postgres18: Server
) -> None:
    [(document_id,)] = many.run("select document_id from upload_pipeline.documents limit 1")
    with reading_few(many):
        done = Cli(tmp_path)(
            "erase", document_id.hex[:12], DATABASE_URL=postgres18.login(many.url, "operator")
        )
    assert f"This deletes document {document_id} " in done.stderr


# Last, because it changes the jobs of the others.
def test_a_large_backlog_of_overdue_jobs_is_listed_by_its_index(
    tmp_path: Path, backlog: Database, postgres18: Server
) -> None:
    url = postgres18.login(backlog.url, "reader")
    with reading_few(backlog):
        done = Cli(tmp_path)("jobs", "--overdue", "--limit", "20", DATABASE_URL=url)
    assert done.stderr == "These are the 20 longest overdue: --limit lists more.\n"
    with reading_few(backlog):
        nothing = Cli(tmp_path)("jobs", "--overdue", "--status", "complete", DATABASE_URL=url)
    assert nothing.stderr == "No such jobs.\n"
