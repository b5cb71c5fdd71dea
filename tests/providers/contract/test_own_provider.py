"""A provider of another package: the worker keeps its promises with any client."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from fakes.acme import Acme
from hookline.doctor.configuration import check_parser
from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.settings import ConfigurationError, Settings
from hookline.worker.parsing.configured_stages import parser_stages
from support.cloud_worker import GRACE, PDF, CloudWorker


def status(code: int, **headers: str) -> web.Response:
    return web.Response(status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_a_document_is_parsed_by_a_provider_of_another_package(
    worker: CloudWorker, acme: Acme
) -> None:
    job_id = await worker.submitted()
    assert acme.files == [PDF]
    [there] = acme.jobs.values()
    assert there["reference"] == str(job_id)
    assert worker.event(job_id, "parse_submitted")["provider"] == "acme"
    acme.end(pages=2)
    await worker.ask()
    await worker.work("parse_ready")
    assert await worker.stored(job_id) == "# Text"
    assert (worker.reservation(job_id)["reserved"], worker.settled(job_id)) == (2, 2)
    [provider_job] = worker.query("select provider from upload_pipeline.provider_jobs")
    assert provider_job["provider"] == "acme"
    assert not worker.cloud.requests


async def test_it_is_polled_until_its_job_has_ended(worker: CloudWorker, acme: Acme) -> None:
    job_id = await worker.submitted()
    worker.later(seconds=3)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_queued"
    acme.end()
    worker.later(seconds=4)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_ready"


@pytest.mark.parametrize(
    ("answer", "code", "tries"),
    [
        (status(402), "quota_spent", 0),
        (status(401), "provider_refused_us", 0),
        (status(302, Location="http://127.0.0.1:9/"), "provider_refused", 1),
        (status(429, Retry_After="120"), "rate_limited", 0),
        (status(422), "provider_refused", 1),
    ],
    ids=["402", "401", "redirect", "429", "422"],
)
async def test_a_refused_submission_costs_nothing(
    worker: CloudWorker, acme: Acme, answer: web.Response, code: str, tries: int
) -> None:
    acme.fail("create", answer)
    job_id = await worker.upload()
    await worker.work("uploaded")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", code)
    assert worker.codes(job_id) == ["stage_retried" if tries else "stage_deferred"]
    assert worker.settled(job_id) == 0
    assert acme.jobs == {}


async def test_a_rate_limit_is_waited_for_as_long_as_the_provider_says(
    worker: CloudWorker, acme: Acme
) -> None:
    acme.fail("create", status(429, Retry_After="120"))
    job_id = await worker.upload()
    await worker.work("uploaded")
    pause = (worker.job(job_id)["run_after"] - worker.now()).total_seconds()
    assert 100 < pause <= 120


@pytest.mark.parametrize("answer", [status(503), web.json_response([]), "after"])
async def test_after_an_unclear_answer_nothing_is_paid_again_within_the_grace(
    worker: CloudWorker, acme: Acme, answer: web.Response | str
) -> None:
    acme.fail("create", answer)
    job_id = await worker.upload()
    await worker.work("uploaded")
    assert worker.last_error(job_id) == "submission_unanswered"
    assert worker.settled(job_id) is None
    before = len(acme.files)
    worker.later(seconds=GRACE / 2)
    await worker.work("uploaded")
    assert len(acme.files) == before
    worker.later(seconds=GRACE)
    await worker.work("uploaded")
    assert worker.status(job_id) == "parse_queued"


async def test_a_failure_has_the_code_of_the_provider(worker: CloudWorker, acme: Acme) -> None:
    job_id = await worker.submitted()
    acme.end("broken", code="UNREADABLE", reason="It is a photograph of a cat.")
    await worker.ask()
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", "UNREADABLE")


async def test_a_forgotten_job_is_started_over(worker: CloudWorker, acme: Acme) -> None:
    job_id = await worker.submitted()
    acme.jobs.clear()
    await worker.ask()
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_job_unknown")


async def test_a_result_that_is_too_large_fails_its_job(worker: CloudWorker, acme: Acme) -> None:
    job_id = await worker.submitted()
    acme.end()
    await worker.ask()
    acme.markdown = bytes(64 * 2**20 + 1)
    await worker.work("parse_ready")
    assert worker.status(job_id) == "failed_parse"
    assert worker.last_error(job_id) == "result_too_large"


async def test_a_provider_that_is_away_costs_no_try(worker: CloudWorker, acme: Acme) -> None:
    job_id = await worker.submitted()
    acme.fail("ask", status(500), "after", web.Response(text="{"))
    for _ in range(3):
        await worker.ask()
    assert worker.codes(job_id)[1:] == ["stage_deferred"] * 3
    acme.end()
    await worker.ask()
    assert worker.status(job_id) == "parse_ready"


async def test_its_variable_chooses_it_and_the_doctor_knows_what_is_missing(
    acme_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", "k")
    settings = Settings.model_validate({})
    choice = choose_parser(settings)
    assert (choice.parser, choice.sentence) == ("acme", "ACME parses: ACME_KEY is set.")
    assert "set ACME_URL" in check_parser(settings).sentence
    monkeypatch.setenv("ACME_URL", "http://127.0.0.1:9")
    assert check_parser(settings).state == "ok"
    async with parser_stages(settings) as parser:
        assert parser.stages[0].status == "uploaded"


def test_a_parser_that_is_not_installed_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="no provider acme is installed") as raised:
        choose_parser(Settings.model_validate({"parser": "acme"}))
    assert "llamacloud, or local, or none" in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("acme = acme_parser:MISSING", "cannot be imported: AttributeError"),
        ("acme = no_such_module:PROVIDER", "cannot be imported: ModuleNotFoundError"),
        ("llamacloud = acme_parser:PROVIDER", "needs another name"),
        ("Acme = acme_parser:PROVIDER", "needs another name"),
        ("other = acme_parser:PROVIDER", "has another name in its code"),
    ],
)
def test_a_wrong_entry_point_stops_the_start_with_a_sentence(
    acme_package: Path, entry: str, sentence: str
) -> None:
    [file] = acme_package.glob("*.dist-info/entry_points.txt")
    file.write_text(f"[hookline.providers]\n{entry}\n")
    with pytest.raises(ConfigurationError, match=sentence) as raised:
        installed()
    assert "acme-parser" in str(raised.value)
