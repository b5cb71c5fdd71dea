"""A notification wakes an idle worker at once, polling finds the rest, and idling is cheap."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from hookline.receiver.run import receiving
from hookline.stages import Advance, Failed, HandedOver, Job, Stage, Tools
from support.sender import ENVELOPE_SECRET, Sender, envelope_of
from support.sender import Job as Sent
from support.servers import Server
from support.waiting import until
from support.workplace import NEVER, Workplace

Handled = Advance | HandedOver | str


async def _complete(job: Job, tools: Tools) -> Handled:
    return "job_completed"


async def _refuse(job: Job, tools: Tools) -> Handled:
    raise Failed("REFUSED", "No.", permanent=True)


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first poll, a worker finds a job only by a notification."""
    for name in ("POLL_MIN", "POLL_MAX_WITH_LISTEN", "POLL_MAX_WITHOUT_LISTEN"):
        monkeypatch.setattr(f"hookline.worker.claimer.{name}", NEVER)


def _listeners(workplace: Workplace) -> list[int]:
    rows = workplace.query(
        "select pid from pg_stat_activity where application_name = 'hookline-listener'"
        " and datname = current_database() and query = 'listen hookline' and state = 'idle'"
    )
    return [row["pid"] for row in rows]


@pytest.mark.usefixtures("no_polling")
async def test_a_confirmed_upload_wakes_an_idle_worker(workplace: Workplace) -> None:
    job_id = workplace.uploaded_job(confirmed=False)
    async with workplace.working(Stage("uploaded", _refuse)):
        await until(lambda: bool(_listeners(workplace)))
        await asyncio.sleep(0.1)
        workplace.confirm(job_id)
        await until(lambda: workplace.status(job_id) == "failed_parse")


@pytest.mark.usefixtures("no_polling")
async def test_a_retry_wakes_an_idle_worker_after_its_listener_reconnected(
    workplace: Workplace,
) -> None:
    job_id = workplace.uploaded_job()
    async with workplace.working(Stage("uploaded", _refuse)):
        await until(lambda: workplace.status(job_id) == "failed_parse")
        await until(lambda: bool(_listeners(workplace)))
        (lost,) = _listeners(workplace)
        workplace.query("select pg_terminate_backend(%s)", lost)
        await until(lambda: bool(_listeners(workplace)) and lost not in _listeners(workplace))
        await asyncio.sleep(0.1)
        workplace.query("select upload_pipeline.retry_job(%s)", job_id)
        await until(lambda: len(workplace.codes(job_id)) == 5)


@pytest.mark.usefixtures("no_polling")
async def test_an_applied_webhook_wakes_an_idle_worker(
    workplace: Workplace, postgres18: Server, shared_database: str
) -> None:
    settings = workplace.settings(
        database_url=postgres18.login(shared_database, "ingest"),
        llamaparse_secrets=(ENVELOPE_SECRET,),
        port=0,
    )
    job_id = workplace.uploaded_job()
    sent = Sent(job_id, workplace.job(job_id)["document_id"])
    async with (
        workplace.working(Stage("parsed", _complete)),
        receiving(settings) as receiver,
        aiohttp.ClientSession() as http,
    ):
        await until(lambda: bool(_listeners(workplace)))
        await asyncio.sleep(0.1)
        sender = Sender(
            receiver.url, receiver.admin_url, http, workplace.database, workplace.objects
        )
        assert (await sender.send_envelope(envelope_of(sent)))[0] == 200
        await until(lambda: workplace.status(job_id) == "complete")


@pytest.mark.usefixtures("no_polling")
async def test_a_step_wakes_the_next_stage_of_a_worker_without_a_listener(
    workplace: Workplace,
) -> None:
    async def chunk(job: Job, tools: Tools) -> Handled:
        await looked.wait()
        return "chunked"

    looked = asyncio.Event()
    workplace.query(
        "insert into upload_pipeline.statuses (status, has_content, claimable, description)"
        " values ('chunks', true, true, 'A stage of our own.')"
    )
    workplace.query(
        "insert into upload_pipeline.transitions (from_status, to_status, event_type) values"
        " ('parsed', 'chunks', 'stage_done'), ('chunks', 'complete', 'finalized'),"
        " ('chunks', 'cancelled', 'operator')"
    )
    workplace.query(
        "insert into upload_pipeline.event_codes values"
        " ('chunked', 'stage_done', 'info', 'chunks', false, 'It is in pieces.')"
    )
    job_id = workplace.parsed_job()
    stages = Stage("parsed", chunk), Stage("chunks", _complete)
    async with workplace.working(*stages, prepare_threshold=None):
        await asyncio.sleep(0.3)
        looked.set()
        await until(lambda: workplace.status(job_id) == "complete")


async def test_polling_alone_finds_jobs_behind_a_pooler(
    workplace: Workplace,
) -> None:
    async with workplace.working(Stage("parsed", _complete), prepare_threshold=None):
        await asyncio.sleep(0.3)
        job_id = workplace.parsed_job()
        await until(lambda: workplace.status(job_id) == "complete")
        assert _listeners(workplace) == []


async def test_the_poll_interval_of_an_idle_worker_grows(workplace: Workplace) -> None:
    def transactions() -> int:
        return int(
            workplace.one(
                "select xact_commit + xact_rollback as n from pg_stat_database"
                " where datname = current_database()"
            )["n"]
        )

    def idle() -> bool:
        # A backend reports its transactions when it ends, at the latest.
        return not workplace.query(
            "select from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid()"
        )

    await until(idle)
    before = transactions()
    async with workplace.working(Stage("parsed", _complete), Stage("uploaded", _complete)):
        await asyncio.sleep(5)
    queries = 0

    def gone() -> bool:
        nonlocal queries
        queries += 1
        return idle()

    await until(gone)
    asked = transactions() - before - 2 * queries
    # Each connection costs some. Polling every 0.2 s would cost 50 for the two stages.
    assert asked <= 35
