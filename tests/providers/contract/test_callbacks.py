"""What holds for every provider that calls back, whatever becomes of its callbacks."""

from __future__ import annotations

from uuid import UUID

import pytest

from fakes.docling_serve import DoclingServe
from fakes.imitation import name_of
from fakes.llamacloud.planned import LlamaCloudProvider
from fakes.reducto import Reducto
from support.called_worker import CalledWorker
from support.cloud_worker import GRACE

pytestmark = pytest.mark.parametrize(
    "imitation", [DoclingServe, LlamaCloudProvider, Reducto], ids=name_of, indirect=True
)

PARSED = ["parse_submitted", "parse_ready", "parse_completed"]


async def submitted(called: CalledWorker) -> tuple[UUID, str]:
    """A job that was submitted, and the id that the provider gave it."""
    job_id = await called.worker.submitted()
    [parse_job_id] = called.imitation.jobs
    return job_id, parse_job_id


async def test_a_callback_moves_its_job_at_once(called: CalledWorker) -> None:
    job_id, parse_job_id = await submitted(called)
    await called.imitation.end()
    status, answer = await called.call_back(parse_job_id)
    assert (status, answer["outcome"]) == (200, "applied")
    assert called.worker.status(job_id) == "parse_ready"
    await called.worker.work("parse_ready")
    assert await called.worker.stored(job_id) == "# Text"
    assert called.worker.codes(job_id) == PARSED


async def test_a_lost_callback_is_made_up_for_by_asking(called: CalledWorker) -> None:
    job_id, _ = await submitted(called)
    await called.imitation.end()
    await called.worker.ask()
    await called.worker.work("parse_ready")
    assert called.worker.codes(job_id) == PARSED


async def test_a_late_callback_changes_nothing(called: CalledWorker) -> None:
    job_id, parse_job_id = await submitted(called)
    await called.imitation.end()
    await called.worker.ask()
    await called.worker.work("parse_ready")
    status, answer = await called.call_back(parse_job_id)
    assert (status, answer["outcome"]) == (200, "stale")
    assert called.worker.codes(job_id) == PARSED


async def test_a_duplicated_callback_counts_once(called: CalledWorker) -> None:
    job_id, parse_job_id = await submitted(called)
    await called.imitation.end()
    webhook = called.imitation.webhook(parse_job_id)
    assert (await called.send(webhook))[1]["outcome"] == "applied"
    status, answer = await called.send(webhook)
    assert (status, answer["outcome"]) == (200, "duplicate")
    # A repetition with an id of its own, where the provider makes one.
    assert (await called.call_back(parse_job_id))[0] == 200
    assert called.worker.codes(job_id) == PARSED[:2]


async def test_a_forged_callback_is_refused_and_changes_nothing(called: CalledWorker) -> None:
    job_id, parse_job_id = await submitted(called)
    await called.imitation.end()
    assert (await called.call_back(parse_job_id, genuine=False))[0] == 401
    genuine = called.imitation.webhook(parse_job_id)
    genuine.headers.clear()
    assert (await called.send(genuine))[0] == 401
    assert called.worker.status(job_id) == "parse_queued"
    assert called.sender.deliveries() == []


async def test_a_callback_that_overtakes_the_answer_to_the_submission_is_not_lost(
    called: CalledWorker,
) -> None:
    async def overtake(parse_job_id: str) -> None:
        await called.imitation.end()
        assert (await called.call_back(parse_job_id))[0] == 200

    called.imitation.created = overtake
    job_id = await called.worker.upload()
    await called.worker.work("uploaded")
    assert called.worker.status(job_id) == "parse_ready"
    await called.worker.work("parse_ready")
    assert await called.worker.stored(job_id) == "# Text"
    assert len(called.imitation.jobs) == 1


async def test_a_submission_whose_answer_was_lost_is_found_or_repeated(
    called: CalledWorker,
) -> None:
    called.imitation.fail("create", "after")
    job_id = await called.worker.upload()
    await called.worker.work("uploaded")
    assert called.worker.last_error(job_id) == "submission_unanswered"
    await called.imitation.end()
    [parse_job_id] = called.imitation.jobs
    assert (await called.call_back(parse_job_id))[0] == 200
    called.worker.later(seconds=GRACE + 1)
    await called.worker.work("uploaded")
    if not called.imitation.finds:
        # Its body is not proven, so the task is nobody's, and the file is sent once more.
        await called.imitation.end()
        await called.worker.ask()
    await called.worker.work("parse_ready")
    assert await called.worker.stored(job_id) == "# Text"
    assert len(called.imitation.jobs) == (1 if called.imitation.finds else 2)


async def test_a_failure_that_a_callback_tells_of_ends_the_job_with_the_reason_of_the_provider(
    called: CalledWorker,
) -> None:
    job_id, parse_job_id = await submitted(called)
    code = await called.imitation.end_badly("It is a photograph of a cat.")
    assert (await called.call_back(parse_job_id))[1]["outcome"] == "applied"
    await called.worker.work("parse_ready")
    error = called.worker.job(job_id)["last_error"]
    assert error["error"].endswith("It is a photograph of a cat.")
    assert error["code"] == code
    assert called.worker.status(job_id) == "failed_parse"
