"""What holds for every provider: the worker keeps its promises with any client."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from uuid import uuid4

import pytest
from aiohttp import web

from fakes.acme import Acme
from fakes.docling_serve import DoclingServe
from fakes.imitation import Imitation, name_of
from fakes.llamacloud.planned import LlamaCloudProvider
from fakes.reducto import Reducto
from hookline.providers.client import Document, Submission
from hookline.providers.errors import Unanswered
from hookline.providers.installed import installed
from support.cloud_worker import GRACE, PDF, CloudWorker

Answer = Callable[[], web.Response]


def status(code: int, **headers: str) -> web.Response:
    return web.Response(status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})


def report_early(worker: CloudWorker, imitation: Imitation) -> None:
    """Report the end of the only job, as a forged or an early callback would."""
    [parse_job_id] = imitation.jobs
    worker.query(
        "select upload_pipeline.receive_event(source => %s, delivery_id => 'e', body_sha256 =>"
        " repeat('a', 64), event_type => 'x', code => 'parse_ready', parse_job_id => %s)",
        *(imitation.name, parse_job_id),
    )


def answered(code: int, **headers: str) -> Answer:
    """An answer is sent once, and a parameter serves the tests of several providers."""
    return partial(status, code, **headers)


async def test_a_document_is_submitted_once_and_its_result_is_stored(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted()
    assert imitation.files == [PDF]
    [parse_job_id] = imitation.jobs
    submitted = worker.event(job_id, "parse_submitted")
    assert (submitted["provider"], submitted["parse_job_id"]) == (imitation.name, parse_job_id)
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    assert await worker.stored(job_id) == "# Text"
    assert worker.settled(job_id) == worker.reservation(job_id)["reserved"]


async def test_it_is_polled_until_its_job_has_ended(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted()
    worker.later(seconds=3)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_queued"
    await imitation.end()
    worker.later(seconds=4)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_ready"


@pytest.mark.parametrize(
    ("answer", "code", "tries"),
    [
        (answered(402), "quota_spent", 0),
        (answered(401), "provider_refused_us", 0),
        (answered(302, Location="http://127.0.0.1:9/"), "provider_refused", 1),
        (answered(429, Retry_After="120"), "rate_limited", 0),
        (answered(422), "provider_refused", 1),
    ],
    ids=["402", "401", "redirect", "429", "422"],
)
async def test_a_submission_refused_by_401_402_422_429_or_a_redirect_costs_nothing(
    worker: CloudWorker, imitation: Imitation, answer: Answer, code: str, tries: int
) -> None:
    imitation.fail("create", answer())
    job_id = await worker.upload()
    await worker.work("uploaded")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", code)
    assert worker.codes(job_id) == ["stage_retried" if tries else "stage_deferred"]
    assert worker.settled(job_id) == 0
    assert imitation.jobs == {}


@pytest.mark.parametrize("imitation", [LlamaCloudProvider, Reducto], ids=name_of, indirect=True)
async def test_a_file_whose_parse_was_refused_is_deleted_there(
    worker: CloudWorker, imitation: Imitation
) -> None:
    imitation.fail("create", status(429), status(429))
    job_id = await worker.upload()
    for _ in range(2):
        await worker.work("uploaded")
        worker.later(minutes=10)
        assert imitation.files == []
    await worker.work("uploaded")
    assert (worker.status(job_id), len(imitation.files)) == ("parse_queued", 1)


async def test_a_rate_limit_is_waited_for_as_long_as_the_provider_says(
    worker: CloudWorker, imitation: Imitation
) -> None:
    imitation.fail("create", status(429, Retry_After="120"))
    job_id = await worker.upload()
    await worker.work("uploaded")
    pause = (worker.job(job_id)["run_after"] - worker.now()).total_seconds()
    assert 100 < pause <= 120


@pytest.mark.parametrize(
    "answer",
    [answered(503), partial(web.json_response, []), lambda: "after"],
    ids=["503", "list", "closed"],
)
async def test_after_an_unclear_answer_nothing_is_submitted_again_within_the_grace(
    worker: CloudWorker, imitation: Imitation, answer: Callable[[], web.Response | str]
) -> None:
    imitation.fail("create", answer())
    job_id = await worker.upload()
    await worker.work("uploaded")
    assert worker.last_error(job_id) == "submission_unanswered"
    assert worker.settled(job_id) is None
    before = len(imitation.jobs)
    worker.query("update upload_pipeline.upload_jobs set run_after = upload_pipeline.clock()")
    await worker.work("uploaded")
    assert len(imitation.jobs) == before
    if before and imitation.finds:
        assert worker.status(job_id) == "parse_queued"
        return
    assert worker.last_error(job_id) == "submission_unknown"
    worker.later(seconds=GRACE + 1)
    await worker.work("uploaded")
    assert (worker.status(job_id), len(imitation.jobs)) == ("parse_queued", before + 1)


async def test_a_failure_of_the_document_ends_the_job_with_the_code_of_the_provider(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted()
    code = await imitation.end_badly("It is a photograph of a cat.")
    await worker.ask()
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", code)
    assert worker.job(job_id)["last_error"]["error"].endswith("It is a photograph of a cat.")


async def test_a_forgotten_job_is_started_over(worker: CloudWorker, imitation: Imitation) -> None:
    job_id = await worker.submitted()
    imitation.jobs.clear()
    await worker.ask()
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_job_unknown")


async def test_a_result_that_is_gone_starts_its_job_over(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted()
    await imitation.end()
    await worker.ask()
    imitation.fail("fetch", status(404))
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_job_unknown")


@pytest.mark.parametrize("stage", ["parse_queued", "parse_ready"])
async def test_a_job_that_does_not_end_within_a_day_starts_over(
    worker: CloudWorker, imitation: Imitation, stage: str
) -> None:
    job_id = await worker.submitted()
    if stage == "parse_ready":
        report_early(worker, imitation)
    for hours, seen in ((23, (stage, "parse_running")), (2, ("uploaded", "parse_stuck"))):
        worker.later(hours=hours)
        await (worker.ask() if stage == "parse_queued" else worker.work(stage))
        assert (worker.status(job_id), worker.last_error(job_id)) == seen


async def test_a_result_before_its_time_is_asked_for_again(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted()
    report_early(worker, imitation)
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("parse_ready", "parse_running")
    await imitation.end()
    worker.later(minutes=1)
    await worker.work("parse_ready")
    assert await worker.stored(job_id) == "# Text"


@pytest.fixture
def small_results(monkeypatch: pytest.MonkeyPatch) -> int:
    """The limit of an answer: 64 MB would take seconds."""
    for module in ("hookline.providers.http_calls", "support.cloud_worker"):
        assert import_module(module).LARGEST_RESULT == 64 * 2**20
        monkeypatch.setattr(f"{module}.LARGEST_RESULT", 2**20)
    return 2**20


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
async def test_a_result_that_is_too_large_fails_its_job(
    small_results: int, worker: CloudWorker, imitation: Imitation, compressed: bool
) -> None:
    job_id = await worker.submitted()
    imitation.compresses = compressed
    imitation.markdown = "x" * (small_results + 1)
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    assert worker.status(job_id) == "failed_parse"
    assert worker.last_error(job_id) == "result_too_large"


async def test_an_artifact_is_stored_before_its_job_moves_and_deleted_with_its_document(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted(options={"artifacts": ["json", "tea"]})
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    offered = {"json"} if imitation.has_json else set()
    assert (await worker.artifacts(job_id)).keys() == offered
    missing = worker.event(job_id, "artifact_failed")["artifacts"]
    assert {(one["kind"], one["code"]) for one in missing} == {
        (kind, "not_offered") for kind in {"json", "tea"} - offered
    }
    completed = worker.event(job_id, "parse_completed")
    assert completed.get("artifacts", {}) == dict.fromkeys(offered, 1)
    worker.query(
        "select upload_pipeline.erase_document(document_id) from upload_pipeline.documents"
    )
    queued = worker.query("select path from upload_pipeline.deletions")
    objects = {found.path async for found in worker.storage.list("parsed")}
    assert objects <= {row["path"] for row in queued}
    assert len(objects) == 1 + len(offered)


async def test_an_empty_result_fails_its_job(worker: CloudWorker, imitation: Imitation) -> None:
    imitation.markdown = " "
    job_id = await worker.submitted()
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    assert worker.last_error(job_id) == "NO_DATA_FOUND_IN_FILE"


async def test_a_provider_that_answers_5xx_or_nonsense_costs_no_try(
    worker: CloudWorker, imitation: Imitation
) -> None:
    job_id = await worker.submitted()
    imitation.fail("ask", status(500), "after", web.Response(text="{"), web.json_response({}))
    for _ in range(4):
        await worker.ask()
    assert worker.codes(job_id)[1:] == ["stage_deferred"] * 4
    await imitation.end()
    await worker.ask()
    assert worker.status(job_id) == "parse_ready"


@pytest.mark.parametrize("imitation", [Acme, DoclingServe], ids=name_of, indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "select upload_pipeline.cancel_job(job_id) from upload_pipeline.upload_jobs",
        "select upload_pipeline.erase_document(document_id) from upload_pipeline.documents",
    ],
    ids=["cancel", "delete"],
)
async def test_a_provider_without_such_a_call_is_said_to_have_none(
    worker: CloudWorker, imitation: Imitation, statement: str
) -> None:
    await worker.submitted()
    # As the claims of its worker do.
    worker.query(
        "insert into upload_pipeline.providers (provider)"
        " select provider from upload_pipeline.provider_jobs on conflict do nothing"
    )
    worker.query(statement)
    await worker.do("requests")
    [row] = worker.query("select state, result from upload_pipeline.provider_request_log")
    assert (row["state"], row["result"]) == ("done", "not_offered")


@pytest.mark.parametrize("imitation", [LlamaCloudProvider, Reducto], ids=name_of, indirect=True)
async def test_a_cancelled_job_is_cancelled_there_and_an_erased_one_deleted(
    worker: CloudWorker, imitation: Imitation
) -> None:
    await worker.submitted()
    [parse_job_id] = imitation.jobs
    cancel = "select upload_pipeline.cancel_job(job_id) from upload_pipeline.upload_jobs"
    erase = "select upload_pipeline.erase_document(document_id) from upload_pipeline.documents"
    for statement, gone in ((cancel, False), (erase, True)):
        worker.query(statement)
        await worker.do("requests")
        [done] = worker.query(
            "select state, result from upload_pipeline.provider_request_log"
            " order by requested_at desc limit 1"
        )
        assert (done["state"], done["result"]) == ("done", "done"), statement
        assert (parse_job_id not in imitation.jobs) == gone


async def test_a_submission_without_an_answer_in_time_may_have_been_carried_out(
    worker: CloudWorker, imitation: Imitation
) -> None:
    changes = {"provider_timeout": 0.3, **imitation.settings}
    settings = worker.settings.model_copy(update=changes)
    imitation.silent = True
    submission = Submission("handle", Document("a.pdf", "application/pdf", PDF), str(uuid4()), "1")
    async with installed()[imitation.name].open(settings) as client:
        with pytest.raises(Unanswered) as raised:
            await client.submit(submission)
    assert raised.value.sent
