"""A file that is submitted is parsed, or is said not to be, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pdfs import pdf, sample, text

from hookline import submit
from hookline.embedded.programs import free_port
from hookline.engine import Engine
from hookline.local_parser import Parsed, ParseFailed, ParserMissing
from hookline.settings import ConfigurationError, Settings, load
from hookline.standalone import Standing, standing
from hookline.storage.files import FileStorage
from hookline.submit import Submitted, make_job, read_raw, submit_files
from hookline.views import Event, Job, Views, connected


@asynccontextmanager
async def seen(up: Standing) -> AsyncIterator[tuple[Engine, Views]]:
    async with connected(up.settings) as pool:
        yield Engine(pool), Views(pool)


async def jobs_of(up: Standing, owner_id: UUID) -> list[tuple[Job, list[Event]]]:
    async with seen(up) as (_, views):
        jobs = await views.jobs(owner_id=owner_id)
        return [(job, await views.timeline(job.job_id)) for job in jobs]


async def submitted(settings: Settings, *paths: Path, owner_id: UUID) -> list[Submitted]:
    return [one async for one in submit_files(settings, list(paths), owner_id)]


def written(directory: Path, name: str, content: bytes) -> Path:
    (directory / name).write_bytes(content)
    return directory / name


async def test_each_file_is_parsed_or_said_why_not(project: Path, tmp_path: Path) -> None:
    hello = text("Hello world", y=700)
    good = written(tmp_path, "good.pdf", sample())
    failing = {
        written(tmp_path, "locked.pdf", pdf([hello], encrypted=True)): "password required",
        written(tmp_path, "broken.pdf", b"%PDF-1.4\nno more"): "The file is broken",
        written(tmp_path, "blank.pdf", pdf([b""])): "The file is blank",
        written(tmp_path, "notes.txt", b"Hello world"): "Unsupported file type",
    }
    missing, empty = tmp_path / "missing.pdf", written(tmp_path, "empty.pdf", b"")
    refused = {missing: "does not exist", tmp_path: "is a directory", empty: "is empty"}
    owner_id = uuid4()

    async with standing(project) as up:
        results = await submitted(
            up.settings, missing, tmp_path, empty, *failing, good, owner_id=owner_id
        )
        jobs = {job.filename: (job, events) for job, events in await jobs_of(up, owner_id)}
        found = {one.path: one for one in results}

        assert [one.path for one in results] == [*refused, *failing, good]
        for path, sentence in refused.items():
            assert found[path].job_id is None
            assert found[path].outcome == "error"
            assert str(path) in (found[path].error or "")
            assert sentence in (found[path].error or "")
        for path, sentence in failing.items():
            job, events = jobs[path.name]
            assert (found[path].outcome, found[path].status) == ("applied", "failed_parse")
            assert sentence in (found[path].error or "")
            assert job.last_error is not None
            assert found[path].error == f"{path}: {job.last_error['error']}"
            assert events[-1].payload["parse_job_id"].startswith("local-")
        job, events = jobs["good.pdf"]
        assert found[good].error is None
        assert (found[good].outcome, found[good].status) == ("applied", "parsed")
        assert found[good].job_id == job.job_id
        assert found[good].document_id == job.document_id
        assert [event.code for event in events] == [
            "job_created",
            "upload_confirmed",
            "parse_completed",
        ]
        assert set(jobs) == {"good.pdf", *(path.name for path in failing)}
        raw = read_raw(good).path_for(owner_id)
        assert raw == f"storage://raw/{owner_id}/{read_raw(good).sha256}.pdf"
        assert FileStorage(up.objects).file_of(raw).read_bytes() == sample()


async def test_a_parsed_file_is_not_parsed_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    async with standing(project) as up:
        [first] = await submitted(up.settings, good, owner_id=owner_id)
        monkeypatch.setattr(submit, "parse_raw", None)
        [again] = await submitted(up.settings, good, owner_id=owner_id)
        [(_, events)] = await jobs_of(up, owner_id)
    assert first.outcome == "applied"
    assert (again.job_id, again.outcome, again.status) == (first.job_id, "duplicate", "parsed")
    assert again.error is None
    assert len(events) == 3


async def test_a_submission_that_was_interrupted_goes_on(project: Path, tmp_path: Path) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    async with standing(project) as up:
        async with seen(up) as (engine, _):
            made = await make_job(engine, FileStorage(up.objects), read_raw(good), owner_id)
        [done] = await submitted(up.settings, good, owner_id=owner_id)
    assert (done.job_id, done.outcome, done.status) == (made.job_id, "applied", "parsed")


async def test_a_failed_file_may_be_submitted_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()

    async def fail(raw: object) -> Parsed | ParseFailed:
        return ParseFailed("Parsing took more than 120 seconds and was stopped.")

    async with standing(project) as up:
        with monkeypatch.context() as patch:
            patch.setattr(submit, "parse_raw", fail)
            [failed] = await submitted(up.settings, good, owner_id=owner_id)
        [done] = await submitted(up.settings, good, owner_id=owner_id)
    assert (failed.status, failed.error) == (
        "failed_parse",
        f"{good}: Parsing took more than 120 seconds and was stopped.",
    )
    assert (done.outcome, done.status, done.error) == ("applied", "parsed", None)
    assert done.document_id == failed.document_id
    assert done.job_id != failed.job_id


async def test_a_job_that_is_cancelled_meanwhile_is_not_called_parsed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    parse_raw = submit.parse_raw

    async with standing(project) as up, connected(up.settings) as pool:

        async def cancel_then_parse(raw: submit.RawFile) -> Parsed | ParseFailed:
            async with pool.connection() as connection:
                await connection.execute(
                    "select upload_pipeline.cancel_job(job_id)"
                    " from upload_pipeline.job_overview where owner_id = %s",
                    [owner_id],
                )
            return await parse_raw(raw)

        monkeypatch.setattr(submit, "parse_raw", cancel_then_parse)
        [result] = await submitted(up.settings, good, owner_id=owner_id)
    assert (result.outcome, result.status) == ("stale", "cancelled")
    assert result.error is not None


async def test_a_text_larger_than_a_webhook_may_be_is_a_failure(
    project: Path, tmp_path: Path
) -> None:
    page = b"".join(text("Much " * 18, y=760 - 9 * line, size=8) for line in range(80))
    large, owner_id = written(tmp_path, "large.pdf", pdf([page] * 20)), uuid4()
    async with standing(project) as up:
        settings = up.settings.model_copy(update={"max_body": 2**16})
        [result] = await submitted(settings, large, owner_id=owner_id)
    assert result.status == "failed_parse"
    assert "HOOKLINE_MAX_BODY is 65,536" in (result.error or "")


async def test_without_a_receiver_no_job_is_made(project: Path, tmp_path: Path) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    async with standing(project) as up:
        settings = up.settings.model_copy(update={"port": free_port()})
        with pytest.raises(ConfigurationError, match="start `hookline up` or `hookline serve`"):
            await submitted(settings, good, owner_id=owner_id)
        assert await jobs_of(up, owner_id) == []


async def test_another_secret_than_the_receivers_is_named(project: Path, tmp_path: Path) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    async with standing(project) as up:
        settings = up.settings.model_copy(update={"llamaparse_secrets": up.settings.push_secrets})
        [result] = await submitted(settings, good, owner_id=owner_id)
    assert (result.outcome, result.status) == ("error", "uploaded")
    assert "HOOKLINE_LLAMAPARSE_SECRETS" in (result.error or "")


async def test_standard_webhooks_are_signed_where_the_receiver_wants_them(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", sample()), uuid4()
    with monkeypatch.context() as environment:
        environment.setenv("HOOKLINE_LLAMAPARSE_SCHEME", "standard")
        async with standing(project) as up:
            [result] = await submitted(up.settings, good, owner_id=owner_id)
        environment.setenv("HOOKLINE_LLAMAPARSE_SCHEME", "hex")
        async with standing(project):
            pass
    assert (result.status, result.error) == ("parsed", None)


async def test_without_the_parser_or_a_secret_a_sentence_says_what_to_do(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = written(tmp_path, "good.pdf", sample())

    def missing() -> str:
        raise ParserMissing("pip install 'hookline[local]'")

    monkeypatch.setenv("HOOKLINE_STORAGE_URL", tmp_path.as_uri())
    monkeypatch.setenv("HOOKLINE_LLAMAPARSE_SECRETS", "a-long-random-secret")
    settings = load(None)
    monkeypatch.setattr("hookline.local_parser.parser_version", missing)
    with pytest.raises(ConfigurationError, match="pip install"):
        await submitted(settings, good, owner_id=uuid4())
    settings = settings.model_copy(update={"llamaparse_secrets": ()})
    with pytest.raises(ConfigurationError, match="HOOKLINE_LLAMAPARSE_SECRETS is not set"):
        await submitted(settings, good, owner_id=uuid4())
