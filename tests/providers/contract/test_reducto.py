"""What only Reducto does: results by URL, prices, and our metadata in signed bytes and listings."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from reducto.types.job_get_all_response import JobGetAllResponse
from reducto.types.job_get_response import EnhancedAsyncJobResponse

from fakes.imitation import KEY, name_of
from fakes.reducto import Reducto
from hookline.providers.reducto.provider import PROVIDER
from hookline.settings import ConfigurationError, Settings
from support.called_worker import CalledWorker
from support.cloud_worker import PDF, CloudWorker

pytestmark = pytest.mark.parametrize("imitation", [Reducto], ids=name_of, indirect=True)


async def fetched(worker: CloudWorker, imitation: Reducto) -> Any:
    """Take one job through to the fetch of its result."""
    job_id = await worker.submitted()
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    return job_id


async def test_the_imitation_answers_as_the_models_of_the_sdk_say(
    worker: CloudWorker, imitation: Reducto
) -> None:
    await worker.submitted(options={"artifacts": ["images"]})
    await imitation.end()
    [parse_job_id] = imitation.jobs
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(imitation.url, headers=headers) as session:
        for imitation.by_url in (False, True):
            async with session.get(f"/job/{parse_job_id}") as response:
                EnhancedAsyncJobResponse.model_validate(await response.json(), strict=False)
        async with session.get("/jobs", params={"limit": "2"}) as response:
            JobGetAllResponse.model_validate(await response.json(), strict=False)


async def test_the_order_asks_for_one_chunk_and_has_our_ids(
    worker: CloudWorker, imitation: Reducto
) -> None:
    job_id = await worker.submitted()
    [order] = imitation.orders
    assert order["async"] == {"metadata": {"hookline_job_id": str(job_id), "attempt": "1"}}
    assert order["retrieval"] == {"chunking": {"chunk_mode": "disabled"}}


async def test_with_a_secret_the_order_asks_for_a_webhook_by_svix(
    called: CalledWorker, imitation: Reducto
) -> None:
    await called.worker.submitted()
    [order] = imitation.orders
    assert order["async"]["webhook"] == {"mode": "svix", "channels": []}


async def test_a_result_by_url_is_fetched_without_the_key(
    worker: CloudWorker, imitation: Reducto
) -> None:
    imitation.by_url = True
    job_id = await fetched(worker, imitation)
    assert await worker.stored(job_id) == "# Text"
    [download] = imitation.downloads
    # The signature in the query is as it was.
    assert download.raw_path.endswith("?X-Amz-Signature=a%2Fb")
    completed = worker.event(job_id, "parse_completed")
    assert completed["confidence"] == {"blocks": 1, "low": 1}


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1/result",
        "https://localhost:1/result",
        "https://[::1]:1/result",
        "https://[::ffff:127.0.0.1]:1/result",
        "https://10.0.0.7/result",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/latest/meta-data/",
        "http://results.example.com/result",
        "file:///etc/passwd",
        "https://user:password@results.example.com/result",
        "https:///result",
        "no url at all",
    ],
)
async def test_a_url_that_leads_to_no_public_address_is_not_followed(
    employ_for: Any, imitation: Reducto, url: str
) -> None:
    imitation.by_url, imitation.result_url = True, url
    async with employ_for(result_hosts=()) as worker:
        job_id = await fetched(worker, imitation)
        assert worker.status(job_id) == "parse_ready"
        assert worker.last_error(job_id) == "result_url_refused"
        assert "password" not in worker.job(job_id)["last_error"]["error"]
        assert imitation.downloads == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.Response(status=302, headers={"Location": "/elsewhere"}), "result_url_refused"),
        (web.Response(status=403), "result_gone"),
        (web.Response(status=404), "result_gone"),
        (web.Response(status=503), "provider_unanswered"),
        (web.Response(text="[]"), "provider_unanswered"),
        (web.json_response({"type": "full"}), "provider_unanswered"),
    ],
    ids=["302", "403", "404", "503", "list", "no chunks"],
)
async def test_a_url_with_no_result_behind_it_is_told_and_pauses_nothing(
    worker: CloudWorker, imitation: Reducto, answer: web.Response, code: str
) -> None:
    imitation.by_url = True
    imitation.fail("download", answer)
    job_id = await fetched(worker, imitation)
    assert (worker.status(job_id), worker.last_error(job_id)) == ("parse_ready", code)
    assert worker.paused("parse_ready") == (None, None)
    assert len(imitation.downloads) == 1


async def test_a_job_that_was_cancelled_there_ends_here(
    worker: CloudWorker, imitation: Reducto
) -> None:
    job_id = await worker.submitted()
    [parse_job_id] = imitation.jobs
    async with PROVIDER.open(worker.settings) as client:
        await client.cancel(parse_job_id)
        assert (await client.ask(parse_job_id)).status == "cancelled"
        await client.delete(parse_job_id)
    await worker.ask()
    assert worker.last_error(job_id) == "parse_job_unknown"


@pytest.mark.parametrize("told", ["It broke.", {"message": "It broke."}, None])
async def test_a_failure_without_a_name_is_tried_again(
    worker: CloudWorker, imitation: Reducto, told: object
) -> None:
    job_id = await worker.submitted()
    await imitation.end_badly("")
    [job] = imitation.jobs.values()
    job["error"] = told
    await worker.ask()
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_failed")


async def test_an_account_that_is_told_no_credits_is_settled_by_pages(
    worker: CloudWorker, imitation: Reducto
) -> None:
    imitation.tells_credits = False
    job_id = await fetched(worker, imitation)
    assert worker.settled(job_id) == 4


async def test_agentic_parsing_without_credits_is_settled_as_it_was_reserved(
    worker: CloudWorker, imitation: Reducto
) -> None:
    imitation.tells_credits = False
    job_id = await worker.submitted(options={"agentic": True})
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.settled(job_id)) == ("parsed", None)
    worker.later(hours=25)
    await worker.do("billing")
    assert worker.settled(job_id) == worker.reservation(job_id)["reserved"] == 8


@pytest.mark.parametrize(
    ("deletions", "questions", "states"),
    [
        # It is still being stopped.
        ([409, 409], [], ["waiting", "done"]),
        # It is being deleted already.
        ([409] * 9, [409], ["done"]),
        ([423] * 10, [], ["waiting"] * 4 + ["refused"]),
        ([422] * 2, [], ["refused"]),
    ],
)
async def test_a_deletion_that_is_refused_for_a_moment_is_tried_again(
    worker: CloudWorker,
    imitation: Reducto,
    deletions: list[int],
    questions: list[int],
    states: list[str],
) -> None:
    await worker.submitted()
    imitation.fail("delete", *(web.Response(status=code) for code in deletions))
    imitation.fail("ask", *(web.Response(status=code) for code in questions))
    worker.query(
        "select upload_pipeline.erase_document(document_id) from upload_pipeline.documents"
    )
    for state in states:
        await worker.do("requests")
        [row] = worker.query("select state from upload_pipeline.provider_request_log")
        assert row["state"] == state
        worker.later(hours=1)


async def test_many_jobs_are_asked_about_by_one_listing(
    worker: CloudWorker, imitation: Reducto
) -> None:
    jobs = [await worker.submitted(PDF + bytes([number])) for number in range(5)]
    await imitation.end()
    imitation.fail("ask", *[web.Response(status=500)] * 5)
    await worker.ask()
    assert {worker.status(job_id) for job_id in jobs} == {"parse_ready"}


async def test_events_of_other_applications_are_ignored(
    called: CalledWorker, imitation: Reducto
) -> None:
    job_id = await called.worker.submitted()
    await imitation.end()
    [parse_job_id] = imitation.jobs
    imitation.jobs[parse_job_id]["order"]["async"]["metadata"] = {"user_id": "123"}
    status, answer = await called.call_back(parse_job_id)
    assert (status, answer["outcome"]) == (200, "ignored")
    assert called.worker.status(job_id) == "parse_queued"


async def test_the_key_chooses_it_and_is_needed(imitation: Reducto) -> None:
    settings = Settings.model_validate({"parser": "reducto"})
    assert PROVIDER.remedies(settings) == ["set REDUCTO_API_KEY"]
    with pytest.raises(ConfigurationError, match="REDUCTO_API_KEY is not set"):
        async with PROVIDER.open(settings):
            pass


@pytest.mark.parametrize("by_url", [False, True])
async def test_figures_and_the_whole_result_are_artifacts(
    worker: CloudWorker, imitation: Reducto, by_url: bool
) -> None:
    imitation.by_url = by_url
    job_id = await worker.submitted(options={"artifacts": ["images", "json", "xlsx"]})
    [order] = imitation.orders
    assert order["settings"]["return_images"] == ["figure"]
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    found = await worker.artifacts(job_id)
    # The first figure has no image.
    assert found.keys() == {"images/page_1_figure_2.png", "json"}
    assert found["images/page_1_figure_2.png"] == b"a figure"
    assert json.loads(found["json"])["chunks"][0]["content"] == "# Text"
    assert imitation.downloads[-1].raw_path.endswith("?X-Amz-Signature=a%2Fb")
    [missing] = worker.event(job_id, "artifact_failed")["artifacts"]
    assert missing == {"kind": "xlsx", "name": "", "code": "not_offered"}
