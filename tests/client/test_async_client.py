"""AsyncClient: an application submits a document, waits for its job and reads the markdown."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from hookline import (
    AsyncClient,
    ConfigurationError,
    DamagedContent,
    HooklineError,
    IllegalTransition,
    JobCancelled,
    JobFailed,
    StillRunning,
    Unavailable,
    UnknownArtifact,
    UnknownJob,
    Unreadable,
    WaitTimeout,
)
from hookline.postgres.errors import DocumentMismatch, InvalidArgument
from hookline.sources.llamaparse_push import verify_token
from support.pooler import PGBOUNCER, running_pooler
from support.workplace import DOCUMENT, Workplace

LISTENERS = (
    "select pid from pg_stat_activity where application_name = 'hookline-listener'"
    " and datname = current_database()"
)


@asynccontextmanager
async def client_of(workplace: Workplace, url: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url, storage_url=workplace.objects.as_uri()) as client:
        yield client


async def test_what_is_said_of_a_job_is_in_the_job(workplace: Workplace, operator: str) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    async with client_of(workplace, operator) as client:
        made = await client.submit(
            b"%PDF-1.7 report",
            uuid4(),
            filename="a.pdf",
            options={"tier": "agentic"},
            metadata={"order": 42},
            priority=3,
            not_before=tomorrow,
        )
        job = await client.status(made.job_id)
        with pytest.raises(InvalidArgument, match="no time zone"):
            await client.submit(b"x", uuid4(), filename="a.pdf", not_before=datetime.now())
        with pytest.raises(InvalidArgument):
            await client.submit(b"x", uuid4(), filename="a.pdf", priority=10)
        with pytest.raises(TypeError, match="colour is not an argument"):
            await client.submit(b"x", uuid4(), filename="a.pdf", colour="red")  # type: ignore[call-arg]
    assert (job.options, job.metadata) == ({"tier": "agentic"}, {"order": 42})
    assert (job.priority, job.run_after) == (3, tomorrow)


async def test_a_submitted_file_is_stored_and_confirmed(
    workplace: Workplace, operator: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7 report")
    owner = uuid4()
    async with client_of(workplace, operator) as client:
        made = await client.submit(file, str(owner), correlation_id="order-7")
        again = await client.submit(b"%PDF-1.7 report", owner, filename="copy.pdf")
        with file.open("rb") as opened:
            third = await client.submit(opened, owner)
        job = await client.status(made.job_id)
    assert [one.outcome for one in (made, again, third)] == ["applied", "duplicate", "duplicate"]
    assert {one.job_id for one in (made, again, third)} == {job.job_id}
    assert (job.owner_id, job.filename, job.correlation_id) == (owner, "report.pdf", "order-7")
    assert (job.status, job.upload_confirmed) == ("uploaded", True)
    row = workplace.one("select raw_path, mime from upload_pipeline.documents")
    assert row["mime"] == "application/pdf"
    stored = workplace.objects / row["raw_path"].removeprefix("storage://")
    assert stored.read_bytes() == b"%PDF-1.7 report"


async def test_a_file_that_cannot_be_submitted_is_refused_before_it_has_a_job(
    workplace: Workplace, operator: str, tmp_path: Path
) -> None:
    async with client_of(workplace, operator) as client:
        with pytest.raises(Unreadable, match="does not exist"):
            await client.submit(tmp_path / "gone.pdf", uuid4())
        with pytest.raises(Unreadable, match=r"a\.pdf is empty"):
            await client.submit(b"", uuid4(), filename="a.pdf")
        with pytest.raises(Unreadable, match="has no name"):
            await client.submit(io.BytesIO(b"x"), uuid4())
        with pytest.raises(InvalidArgument, match="'ada' is no owner"):
            await client.submit(b"x", "ada", filename="a.pdf")
    assert workplace.query("select document_id from upload_pipeline.documents") == []


async def test_a_submission_whose_upload_failed_is_completed_by_the_next(
    workplace: Workplace, operator: str
) -> None:
    owner = uuid4()
    async with client_of(workplace, operator) as client:
        workplace.objects.rename(workplace.directory / "away")
        with pytest.raises(HooklineError, match="is not a directory"):
            await client.submit(b"text", owner, filename="a.txt")
        [waiting] = workplace.query("select waits_because from upload_pipeline.job_overview")
        assert waiting["waits_because"] == "its upload is not confirmed"
        (workplace.directory / "away").rename(workplace.objects)
        made = await client.submit(b"text", owner, filename="a.txt")
        assert made.outcome == "duplicate"
        assert (await client.status(made.job_id)).upload_confirmed


async def test_a_file_that_the_application_uploads_itself_is_created_and_confirmed(
    workplace: Workplace, operator: str
) -> None:
    sha256 = hashlib.sha256(b"text").hexdigest()
    async with client_of(workplace, operator) as client:
        made = await client.create(
            uuid4(),
            filename="a.txt",
            bytes_len=4,
            file_sha256=sha256,
            raw_path="storage://raw/a.txt",
        )
        with pytest.raises(DocumentMismatch) as refused:
            await client.confirm(made.job_id, bytes_len=5, file_sha256=sha256)
        assert (refused.value.sqlstate, refused.value.hint[:16]) == ("UP004", "Upload the file ")
        done = await client.confirm(str(made.job_id), bytes_len=4, file_sha256=sha256)
    assert (made.outcome, done.outcome, done.version) == ("applied", "applied", 2)


async def test_a_wait_ends_when_the_job_is_parsed(workplace: Workplace, operator: str) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        waits = [asyncio.create_task(client.wait(job_id)) for _ in range(50)]
        while not workplace.query(LISTENERS):
            await asyncio.sleep(0.02)
        with pytest.raises(StillRunning, match=r"uploaded \(waits for a worker\)"):
            await client.result(job_id)
        workplace.parse(job_id)
        jobs = await asyncio.gather(*waits)
        assert len(workplace.query(LISTENERS)) == 1
        assert {(job.job_id, job.status) for job in jobs} == {(job_id, "parsed")}
        assert await client.result(job_id) == DOCUMENT
        assert (await client.wait(job_id, timeout=0.5)).status == "parsed"


async def test_a_notification_ends_a_wait_between_two_polls(
    workplace: Workplace, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SHORTEST_POLL", "_LONGEST_POLL", "_LONGEST_POLL_WITH_LISTEN"):
        monkeypatch.setattr(f"hookline.client.waits.{name}", 600.0)
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        waiting = asyncio.create_task(client.wait(job_id))
        while not workplace.query(LISTENERS):
            await asyncio.sleep(0.02)
        workplace.parse(job_id)
        while not waiting.done():
            workplace.query("notify hookline, 'parsed'")
            await asyncio.sleep(0.02)
        assert (await waiting).status == "parsed"


@pytest.mark.skipif(PGBOUNCER is None and "CI" not in os.environ, reason="needs pgbouncer")
async def test_waits_poll_behind_a_transaction_pooler(
    workplace: Workplace, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLINE_PREPARE_THRESHOLD", "off")
    job_id = workplace.uploaded_job()
    database = workplace.one("select current_database() as name")["name"]
    with running_pooler(operator, ["test_operator"], connections=2) as pooler:
        async with client_of(workplace, pooler.url("test_operator", database)) as client:
            waiting = asyncio.create_task(client.wait(job_id))
            workplace.parse(job_id)
            assert (await waiting).status == "parsed"
            assert workplace.query(LISTENERS) == []


async def test_a_wait_that_takes_too_long_says_what_the_job_waits_for(
    workplace: Workplace, operator: str
) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        with pytest.raises(WaitTimeout) as late:
            await client.wait(job_id, timeout=0.05)
    assert isinstance(late.value, TimeoutError)
    assert late.value.job.job_id == job_id
    assert str(late.value) == (f"Job {job_id} is still uploaded after 0.05 s: waits for a worker.")


async def test_the_end_of_a_job_without_markdown_is_an_error_that_says_why(
    workplace: Workplace, operator: str
) -> None:
    failed, cancelled = workplace.uploaded_job(), workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        fail(workplace, failed)
        assert (await client.cancel(cancelled, "not needed")).status == "cancelled"
        for call in (client.wait, client.result):
            with pytest.raises(JobFailed) as error:
                await call(failed)
            assert (error.value.code, error.value.reason) == ("parse_failed", "PDF_IS_BROKEN")
            assert str(error.value) == f"Job {failed} is failed_parse: PDF_IS_BROKEN"
            with pytest.raises(JobCancelled, match="is cancelled, so it has no markdown"):
                await call(cancelled)
        with pytest.raises(IllegalTransition) as refused:
            await client.retry(cancelled)
        assert refused.value.sqlstate == "UP002"
        again = await client.retry(failed, "the parser is back")
        assert (again.outcome, again.status) == ("applied", "uploaded")


async def test_a_closed_group_takes_no_job(workplace: Workplace, operator: str) -> None:
    group, owner = uuid4(), uuid4()
    async with client_of(workplace, operator) as client:
        for content in (b"one", b"two"):
            await client.submit(content, owner, filename="a.txt", group_id=group)
        assert await client.close_group(str(group)) == 2
        with pytest.raises(InvalidArgument, match="takes no new job"):
            await client.submit(b"three", owner, filename="a.txt", group_id=group)
        for unknown in (uuid4(), "7"):
            with pytest.raises(UnknownJob):
                await client.close_group(unknown)


@pytest.mark.parametrize("job_id", [uuid4(), "not-a-uuid"])
async def test_an_id_of_no_job_is_unknown_to_every_call(
    workplace: Workplace, operator: str, job_id: UUID | str
) -> None:
    async with client_of(workplace, operator) as client:
        for call in (client.status, client.wait, client.result, client.cancel, client.retry):
            with pytest.raises(UnknownJob):
                await call(job_id)


async def test_an_erased_job_ends_its_wait(workplace: Workplace, operator: str) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        waiting = asyncio.create_task(client.wait(job_id))
        await asyncio.sleep(0)
        workplace.query(
            "select upload_pipeline.erase_document(document_id) from upload_pipeline.documents"
        )
        with pytest.raises(UnknownJob):
            await waiting


async def test_markdown_that_was_changed_in_storage_is_not_returned(
    workplace: Workplace, operator: str
) -> None:
    job_id = workplace.parsed_job()
    path = workplace.job(job_id)["parsed_path"].removeprefix("storage://")
    (workplace.objects / path).write_text(DOCUMENT.upper())
    async with client_of(workplace, operator) as client:
        with pytest.raises(DamagedContent, match="another hash") as damaged:
            await client.result(job_id)
    assert DOCUMENT.upper().strip() not in str(damaged.value)


async def test_artifacts_are_listed_and_read_if_they_are_unchanged(
    workplace: Workplace, operator: str
) -> None:
    job_id = workplace.parsed_job()
    path = workplace.add_artifact(job_id, "json", "", b"{}")
    workplace.add_artifact(job_id, "images", "1.png", b"an image")
    async with client_of(workplace, operator) as client:
        found = await client.artifacts(job_id)
        assert [(one.kind, one.name, one.bytes) for one in found] == [
            ("images", "1.png", 8),
            ("json", "", 2),
        ]
        assert await client.artifact(job_id, "images") == b"an image"
        assert await client.artifact(job_id, "json") == b"{}"
        with pytest.raises(UnknownArtifact, match=r"It has json\."):
            await client.artifact(job_id, "json", "other")
        (workplace.objects / path.removeprefix("storage://")).write_bytes(b"[]")
        with pytest.raises(DamagedContent, match="another hash"):
            await client.artifact(job_id, "json")


async def test_a_cancelled_wait_leaves_nothing_behind(workplace: Workplace, operator: str) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        waiting = [asyncio.create_task(client.wait(job_id)) for _ in range(2)]
        await asyncio.sleep(0.1)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        workplace.parse(job_id)
        assert (await waiting[1]).status == "parsed"
        waits = client._parts().waits
        assert not waits._waiting
        assert not waits._futures
        # The client was closed meanwhile: the wait is cancelled, not left to hang.
        other = asyncio.create_task(client.wait(workplace.uploaded_job()))
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await other


async def test_a_wait_outlives_lost_connections(workplace: Workplace, operator: str) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        waiting = asyncio.create_task(client.wait(job_id))
        while not workplace.query(LISTENERS):
            await asyncio.sleep(0.02)
        workplace.query(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'test_operator' and datname = current_database()"
        )
        workplace.parse(job_id)
        assert (await waiting).status == "parsed"


async def test_a_poll_that_fails_ends_no_wait(workplace: Workplace, operator: str) -> None:
    job_id = workplace.uploaded_job()
    polling = (
        "select pid, query_start from pg_stat_activity where usename = 'test_operator'"
        " and datname = current_database() and wait_event_type = 'Lock'"
    )
    async with client_of(workplace, operator) as client:
        with psycopg.connect(workplace.database) as locking:
            locking.execute("lock table upload_pipeline.upload_jobs")
            waiting = asyncio.create_task(client.wait(job_id))
            while not (polls := workplace.query(polling)):
                await asyncio.sleep(0.02)
            workplace.query("select pg_cancel_backend(%s)", polls[0]["pid"])
            # The next poll waits for the lock, too: a later statement.
            begun = polls[0]["query_start"]
            while not waiting.done() and (
                [row["query_start"] for row in workplace.query(polling)] in ([], [begun])
            ):
                await asyncio.sleep(0.02)
        workplace.parse(job_id)
        assert (await waiting).status == "parsed"


async def test_what_no_poll_can_mend_ends_every_wait(workplace: Workplace, operator: str) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        waits = [asyncio.create_task(client.wait(job_id)) for _ in range(2)]
        await asyncio.sleep(0.1)
        workplace.query("revoke select on upload_pipeline.job_overview from hookline_reader")
        for wait in waits:
            with pytest.raises(HooklineError, match="permission denied"):
                await wait
        workplace.query("grant select on upload_pipeline.job_overview to hookline_reader")
        workplace.parse(job_id)
        assert (await client.wait(job_id)).status == "parsed"


async def test_the_push_url_is_valid_for_the_current_attempt(
    workplace: Workplace, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = workplace.uploaded_job()
    async with client_of(workplace, operator) as client:
        with pytest.raises(ConfigurationError, match="HOOKLINE_PUBLIC_URL is not set"):
            await client.push_url(job_id)
    secret = "a-long-random-secret"
    monkeypatch.setenv("HOOKLINE_PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("HOOKLINE_PUSH_SECRETS", secret)
    async with client_of(workplace, operator) as client:
        url = await client.push_url(job_id)
    token = url.removeprefix(f"https://hooks.example.com/webhooks/llamaparse/{job_id}/")
    assert verify_token(token, job_id, [secret.encode()]) == 1


async def test_a_wrong_configuration_is_said_before_the_first_call(
    workplace: Workplace, operator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set"):
        AsyncClient()
    with pytest.raises(ConfigurationError, match="HOOKLINE_STORAGE_URL is wrong"):
        AsyncClient(operator, storage_url="objects")
    with pytest.raises(RuntimeError, match="not open"):
        await AsyncClient(operator).status(uuid4())
    async with AsyncClient(operator) as client:
        with pytest.raises(ConfigurationError, match="HOOKLINE_STORAGE_URL is not set"):
            await client.submit(b"x", uuid4(), filename="a.pdf")
    nowhere = operator.replace(operator.partition("@")[2].partition("/")[0], "127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", nowhere)
    with pytest.raises(Unavailable, match="There is no connection to Postgres"):
        async with AsyncClient():
            pass


def fail(workplace: Workplace, job_id: UUID) -> None:
    workplace.query(
        "select upload_pipeline.receive_event(source => 'test', delivery_id => %s,"
        " body_sha256 => %s, event_type => 'test', code => 'parse_failed', job_id => %s,"
        ' payload => \'{"error": "PDF_IS_BROKEN"}\')',
        str(uuid4()),
        hashlib.sha256(b"body").hexdigest(),
        job_id,
    )
