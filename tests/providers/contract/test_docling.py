"""What only docling-serve does: forms, categories of failures, results with failed pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.docling_serve import DoclingServe
from hookline.providers.configured_parser import choose_parser
from hookline.providers.docling.provider import PROVIDER
from hookline.settings import ConfigurationError, Settings
from support.called_worker import CalledWorker
from support.cloud_worker import PDF, CloudWorker

pytestmark = pytest.mark.parametrize("imitation", [DoclingServe], ids=["docling"], indirect=True)

NAME = 'Bericht "ä" 1;%22\r\nX: y.pdf'


async def parse(worker: CloudWorker, imitation: DoclingServe, **result: Any) -> Any:
    """Take one job through to the fetch of a result with these fields."""
    job_id = await worker.submitted(name=NAME)
    await imitation.end()
    imitation.result = result
    await worker.ask()
    await worker.work("parse_ready")
    return job_id


async def test_the_file_is_sent_as_a_form_that_asks_for_markdown(
    worker: CloudWorker, imitation: DoclingServe
) -> None:
    await parse(worker, imitation)
    assert imitation.forms == [
        {
            "filename": NAME.replace("\r\n", "__"),
            "mime": "application/pdf",
            "to_formats": "md",
            "image_export_mode": "placeholder",
        }
    ]


async def test_failed_pages_are_named_before_the_content(
    worker: CloudWorker, imitation: DoclingServe
) -> None:
    errors = [
        {"component_type": "model", "module_name": "m", "error_message": "Broken.", "page_no": 3},
        {"component_type": "model", "module_name": "m", "error_message": "Lost.", "page_no": None},
    ]
    job_id = await parse(worker, imitation, status="partial_success", errors=errors)
    assert worker.codes(job_id)[-2:] == ["parse_truncated", "parse_completed"]
    truncated = worker.event(job_id, "parse_truncated")
    assert (truncated["failed_pages"], truncated["reason"]) == ([3], "Broken.")


@pytest.mark.parametrize(
    ("result", "code", "status"),
    [
        (
            {"status": "failure", "errors": [{"category": "backend_failure"}]},
            "BACKEND_FAILURE",
            "failed_parse",
        ),
        (
            {"status": "failure", "errors": [{"category": "inference_failure"}]},
            "INFERENCE_FAILURE",
            "parse_ready",
        ),
        ({"status": "skipped"}, "parse_failed", "parse_ready"),
        (
            {"failure": {"category": "capacity", "message": "Full.", "retryable": True}},
            "CAPACITY",
            "parse_ready",
        ),
        ({"failure": {"category": "policy", "retryable": False}}, "POLICY", "failed_parse"),
        ({"document": None}, "provider_unanswered", "parse_ready"),
        ({"errors": 7, "document": {}}, "provider_unanswered", "parse_ready"),
    ],
)
async def test_a_result_without_text_says_why_and_whether_another_try_may_help(
    worker: CloudWorker, imitation: DoclingServe, result: Any, code: str, status: str
) -> None:
    job_id = await parse(worker, imitation, **result)
    assert (worker.last_error(job_id), worker.status(job_id)) == (code, status)


def test_its_address_chooses_it(imitation: DoclingServe) -> None:
    settings = Settings.model_validate({"docling_url": "http://127.0.0.1:9"})
    choice = choose_parser(settings)
    assert choice.sentence == "docling-serve parses: HOOKLINE_DOCLING_URL is set."
    assert PROVIDER.remedies(settings) == []


async def test_without_an_address_the_worker_does_not_start(imitation: DoclingServe) -> None:
    settings = Settings.model_validate({"parser": "docling"})
    assert PROVIDER.remedies(settings) == ["set HOOKLINE_DOCLING_URL"]
    with pytest.raises(ConfigurationError, match="HOOKLINE_DOCLING_URL is not set"):
        async with PROVIDER.open(settings):
            pass


async def test_a_token_binds_no_other_task_to_its_job(
    called: CalledWorker, imitation: DoclingServe
) -> None:
    """The body is not proven: who has seen one callback can repeat its token with another task."""
    first = await called.worker.submitted()
    [task] = imitation.jobs
    await imitation.end()
    genuine = imitation.webhook(task)

    async def overtake(parse_job_id: str) -> None:
        body = genuine.body.replace(task.encode(), parse_job_id.encode())
        status, answer = await called.send(replace(genuine, body=body))
        assert (status, answer["outcome"]) == (200, "parked")

    imitation.created = overtake
    second = await called.worker.upload(PDF + b"2")
    await called.worker.work("uploaded")
    # A report makes a worker ask, and the task is not done.
    assert called.worker.status(second) == "parse_ready"
    await called.worker.work("parse_ready")
    assert called.worker.last_error(second) == "parse_running"
    assert called.worker.status(first) == "parse_queued"


@pytest.mark.parametrize(
    "result",
    [
        {"status": "failure", "errors": {"a": 1}},
        {"document": {"md_content": ["# Text"]}},
        {"document": ["# Text"]},
    ],
)
async def test_a_result_of_another_shape_puts_the_job_off(
    worker: CloudWorker, imitation: DoclingServe, result: Any
) -> None:
    job_id = await parse(worker, imitation, **result)
    assert (worker.last_error(job_id), worker.status(job_id)) == (
        *("provider_unanswered", "parse_ready"),
    )


async def test_text_and_json_are_asked_for_and_come_with_the_result(
    worker: CloudWorker, imitation: DoclingServe
) -> None:
    job_id = await worker.submitted(options={"artifacts": ["json", "text", "tea"]})
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    assert await worker.artifacts(job_id) == {"json": b'{"texts": []}', "text": b"Text"}
    [missing] = worker.event(job_id, "artifact_failed")["artifacts"]
    assert missing == {"kind": "tea", "name": "", "code": "not_offered"}
