"""One worker parses with LlamaCloud and with docling-serve: with imitations of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web
from pydantic import SecretStr

from fakes.docling_serve import DoclingServe
from fakes.imitation import KEY
from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.settings import ConfigurationError, load
from hookline.worker.parsing.configured_stages import combine
from hookline.worker.parsing.stages import make_parser_stages
from support.cloud_worker import CREDITS, CloudWorker, employing


@pytest.fixture
async def docling() -> AsyncIterator[DoclingServe]:
    async with DoclingServe() as docling:
        yield docling


@pytest.fixture
async def worker(
    docling: DoclingServe, database: str, login: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[CloudWorker]:
    """A worker with both: docling-serve takes the jobs that name no provider."""
    objects = tmp_path / "objects"
    objects.mkdir()
    employ = employing(database, login, objects)
    async with (
        employ(docling_url=docling.url, docling_api_key=SecretStr(KEY)) as worker,
        installed()["docling"].open(worker.settings) as client,
    ):
        of_docling = make_parser_stages(client, worker.settings, lambda: worker.now().timestamp())
        worker.parsing = combine({"docling": of_docling, "llamacloud": worker.parsing})
        yield worker
        assert worker.is_whole()


def costs(worker: CloudWorker, job_id: UUID) -> list[tuple[int, str, float, float | None]]:
    return [
        (
            row["attempt"],
            row["provider"],
            float(row["reserved"]),
            None if row["billed"] is None else float(row["billed"]),
        )
        for row in worker.query(
            "select * from upload_pipeline.job_costs where job_id = %s order by attempt", job_id
        )
    ]


async def test_each_job_goes_to_its_provider(worker: CloudWorker, docling: DoclingServe) -> None:
    any_, cloud = await worker.upload(b"%PDF-1.7 a"), await worker.upload(provider="llamacloud")
    other = await worker.upload(b"%PDF-1.7 c", provider="reducto")
    assert await worker.work("uploaded") == 2
    assert [worker.job(one)["provider"] for one in (any_, cloud)] == ["docling", "llamacloud"]
    assert (len(docling.jobs), len(worker.jobs_there(cloud))) == (1, 1)
    await docling.end()
    await worker.cloud.settle()
    await worker.ask()
    await worker.work("parse_ready")
    assert await worker.stored(any_) == "# Text"
    assert await worker.stored(cloud) != "# Text"
    # No worker has the third provider: its job waits, and says so.
    assert worker.status(other) == "uploaded"
    [row] = worker.query(
        "select waits_because from upload_pipeline.job_overview where job_id = %s", other
    )
    assert row["waits_because"] == "waits for a worker that has the provider reducto"


async def test_a_document_that_fails_at_one_parser_is_parsed_by_the_next(
    worker: CloudWorker, docling: DoclingServe
) -> None:
    worker.query("select upload_pipeline.set_fallback('docling', 'llamacloud')")
    job_id = await worker.submitted()
    code = await docling.end_badly("The file is broken.")
    await worker.ask()
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.job(job_id)["provider"]) == ("uploaded", "llamacloud")
    assert worker.last_error(job_id) == code
    await worker.work("uploaded")
    await worker.cloud.settle()
    await worker.ask()
    await worker.work("parse_ready")
    assert "report.pdf" in await worker.stored(job_id)
    assert worker.codes(job_id) == [
        *("parse_submitted", "parse_ended", "fell_back"),
        *("parse_submitted", "parse_ready", "parse_completed"),
    ]
    fell_back = worker.event(job_id, "fell_back")
    assert (fell_back["from_provider"], fell_back["provider"]) == ("docling", "llamacloud")
    assert (fell_back["code"], fell_back["attempt"]) == (code, 2)
    worker.later(hours=2)
    await worker.do("billing")
    assert costs(worker, job_id) == [(1, "docling", 0, 0), (2, "llamacloud", CREDITS, CREDITS)]


async def test_a_late_answer_of_the_provider_before_changes_nothing(
    worker: CloudWorker, docling: DoclingServe
) -> None:
    job_id = await worker.upload(provider="llamacloud")
    await worker.work("uploaded")
    worker.query("select upload_pipeline.retry_job(job_id => %s, provider => 'docling')", job_id)
    await worker.work("uploaded")
    await worker.cloud.settle()
    worker.later(seconds=3)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_queued"
    [late] = worker.query(
        "select outcome from upload_pipeline.delivery_log where source = 'llamacloud'"
    )
    assert late["outcome"] == "stale"
    await docling.end()
    await worker.ask()
    await worker.work("parse_ready")
    assert await worker.stored(job_id) == "# Text"
    worker.later(hours=2)
    await worker.do("billing")
    assert costs(worker, job_id) == [(1, "llamacloud", CREDITS, CREDITS), (2, "docling", 0, 0)]


async def test_a_provider_that_refuses_all_stops_no_other(
    worker: CloudWorker, docling: DoclingServe
) -> None:
    docling.fail("create", web.Response(status=402))
    refused, cloud = await worker.upload(b"%PDF-1.7 a"), await worker.upload(provider="llamacloud")
    await worker.work("uploaded")
    assert worker.paused("uploaded") == (None, None)
    assert (worker.status(refused), worker.status(cloud)) == ("uploaded", "parse_queued")
    assert worker.event(refused, "stage_deferred")["code"] == "quota_spent"
    [alert] = worker.query(
        "select subject, detail from upload_pipeline.alerts where alert = 'stage_paused'"
    )
    assert alert["subject"] == "uploaded: docling"
    assert alert["detail"].startswith("Paused for this provider by ")
    # No other job asks docling-serve in vain, and those of LlamaCloud go on.
    later, cloud = (
        await worker.upload(b"%PDF-1.7 b", provider="docling"),
        await worker.upload(b"%PDF-1.7 c", provider="llamacloud"),
    )
    await worker.work("uploaded")
    assert (worker.status(later), worker.status(cloud)) == ("uploaded", "parse_queued")
    assert worker.codes(later) == []
    [row] = worker.query(
        "select waits_because from upload_pipeline.job_overview where job_id = %s", later
    )
    assert row["waits_because"].startswith("provider docling paused by ")
    worker.later(minutes=16)
    await worker.work("uploaded")
    assert worker.status(refused) == "parse_queued"


@pytest.mark.parametrize(
    ("parser", "sentence"),
    [
        ("docling,llamacloud", "docling-serve parses, LlamaCloud parses what names llamacloud"),
        ("docling, none", "HOOKLINE_PARSER is wrong: it names a parser twice"),
        ("docling,docling", "HOOKLINE_PARSER is wrong: it names a parser twice"),
        ("docling,dcoling", "HOOKLINE_PARSER is wrong: no provider dcoling is installed."),
    ],
)
def test_the_setting_names_several(parser: str, sentence: str) -> None:
    try:
        said = choose_parser(load(None, given={"HOOKLINE_PARSER": parser})).sentence
    except ConfigurationError as error:
        said = str(error)
    assert said.startswith(sentence)


async def test_the_database_knows_each_provider_of_hookline(worker: CloudWorker) -> None:
    known = worker.query("select provider from upload_pipeline.providers")
    assert {row["provider"] for row in known} == {*installed(), "local"}
