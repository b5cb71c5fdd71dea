"""Every submitted file is parsed, or its error says why not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from hookline.postgres.errors import Unavailable
from hookline.stages import Deferred, Job, Stage, Tools
from hookline.standalone.stack import running_stack
from hookline.storage.files import FileStorage
from hookline.submission.files import Entry, find_files, read_raw
from hookline.submission.job_creation import make_job
from support.pdfs import pdf, sample, text
from support.submissions import jobs_of, seen, submitted, written

HELLO = text("Hello world", y=700)


async def test_each_file_is_parsed_or_its_error_says_why_not(project: Path, tmp_path: Path) -> None:
    good = written(tmp_path, "good.pdf", sample())
    failing = {
        written(tmp_path, "locked.pdf", pdf([HELLO], encrypted=True)): "PDF_IS_PROTECTED",
        written(tmp_path, "broken.pdf", b"%PDF-1.4\nno more"): "PDF_IS_BROKEN",
        written(tmp_path, "blank.pdf", pdf([b""])): "NO_DATA_FOUND_IN_FILE",
        written(tmp_path, "notes.txt", b"Hello world"): "UNSUPPORTED_FILE_TYPE",
    }
    missing, empty = tmp_path / "missing.pdf", written(tmp_path, "empty.pdf", b"")
    refused = {missing: "does not exist", tmp_path: "is a directory", empty: "is empty"}
    owner_id = uuid4()

    async with running_stack(project) as up:
        uploads: list[Path] = []
        results = await submitted(
            up.settings, *refused, *failing, good, owner_id=owner_id, on_uploaded=uploads.append
        )
        jobs = {job.filename: (job, events) for job, events in await jobs_of(up.settings, owner_id)}
        raw = FileStorage(up.objects).file_of(read_raw(good).path_for(owner_id))
        assert raw.read_bytes() == sample()
    found = {one.path: one for one in results}
    assert set(found) == {*refused, *failing, good}
    assert set(uploads) == {*failing, good}
    for path, sentence in refused.items():
        assert (found[path].job_id, found[path].outcome) == (None, "error")
        assert str(path) in (found[path].error or "")
        assert sentence in (found[path].error or "")
    for path, code in failing.items():
        job, events = jobs[path.name]
        assert (found[path].outcome, found[path].status) == ("applied", "failed_parse")
        assert job.last_error is not None
        assert found[path].code == job.last_error["code"] == code
        assert found[path].error == f"{path}: {job.last_error['error']}"
        # At the first try: another one would find the same file.
        assert [one.code for one in events] == ["job_created", "upload_confirmed", "parse_failed"]
        assert job.parsed_path is None
    job, events = jobs["good.pdf"]
    assert (found[good].outcome, found[good].status, found[good].error) == (
        *("applied", "parsed"),
        None,
    )
    assert (found[good].job_id, found[good].document_id) == (job.job_id, job.document_id)
    assert [one.code for one in events] == ["job_created", "upload_confirmed", "parse_completed"]
    assert set(jobs) == {"good.pdf", *(path.name for path in failing)}


async def test_files_with_the_same_content_are_one_job_and_parsed_once(
    project: Path, tmp_path: Path
) -> None:
    good, copy = written(tmp_path, "a.pdf", sample()), written(tmp_path, "b.pdf", sample())
    owner_id = uuid4()
    async with running_stack(project) as up:
        both = await submitted(up.settings, good, copy, owner_id=owner_id)
        [again] = await submitted(up.settings, good, owner_id=owner_id)
        [(job, events)] = await jobs_of(up.settings, owner_id)
    assert sorted(one.outcome for one in both) == ["applied", "duplicate"]
    assert {one.job_id for one in both} == {again.job_id} == {job.job_id}
    assert (again.outcome, again.status, again.error) == ("duplicate", "parsed", None)
    assert [one.code for one in events].count("parse_completed") == 1


async def test_a_submission_after_an_interrupted_one_completes_the_upload(
    project: Path, tmp_path: Path
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()

    class Interrupted(FileStorage):
        async def write(self, path: str, content: bytes) -> None:
            raise InterruptedError

    async with running_stack(project) as up:
        async with seen(up.settings) as (engine, views):
            with pytest.raises(InterruptedError):
                await make_job(engine, views, Interrupted(up.objects), read_raw(good), owner_id)
        async with asyncio.timeout(20):
            [done] = await submitted(up.settings, good, owner_id=owner_id)
    assert (done.outcome, done.status) == ("duplicate", "parsed")


async def test_a_failed_file_may_be_submitted_again(project: Path, tmp_path: Path) -> None:
    bad, owner_id = written(tmp_path, "bad.pdf", pdf([b""])), uuid4()
    async with running_stack(project) as up:
        [first] = await submitted(up.settings, bad, owner_id=owner_id)
        [second] = await submitted(up.settings, bad, owner_id=owner_id)
    assert (first.status, second.status) == ("failed_parse", "failed_parse")
    assert second.outcome == "applied"
    assert second.document_id == first.document_id
    assert second.job_id != first.job_id


async def test_without_follow_a_file_is_done_once_it_is_stored(
    project: Path, tmp_path: Path
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    async with running_stack(project, parser="none") as up:
        assert up.worker is None
        [done] = await submitted(up.settings, good, owner_id=owner_id, follow=False)
        assert (done.outcome, done.status, done.error) == ("applied", "uploaded", None)
        [(job, _)] = await jobs_of(up.settings, owner_id)
        assert job.upload_confirmed
    async with running_stack(project) as up:
        [done] = await submitted(up.settings, good, owner_id=owner_id)
    assert (done.job_id, done.outcome, done.status) == (job.job_id, "duplicate", "parsed")


async def test_the_reason_why_nothing_moves_is_told_once(project: Path, tmp_path: Path) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    notices: list[str] = []

    async def heard(count: int) -> None:
        while len(notices) < count:
            await asyncio.sleep(0.02)

    async def away(job: Job, tools: Tools) -> str:
        raise Deferred("parser_away", "Nobody is at home.")

    async with running_stack(project, parser="none") as up, asyncio.timeout(30):
        waiting = asyncio.create_task(
            submitted(up.settings, good, owner_id=owner_id, on_notice=notices.append, patience=0.2)
        )
        await heard(1)
        assert notices == [
            "Nothing moves in uploaded: waits for a worker."
            " Is `hookline work` or `hookline up` running?"
        ]
        await asyncio.sleep(1.5)
        assert len(notices) == 1
        waiting.cancel()

    async with running_stack(project, parser="none", stages=[Stage("uploaded", away)]) as up:
        async with asyncio.timeout(30):
            waiting = asyncio.create_task(
                submitted(
                    up.settings, good, owner_id=owner_id, on_notice=notices.append, patience=0.2
                )
            )
            await heard(2)
        assert notices[1].startswith("Nothing moves in uploaded: backs off until 20")
        assert notices[1].endswith("Z. The last error is parser_away: Nobody is at home.")
        waiting.cancel()


async def test_a_cancelled_job_is_reported_as_an_error(project: Path, tmp_path: Path) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    async with running_stack(project, parser="none") as up:
        waiting = asyncio.create_task(submitted(up.settings, good, owner_id=owner_id))
        async with seen(up.settings) as (engine, views):
            while not (jobs := await views.jobs(owner_id=owner_id)):
                await asyncio.sleep(0.02)
            async with engine._pool.connection() as connection:
                await connection.execute(
                    "select upload_pipeline.cancel_job(job_id => %s)", [jobs[0].job_id]
                )
        [one] = await waiting
    assert (one.status, one.error) == ("cancelled", f"{good}: its job is cancelled.")


async def test_a_submission_ends_with_an_error_when_postgres_goes_away(
    project: Path, tmp_path: Path
) -> None:
    good = written(tmp_path, "good.pdf", sample())
    async with running_stack(project, parser="none") as up:
        waiting = asyncio.create_task(submitted(up.settings, good, owner_id=uuid4()))
        await asyncio.sleep(0.5)
    with pytest.raises(Unavailable):
        await waiting


def test_a_folder_stands_for_its_pdfs_sorted_by_name(tmp_path: Path) -> None:
    below = tmp_path / "sub"
    (below / "deep").mkdir(parents=True)
    (tmp_path / "without").mkdir()
    for name in ("b.pdf", "a.PDF", "notes.txt", ".hidden.pdf", "sub/c.pdf", "sub/deep/d.pdf"):
        (tmp_path / name).touch()
    (below / "again").symlink_to(tmp_path)

    def found(*paths: str, recursive: bool) -> list[str]:
        entries = find_files([tmp_path / path for path in paths], recursive=recursive)
        return [one.fault or str(one.path.relative_to(tmp_path)) for one in entries]

    assert found("", recursive=False) == ["a.PDF", "b.pdf"]
    assert found("", recursive=True) == ["a.PDF", "b.pdf", "sub/c.pdf", "sub/deep/d.pdf"]
    assert found("notes.txt", "gone.pdf", recursive=False) == ["notes.txt", "gone.pdf"]
    [told] = found("without", recursive=False)
    assert (
        told
        == f"{tmp_path}/without is a folder without a PDF: --recursive searches the folders below."
    )
    assert find_files([Path("x")], recursive=True) == [Entry(Path("x"))]
