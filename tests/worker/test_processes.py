"""`hookline work` as a process: the user's own stage, signals, kill -9, a restart of Postgres."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psycopg

from hookline.stages import Job, Stage, Tools
from hookline.standalone.embedded import ThrowawayPostgres
from support.servers import Server
from support.waiting import until
from support.workplace import DOCUMENT, Workplace

# All that a user has to write.
USERS_STAGE = """
from pathlib import Path
from hookline import Job, Tools, stage

@stage("parsed")
async def index(job: Job, tools: Tools) -> str:
    text = await tools.markdown(job)
    Path("index.txt").write_text(text.upper())
    return "job_completed"
"""

SLEEPS = """
import asyncio
from hookline import stage

@stage("parsed")
async def sleep(job, tools):
    await asyncio.sleep(3600)
"""


async def test_a_stage_of_ten_lines_moves_a_job_and_the_log_holds_nothing_of_its_document(
    workplace: Workplace,
) -> None:
    job_id = workplace.parsed_job()
    async with workplace.spawned(USERS_STAGE, ["--concurrency", "parsed=2"]) as worker:
        await until(lambda: workplace.status(job_id) == "complete")
        await until(lambda: bool(worker.lines("job")))
        (line,) = worker.lines("job")
        assert worker.lines("working")[0]["stages"] == {"parsed": 2}
        worker.process.terminate()
        assert await worker.process.wait() == 0
    assert (line["job_id"], line["result"], line["to"]) == (str(job_id), "advanced", "complete")
    assert (workplace.directory / "index.txt").read_text() == DOCUMENT.upper()
    assert "secret of the document" not in worker.printed.lower()
    token = workplace.worker_url.split(":")[2].partition("@")[0]
    assert f":{token}@" not in worker.printed


async def test_a_terminated_worker_releases_its_lease_at_once(workplace: Workplace) -> None:
    job_id = workplace.parsed_job()
    before = workplace.job(job_id)
    async with workplace.spawned(SLEEPS, HOOKLINE_STOP_TIMEOUT="0.2") as worker:
        await until(lambda: workplace.job(job_id)["lease_token"] is not None)
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.process.wait() == 0
    assert workplace.job(job_id) == before
    assert worker.lines("job")[0]["result"] == "released"


async def test_the_job_of_a_killed_worker_is_done_by_another_after_its_lease(
    workplace: Workplace,
) -> None:
    workplace.retry_at_once()
    job_id = workplace.parsed_job()
    async with workplace.spawned(SLEEPS, HOOKLINE_LEASE="1") as worker:
        await until(lambda: workplace.job(job_id)["lease_token"] is not None)
        worker.process.kill()
        await worker.process.wait()
    assert workplace.job(job_id)["lease_token"] is not None

    async def complete(job: Job, tools: Tools) -> str:
        return "job_completed"

    async with workplace.working(Stage("parsed", complete)):
        await until(lambda: workplace.status(job_id) == "complete")
    assert workplace.codes(job_id)[-2:] == ["lease_expired", "job_completed"]


async def test_a_stage_for_an_unknown_status_ends_the_worker_with_a_sentence(
    workplace: Workplace,
) -> None:
    async with workplace.spawned(SLEEPS.replace('"parsed"', '"prased"')) as worker:
        assert await worker.process.wait() == 2
    assert "hookline: There is no stage for the status prased" in worker.printed
    assert "Traceback" not in worker.printed


async def test_two_handlers_for_a_status_or_a_failing_import_end_the_worker_with_a_sentence(
    workplace: Workplace,
) -> None:
    async with (
        workplace.spawned(SLEEPS + SLEEPS) as twice,
        workplace.spawned(SLEEPS + "\nimport no_such_module") as broken,
    ):
        assert await twice.process.wait() == await broken.process.wait() == 2
    assert "Two handlers for the status parsed" in twice.printed
    assert "No module named 'no_such_module'" in broken.printed
    assert "Traceback" not in twice.printed + broken.printed


async def test_a_restart_of_postgres_loses_no_result_and_no_job(
    postgres18: Server, tmp_path: Path
) -> None:
    go_on = asyncio.Event()
    tries: list[int] = []

    async def complete(job: Job, tools: Tools) -> str:
        tries.append(job.version)
        await go_on.wait()
        return "job_completed"

    with ThrowawayPostgres(options={"fsync": "off"}) as postgres:
        postgres18.install(url := postgres.start())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create role w login password 'w' in role hookline_worker")
        workplace = Workplace(url, f"postgresql://w:w@{url.rpartition('@')[2]}", tmp_path)
        first = workplace.parsed_job()
        async with workplace.working(Stage("parsed", complete)):
            await until(lambda: bool(tries))
            workplace.close()
            await asyncio.to_thread(postgres.kill)
            # Its result waits for Postgres, and so does the next claim.
            go_on.set()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(postgres.start)
            await until(lambda: workplace.status(first) == "complete")
            second = workplace.parsed_job()
            await until(lambda: workplace.status(second) == "complete")
        assert len(tries) == 2
        assert workplace.query("select * from upload_pipeline.check_integrity()") == []
        workplace.close()
