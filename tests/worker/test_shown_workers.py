"""The view workers shows which processes run, under the names of their leases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from hookline.postgres.session import session_name
from hookline.stages import Job, Stage, Tools
from hookline.version import __version__
from support.servers import Server
from support.waiting import until
from support.workplace import Workplace

NAMES = (
    *("host-1", "x" * 24, "x" * 25, "hookline-worker-7d9f8b6c5d-x2x4k-7", "n" * 200),
    *("with blanks", "höst-7", "\N{PARTY POPPER}" * 200, "a'b\\c%s", "1a2b3c4d~end"),
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_a_running_worker_and_what_it_holds_are_shown_to_a_reader(
    workplace: Workplace, postgres18: Server, shared_database: str
) -> None:
    go_on = asyncio.Event()

    async def work(job: Job, tools: Tools) -> str:
        await go_on.wait()
        return "job_completed"

    def shown(url: str) -> list[tuple[object, ...]]:
        with psycopg.connect(url) as connection:
            return connection.execute(
                "select version, connections > 0, leased, statuses, first_lease_ends > now(),"
                " now() - since < interval '1 minute'"
                " from upload_pipeline.workers where worker = 'höst of tests' or leased = 0"
            ).fetchall()

    reader = postgres18.login(shared_database, "reader")
    async with workplace.working(Stage("parsed", work), worker_name="höst of tests"):
        assert await asyncio.to_thread(shown, reader) == [(__version__, True, 0, {}, None, True)]
        job_id = workplace.parsed_job()
        await until(lambda: workplace.job(job_id)["lease_token"] is not None)
        assert await asyncio.to_thread(shown, reader) == [
            (__version__, True, 1, {"parsed": 1}, True, True)
        ]
        go_on.set()
    await until(lambda: shown(reader) == [])


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_was_shortened_is_still_that_of_its_leases(
    workplace: Workplace, name: str
) -> None:
    job_id = workplace.uploaded_job()
    workplace.query("select from upload_pipeline.claim_jobs('uploaded', %s)", name)
    assert workplace.job(job_id)["leased_by"] == name
    called = session_name("worker", name, NOON)
    assert len(called.encode()) <= 63
    with psycopg.connect(workplace.worker_url, fallback_application_name=called):
        found = workplace.query("select * from upload_pipeline.workers where role = 'worker'")
    assert [(one["worker"], one["connections"], one["since"]) for one in found] == [(name, 1, NOON)]


@pytest.mark.parametrize("role", ["worker", "receiver", "dashboard"])
def test_a_session_that_may_not_work_is_no_worker(
    workplace: Workplace, postgres18: Server, shared_database: str, role: str
) -> None:
    """Anybody may give a session any name."""
    needed = {"worker": "worker", "receiver": "ingest", "dashboard": "reader"}[role]
    called = f"hookline-{role} 1.2.3 1767268800 invented"
    found = {}
    for login in ("worker", "ingest", "operator", "reader"):
        url = postgres18.login(shared_database, login)
        with psycopg.connect(url, application_name=called):
            rows = workplace.query(
                "select role from upload_pipeline.workers where worker = 'invented'"
            )
        found[login] = len(rows)
    assert found[needed] == 1
    assert {login for login, rows in found.items() if rows} == {
        "worker": {"worker"},
        "receiver": {"ingest", "worker"},
        "dashboard": {"reader", "operator"},
    }[role]
