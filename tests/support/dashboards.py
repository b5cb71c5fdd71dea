"""A dashboard on a real port, and jobs in each state for it to show."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg

from hookline.dashboard.run import showing
from hookline.dashboard.site import NAVIGATION
from hookline.settings import Settings

PASSWORD = "open sesame, please"
# Every kind of page, with each filter that reads in a way of its own.
PAGES = (
    *(path for _, path in NAVIGATION),
    *("/jobs?status=complete", "/jobs?code=NONE", "/jobs?age=30d", "/jobs?text=nothing"),
    *("/jobs?status=parse_queued", "/jobs?status=cancelled", "/jobs?status=failed_parse&age=1h"),
    *("/jobs?owner=8f14e45f-ceea-167a-5a36-dedd4bea2543", "/jobs?text=01a21727"),
    "/jobs?status=complete&before=ffffffff-ffff-ffff-ffff-ffffffffffff",
    *("/jobs/{job}", "/stages/uploaded"),
    *("/deliveries?outcome=parked", "/deliveries?source=local&outcome=stale"),
    *("/jobs?provider=none", "/jobs?metadata=customer%3D42", "/deliveries?id=event-77"),
    *("/deliveries?job={job}", "/deliveries?after=2100-01-01T00:00:00Z~z~z"),
)


@asynccontextmanager
async def running_dashboard(login: str, **changes: Any) -> AsyncIterator[str]:
    """A dashboard over this login; the URL of its overview without the slash at its end."""
    values: dict[str, Any] = {"dashboard_database_url": login, "admin_port": 0, **changes}
    async with showing(Settings(**values)) as url:
        yield url.rstrip("/")


class Jobs:
    """Makes jobs by the functions, as a superuser of a database."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def run(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def upload(self, filename: str = "report.pdf", *, owner: UUID | None = None) -> UUID:
        """A job whose upload is confirmed."""
        sha256 = hashlib.sha256(uuid4().bytes).hexdigest()
        [(job_id,)] = self.run(
            "select job_id from upload_pipeline.create_job(owner_id => %s, filename => %s,"
            " mime => 'application/pdf', bytes_len => 9, file_sha256 => %s,"
            " raw_path => 'storage://raw/' || %s::text)",
            *(owner or uuid4(), filename, sha256, sha256),
        )
        self.run(
            "select upload_pipeline.confirm_upload(%s, bytes_len => 9, file_sha256 => %s)",
            *(job_id, sha256),
        )
        return UUID(str(job_id))

    def submit(self, filename: str = "report.pdf", *, owner: UUID | None = None) -> UUID:
        """A job that the provider has, under the name of the job's id."""
        job_id = self.upload(filename, owner=owner)
        self.run("select upload_pipeline.record_submission(%s, 1, %s::text)", job_id, job_id)
        return job_id

    def fail(
        self, filename: str = "broken.pdf", *, code: str = "PDF_IS_BROKEN", error: str = "no xref"
    ) -> UUID:
        """A job that failed for good."""
        job_id = self.upload(filename)
        # The claim takes what else waits, too, and gives it back.
        self.run(
            """
            select case when c.job_id = %s then (upload_pipeline.fail_job(
                     job_id => c.job_id, lease_token => c.lease_token, permanent => true,
                     error => jsonb_build_object('code', %s::text, 'error', %s::text)
                   )).outcome::text
                   else upload_pipeline.release_lease(c.job_id, c.lease_token)::text end
              from upload_pipeline.claim_jobs('uploaded', worker => 'worker-1', batch => 100) as c
            """,
            *(job_id, code, error),
        )
        return job_id

    def parse(self, filename: str = "report.pdf", *, content: bytes = b"# Report\n") -> UUID:
        """A job whose content is stored, as far as Postgres knows."""
        job_id = self.upload(filename)
        self.run(
            "select upload_pipeline.finish_content(job_id => c.job_id, ordinal => c.ordinal)"
            " from upload_pipeline.receive_content(source => 'local', delivery_id => %s,"
            " body_sha256 => %s, event_type => 'content', job_id => %s, content => %s) as c",
            *(f"{job_id}-content", hashlib.sha256(content).hexdigest(), job_id, content),
        )
        return job_id
