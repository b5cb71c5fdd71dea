"""What runs at the provider for nobody is cancelled or deleted there, whatever dies in between."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from fakes.llamacloud.faults import Faults
from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from support.cloud_worker import PDF, CloudWorker

UNANSWERED = Faults(http_5xx=1.0, operations=("cancel", "delete"))


def state(worker: CloudWorker) -> list[tuple[str, str, str | None]]:
    rows = worker.query(
        "select kind, state, coalesce(result, last_error) as said"
        " from upload_pipeline.provider_request_log order by requested_at, parse_job_id"
    )
    return [(row["kind"], row["state"], row["said"]) for row in rows]


def erase(worker: CloudWorker, job_id: UUID) -> None:
    worker.query("select upload_pipeline.erase_document(%s)", worker.job(job_id)["document_id"])


async def test_a_cancelled_job_is_cancelled_at_the_provider(worker: CloudWorker) -> None:
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    worker.query("select upload_pipeline.cancel_job(%s)", job_id)
    await worker.do("requests")
    [parse_job] = worker.jobs_there(job_id)
    assert parse_job.status == "CANCELLED"
    assert state(worker) == [("cancel", "done", "done")]
    worker.cloud.jobs.release()


async def test_there_is_nothing_to_cancel_where_the_job_has_ended_or_is_unknown(
    worker: CloudWorker,
) -> None:
    for content in (PDF, PDF + b"2"):
        job_id = await worker.submitted(content)
        worker.query("select upload_pipeline.cancel_job(%s)", job_id)
    await worker.cloud.settle()
    worker.cloud.jobs.jobs.popitem()
    await worker.do("requests")
    assert state(worker) == [("cancel", "done", "ended"), ("cancel", "done", "unknown")]


@pytest.mark.parametrize("running", [False, True], ids=["ended", "running"])
async def test_an_erased_document_leaves_no_job_and_no_file_at_the_provider(
    worker: CloudWorker, running: bool
) -> None:
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    await worker.submitted(PDF + b" of another document")
    if not running:
        worker.cloud.jobs.release()
        await worker.cloud.settle()
    erase(worker, job_id)
    await worker.do("requests")
    assert state(worker) == [("delete", "done", "done")]
    assert worker.jobs_there(job_id) == []
    assert (len(worker.cloud.jobs.jobs), len(worker.cloud.jobs.files)) == (1, 1)
    worker.cloud.jobs.release()


async def test_a_provider_that_is_away_hears_of_it_later(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    erase(worker, job_id)
    worker.cloud.faults = UNANSWERED
    for _ in range(3):
        await worker.do("requests")
        worker.later(minutes=6)
    assert state(worker) == [("delete", "waiting", "provider_unanswered")]
    worker.cloud.faults = Faults()
    await worker.do("requests")
    assert state(worker) == [("delete", "done", "done")]
    assert worker.cloud.jobs.jobs == {} == worker.cloud.jobs.files


async def test_a_refusal_waits_for_a_person_and_is_an_alert(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await worker.submitted(b"%STUCK")
    monkeypatch.setattr(worker.cloud.jobs, "cancel", lambda _: False)
    erase(worker, job_id)
    for tries in range(5):
        # A job that is being stopped refuses for a moment.
        assert state(worker) == [("delete", "waiting", "provider_refused" if tries else None)]
        await worker.do("requests")
        worker.later(hours=1)
    assert state(worker) == [("delete", "refused", "provider_refused")]
    [alert] = worker.query("select subject, count from upload_pipeline.alerts")
    assert alert == {"subject": "llamacloud", "count": 1}
    monkeypatch.undo()
    worker.query("select upload_pipeline.settle_provider_requests('llamacloud')")
    await worker.do("requests")
    assert state(worker) == [("delete", "done", "done")]
    assert worker.query("select from upload_pipeline.alerts") == []


class Dead(Exception):
    """The worker dies here."""


@pytest.mark.parametrize("what", ["cancel", "erase"])
@pytest.mark.parametrize("dies", [False, True], ids=["recorded", "found"])
async def test_a_submission_under_way_is_taken_back(
    worker: CloudWorker, what: str, dies: bool
) -> None:
    """Recorded by its worker; or found at the provider, after that worker has died."""
    worker.cloud.jobs.hold()
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")

    class Overtaken(Engine):
        async def record_submission(self, *arguments: Any) -> Receipt:
            if what == "cancel":
                worker.query("select upload_pipeline.cancel_job(%s)", job_id)
            else:
                erase(worker, job_id)
            if dies:
                raise Dead
            return await super().record_submission(*arguments)

    if dies:
        with pytest.raises(Dead):
            await worker.handle(job, Overtaken(worker.pool))
        worker.later(minutes=11)
        await worker.do("billing")
    else:
        await worker.handle(job, Overtaken(worker.pool))
    assert state(worker) == [("cancel" if what == "cancel" else "delete", "waiting", None)]
    await worker.do("requests")
    statuses = [parse_job.status for parse_job in worker.jobs_there(job_id)]
    assert statuses == (["CANCELLED"] if what == "cancel" else [])
    assert worker.query("select from upload_pipeline.webhook_deliveries") == []
    worker.cloud.jobs.release()


async def test_a_worker_that_dies_while_it_sends_a_request_is_replaced(
    worker: CloudWorker,
) -> None:
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    worker.query("select upload_pipeline.cancel_job(%s)", job_id)
    assert len(await worker.engine.claim_provider_requests("llamacloud", 10)) == 1
    await worker.do("requests")
    assert state(worker) == [("cancel", "waiting", None)]
    worker.later(minutes=5)
    await worker.do("requests")
    assert state(worker) == [("cancel", "done", "done")]
    worker.cloud.jobs.release()
