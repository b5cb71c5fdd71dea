"""The worker in a test: jobs with content, and workers in this or in another process."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import DictRow, dict_row

from hookline.settings import Settings
from hookline.stages import Stage
from hookline.worker.run import Worker, working
from support.receiver_process import Spawned

# Tests search logs and errors for this text, where no part of a document may appear.
DOCUMENT = "# The secret of the document\n"

# A poll interval for tests in which polling must not find the job.
NEVER = 600.0


class Workplace:
    """A database with Hookline, a directory of objects, and workers that use both."""

    def __init__(self, database: str, worker_url: str, directory: Path) -> None:
        self.database = database
        self.worker_url = worker_url
        self.directory = directory
        self.objects = directory / "objects"
        self.objects.mkdir(exist_ok=True)
        self._connection: psycopg.Connection[DictRow] | None = None

    def query(self, statement: str, *parameters: object) -> list[DictRow]:
        if self._connection is None:
            self._connection = psycopg.connect(self.database, autocommit=True, row_factory=dict_row)
        cursor = self._connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *parameters: object) -> DictRow:
        (row,) = self.query(statement, *parameters)
        return row

    def close(self) -> None:
        """Close the connection. Works after Postgres has ended; the next query connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def uploaded_job(self, *, confirmed: bool = True) -> UUID:
        """Make a job whose upload is confirmed, or not."""
        sha256 = hashlib.sha256(uuid4().bytes).hexdigest()
        job_id: UUID = self.one(
            "select job_id from upload_pipeline.create_job(owner_id => gen_random_uuid(),"
            " file_sha256 => %s, filename => 'report.pdf', mime => 'application/pdf',"
            " bytes_len => 9, raw_path => 'storage://raw/report.pdf')",
            sha256,
        )["job_id"]
        if confirmed:
            self.confirm(job_id)
        return job_id

    def confirm(self, job_id: UUID) -> None:
        self.query(
            "select upload_pipeline.confirm_upload(j.job_id, d.bytes_len, d.file_sha256)"
            " from upload_pipeline.upload_jobs as j"
            " join upload_pipeline.documents as d using (document_id) where j.job_id = %s",
            job_id,
        )

    def parsed_job(self, text: str = DOCUMENT) -> UUID:
        """Make a parsed job and write its object."""
        job_id = self.uploaded_job()
        self.parse(job_id, text)
        return job_id

    def parse(self, job_id: UUID, text: str = DOCUMENT) -> None:
        """Let the result of a job arrive."""
        content = text.encode()
        kept = self.one(
            "select ordinal, path from upload_pipeline.receive_content(source => 'test',"
            " delivery_id => %s, body_sha256 => %s, event_type => 'test', job_id => %s,"
            " content => %s)",
            str(uuid4()),
            hashlib.sha256(content).hexdigest(),
            job_id,
            content,
        )
        file = self.objects / kept["path"].removeprefix("storage://")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.query("select upload_pipeline.finish_content(%s, %s)", job_id, kept["ordinal"])

    def add_artifact(self, job_id: UUID, kind: str, name: str, content: bytes) -> str:
        """Give a job an artifact and write its object. Returns its path."""
        path = f"storage://parsed/{job_id}/{uuid4()}.{name.rpartition('.')[2] or kind}"
        self.query(
            "insert into upload_pipeline.artifacts"
            " (job_id, kind, name, attempt, sha256, bytes, path, stored_at)"
            " values (%s, %s, %s, 1, %s, %s, %s, upload_pipeline.clock())",
            *(job_id, kind, name, hashlib.sha256(content).hexdigest(), len(content), path),
        )
        file = self.objects / path.removeprefix("storage://")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return path

    def job(self, job_id: UUID) -> DictRow:
        return self.one("select * from upload_pipeline.upload_jobs where job_id = %s", job_id)

    def status(self, job_id: UUID) -> str:
        return str(self.job(job_id)["status"])

    def codes(self, job_id: UUID) -> list[str]:
        """The codes of the job's events in order."""
        rows = self.query(
            "select code from upload_pipeline.events where job_id = %s order by version", job_id
        )
        return [row["code"] for row in rows]

    def retry_at_once(self) -> None:
        """Shorten the backoff between tries to 10 ms; it is data."""
        self.query("update upload_pipeline.statuses set retry_base = interval '10 milliseconds'")

    def settings(self, **changes: Any) -> Settings:
        values = {
            "database_url": self.worker_url,
            "storage_url": self.objects.as_uri(),
            "admin_port": 0,
            "stop_timeout": 5,
            "pool_size": 4,
            **changes,
        }
        return Settings(**values)

    @asynccontextmanager
    async def working(self, *stages: Stage, **changes: Any) -> AsyncIterator[Worker]:
        """A worker in this process."""
        async with working(self.settings(**changes), stages) as worker:
            yield worker

    @asynccontextmanager
    async def spawned(
        self, stages: str, arguments: Sequence[str] = (), **changes: str
    ) -> AsyncIterator[Spawned]:
        """Run `hookline work` in a process of its own, with this Python code as its stages."""
        file = self.directory / f"stages_{uuid4().hex}.py"
        file.write_text(stages)
        log = file.with_suffix(".log")
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hookline", "work", "--stages", file.name, *arguments),
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "DATABASE_URL": self.worker_url,
                    "HOOKLINE_STORAGE_URL": self.objects.as_uri(),
                    "HOOKLINE_POOL_SIZE": "4",
                    **changes,
                },
                cwd=self.directory,
                stderr=stderr,
            )
        spawned = Spawned(process, log)
        try:
            yield spawned
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
