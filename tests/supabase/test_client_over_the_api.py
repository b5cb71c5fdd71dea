"""The client with a project's key only: no login to Postgres, the same functions and records."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from fakes.postgrest import Postgrest
from fakes.supabase_storage import SECRET_KEY, Bucket, SupabaseImitation
from hookline import (
    AsyncClient,
    Client,
    ConfigurationError,
    JobFailed,
    Unavailable,
    UnknownJob,
    WaitTimeout,
)
from hookline.postgres.errors import DocumentMismatch
from hookline.storage.supabase import open_supabase
from support.commands import Database
from support.supabase_project import SupabaseLike

TEXT = "# Text"


@pytest.fixture
async def project(
    supabase18: SupabaseLike, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SupabaseImitation, Postgrest, Database]]:
    with supabase18.project() as url:
        supabase18.install(url)
        postgrest = Postgrest(supabase18.superuser_url(url))
        imitation = SupabaseImitation()
        imitation.buckets["raw"] = Bucket()
        imitation.rest = postgrest.add_to
        await imitation.start()
        monkeypatch.setenv("SUPABASE_URL", imitation.url)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET_KEY)
        monkeypatch.setenv("HOOKLINE_STORAGE_URL", "supabase://parsed")
        try:
            yield imitation, postgrest, Database(postgrest.database)
        finally:
            await imitation.stop()


Project = tuple[SupabaseImitation, Postgrest, Database]


async def test_a_document_is_submitted_waited_for_and_read(project: Project) -> None:
    imitation, _, database = project
    owner = uuid4()
    async with AsyncClient() as client:
        made = await client.submit(b"%PDF- a", owner, filename="a.pdf", correlation_id="order-7")
        job = await client.status(made.job_id)
        assert (made.outcome, job.upload_confirmed) == ("applied", True)
        assert (job.owner_id, job.filename, job.correlation_id) == (owner, "a.pdf", "order-7")
        with pytest.raises(WaitTimeout, match="waits for a worker"):
            await client.wait(made.job_id, timeout=0.1)
        waiting = asyncio.create_task(client.wait(made.job_id))
        await asyncio.to_thread(database.parse, made.job_id, TEXT)
        job = await waiting
        assert job.parsed_path is not None
        await write(imitation, job.parsed_path, TEXT)
        assert await client.result(made.job_id) == TEXT
        imitation.buckets["parsed"].allowed_mime_types = ["text/markdown", "text/plain"]
        path = "storage://parsed/x/1.1.text.0.txt"
        await asyncio.to_thread(
            database.run,
            "insert into upload_pipeline.artifacts"
            " (job_id, kind, attempt, sha256, bytes, path, stored_at)"
            " values (%(job_id)s, 'text', 1, %(sha256)s, 4, %(path)s, upload_pipeline.clock())",
            job_id=made.job_id,
            sha256=hashlib.sha256(b"Text").hexdigest(),
            path=path,
        )
        await write(imitation, path, "Text")
        assert await client.artifact(made.job_id, "text") == b"Text"
        [stored] = [one for bucket, one in imitation.objects.items() if bucket[0] == "raw"]
        assert stored.content == b"%PDF- a"
        assert await asyncio.to_thread(use_plainly, made.job_id) == TEXT
        assert (await client.cancel(made.job_id)).status == "cancelled"
        group = uuid4()
        await client.submit(b"%PDF- b", owner, filename="b.pdf", group_id=group)
        assert await client.close_group(group) == 1


async def write(imitation: SupabaseImitation, path: str, text: str) -> None:
    async with open_supabase(imitation.settings()) as storage:
        await storage.write(path, text.encode())


def use_plainly(job_id: object) -> str:
    with Client() as client:
        return client.result(str(job_id))


async def test_errors_are_those_of_the_functions(project: Project) -> None:
    _, _, database = project
    failed = await asyncio.to_thread(database.make_failed_job)
    async with AsyncClient() as client:
        with pytest.raises(UnknownJob) as unknown:
            await client.retry(uuid4())
        assert unknown.value.sqlstate == "UP001"
        with pytest.raises(UnknownJob):
            await client.status(uuid4())
        with pytest.raises(JobFailed, match="PDF_IS_BROKEN"):
            await client.wait(failed)
        with pytest.raises(DocumentMismatch) as mismatch:
            await client.confirm(failed, bytes_len=1, file_sha256="0" * 64)
        assert mismatch.value.hint.startswith("Upload the file again")
        assert (await client.retry(failed)).status == "uploaded"


async def test_a_project_that_cannot_be_used_is_explained(project: Project) -> None:
    imitation, postgrest, _ = project
    postgrest.schemas = ["public"]
    with pytest.raises(ConfigurationError, match="add it to the exposed schemas"):
        await AsyncClient().__aenter__()
    postgrest.schemas = ["hookline_api"]
    imitation.gateway_refuses = True
    with pytest.raises(ConfigurationError, match="does not accept the key"):
        await AsyncClient().__aenter__()
    imitation.gateway_refuses = False
    there, postgrest.database = postgrest.database, "postgresql://127.0.0.1:1/app"
    with pytest.raises(Unavailable, match="PGRST001"):
        await AsyncClient().__aenter__()
    postgrest.database = there
    async with AsyncClient() as client:
        imitation.gateway_is_busy = True
        with pytest.raises(Unavailable, match="is busy"):
            await client.status(uuid4())
        imitation.gateway_is_busy = False
        await imitation.stop()
        with pytest.raises(Unavailable, match="does not answer") as away:
            await client.status(uuid4())
        assert SECRET_KEY not in repr(away.value)
