"""The login roles of the README, directly and through a pooler in transaction mode.

As on hosted Supabase: the role that installs and makes the logins is no superuser, and no session
state survives a transaction at the pooler, here PgBouncer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from hookline.postgres.migrations import migrate
from hookline.postgres.session import session_name
from hookline.settings import load
from support.hosted import hosted_server
from support.pooler import PGBOUNCER, Pooler, running_pooler
from support.sender import Job, Sender, Start, envelope_of, event_of
from support.servers import MAJORS, Server

SERVER_CONNECTIONS = 2

# The login roles that the README tells to make, with a password each.
LOGINS = {"receiver": "hookline_ingest", "worker": "hookline_worker"}

RECORD_SUBMISSION = (
    "select outcome from upload_pipeline.record_submission("
    "job_id => %(job_id)s, attempt => 1, parse_job_id => %(parse_job_id)s)"
)
CREATE_JOB = (
    "select outcome from upload_pipeline.create_job(owner_id => %(job_id)s,"
    " filename => 'report.pdf', mime => 'application/pdf', bytes_len => 9,"
    " file_sha256 => repeat('a', 64), raw_path => 'storage://raw/report.pdf')"
)
READ = "select status from upload_pipeline.upload_jobs where job_id = %(job_id)s"

Route = Callable[[str], str]


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"pg{major}")
def hosted(request: pytest.FixtureRequest) -> Iterator[Server]:
    with hosted_server(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def database(hosted: Server) -> Iterator[str]:
    """A database installed by the role `hosted`, with LOGINS. The URL is the superuser's."""
    with hosted.create(owner="hosted") as url:
        installer = hosted.url(name_of(url), user="hosted", password="hosted")
        migrate(installer)
        with psycopg.connect(installer, autocommit=True) as connection:
            for name, role in LOGINS.items():
                statement = f"create role {name} login password '{name}' in role {role}"
                connection.execute(statement.encode())
        yield url


@pytest.fixture
def direct(hosted: Server, database: str) -> Route:
    """`direct("worker")`: the URL of this login at Postgres itself."""
    return lambda name: hosted.url(name_of(database), user=name, password=name)


@pytest.fixture
def login(direct: Route) -> Route:
    """The login that `start` uses if a test gives no URL: the receiver's, without the pooler."""
    return {"ingest": direct("receiver")}.__getitem__


@pytest.fixture(scope="module")
def pooler(hosted: Server) -> Iterator[Pooler]:
    """A PgBouncer with two server connections for each login."""
    if PGBOUNCER is None and "CI" not in os.environ:
        pytest.skip("needs the Debian package pgbouncer")
    with running_pooler(hosted.url(), LOGINS, SERVER_CONNECTIONS) as running:
        yield running


@pytest.fixture
def pooled(database: str, pooler: Pooler) -> Route:
    """`pooled("worker")`: the URL of this login at the pooler."""
    return lambda name: pooler.url(name, name_of(database))


@pytest.fixture(params=["direct", "pooled"])
def route(request: pytest.FixtureRequest) -> Route:
    """Directly, then through the pooler."""
    found: Route = request.getfixturevalue(request.param)
    return found


def name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def call(url: str, statement: str, job: Job) -> str:
    """What a login gets: the first value, or the SQLSTATE of the refusal."""
    values = {"job_id": job.job_id, "parse_job_id": f"p-{job.job_id}"}
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        try:
            row = connection.execute(statement.encode(), values).fetchone()
        except errors.InsufficientPrivilege as error:
            return str(error.sqlstate)
    assert row is not None
    return str(row[0])


def parsed(sender: Sender, job: Job) -> int:
    """How often the job became parsed."""
    return [event["code"] for event in sender.events(job)].count("parse_completed")


async def test_the_workers_login_submits_and_the_receivers_login_takes_the_reports(
    start: Start, route: Route
) -> None:
    async with start(database_url=route("receiver"), prepare_threshold=None) as sender:
        for _ in range(8):
            job = sender.new_job()
            assert call(route("worker"), RECORD_SUBMISSION, job) == "applied"
            status, answer = await sender.send_event(event_of(f"p-{job.job_id}"))
            assert (status, answer["outcome"]) == (200, "applied")
            envelope = envelope_of(job, parse_job_id=f"p-{job.job_id}")
            status, answer = await sender.send_envelope(envelope)
            assert (status, answer["outcome"]) == (200, "applied")
            assert parsed(sender, job) == 1
        async with sender.http.get(sender.url + "/readyz") as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        pytest.param("receiver", RECORD_SUBMISSION, id="receiver-submits"),
        pytest.param("receiver", CREATE_JOB, id="receiver-creates"),
        pytest.param("receiver", READ, id="receiver-reads"),
        pytest.param("worker", CREATE_JOB, id="worker-creates"),
        pytest.param("worker", READ, id="worker-reads"),
    ],
)
async def test_no_login_may_do_the_work_of_another(
    start: Start, route: Route, name: str, statement: str
) -> None:
    async with start() as sender:
        assert call(route(name), statement, sender.new_job()) == "42501"


async def test_twenty_webhooks_at_once_are_each_applied_once_over_two_connections(
    start: Start, direct: Route, pooled: Route
) -> None:
    async with start(database_url=pooled("receiver"), prepare_threshold=None) as sender:
        jobs = [sender.submitted(f"p-{uuid4()}") for _ in range(10)]
        bodies = [envelope_of(job, content=f"# Report of {job.job_id}\n") for job in jobs]
        answers = await asyncio.gather(*(sender.send_envelope(body) for body in bodies * 2))
        assert [status for status, _ in answers] == [200] * 20
        assert {answer["outcome"] for _, answer in answers} <= {"applied", "duplicate"}
        assert [parsed(sender, job) for job in jobs] == [1] * 10
        # A call that fails leaves no session state behind either.
        assert (await sender.send_envelope(envelope_of(Job(uuid4(), uuid4()))))[0] == 404

        servers, settings = sessions(pooled("receiver"), SERVER_CONNECTIONS)
        connected = sender.query("select pid from pg_stat_activity where usename = 'receiver'")
        assert servers == {row["pid"] for row in connected}
    _, fresh = sessions(direct("receiver"), 1)
    assert settings == fresh


def test_a_worker_behind_pgbouncer_is_shown_by_the_connection_that_served_it_last(
    pooled: Route, database: str
) -> None:
    name = session_name("worker", "host-7", datetime.now(UTC))
    shown = "select worker from upload_pipeline.workers where worker like 'host-_'"
    with (
        psycopg.connect(pooled("worker"), fallback_application_name=name) as one,
        psycopg.connect(database, autocommit=True) as reader,
    ):
        one.execute("select 1")
        assert reader.execute(shown).fetchall() == [("host-7",)]


@pytest.mark.parametrize(
    "setting", ["default_transaction_isolation = 'serializable'", "DateStyle = 'German, DMY'"]
)
async def test_defaults_of_a_login_do_not_matter_behind_a_pooler_either(
    start: Start, pooled: Route, hosted: Server, setting: str
) -> None:
    hosted.execute(f"alter role receiver set {setting}")
    try:
        # The pooler's server connections were made before.
        hosted.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'receiver'"
        )
        async with start(database_url=pooled("receiver"), prepare_threshold=None) as sender:
            jobs = [sender.submitted(f"p-{uuid4()}") for _ in range(10)]
            bodies = [envelope_of(job, content=f"# Report of {job.job_id}\n") for job in jobs]
            answers = await asyncio.gather(*(sender.send_envelope(body) for body in bodies * 2))
            assert [status for status, _ in answers] == [200] * 20
            assert [parsed(sender, job) for job in jobs] == [1] * 10
    finally:
        hosted.execute("alter role receiver reset all")
        hosted.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'receiver'"
        )


def sessions(url: str, number: int) -> tuple[set[int], set[tuple[str, ...]]]:
    """The process ids of so many server connections, and the settings that any of them has."""
    servers, settings = set(), set()
    with ExitStack() as all_at_once:
        for _ in range(number):
            connection = psycopg.connect(url, prepare_threshold=None)
            all_at_once.enter_context(connection)
            # Its transaction stays open, so that the next one gets another server connection.
            row = connection.execute(
                "select pg_backend_pid(), current_setting('lock_timeout'),"
                " current_setting('search_path'), current_setting('role')"
            ).fetchone()
            assert row is not None
            servers.add(row[0])
            settings.add(row[1:])
    return servers, settings


def test_a_login_at_supavisor_is_named_with_its_project(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://receiver.abcdefghijklmnopqrst:p%40ss@pooler.example.com:6543/postgres"
    monkeypatch.setenv("DATABASE_URL", url)
    assert conninfo_to_dict(load(None).require_database()) == {
        "user": "receiver.abcdefghijklmnopqrst",
        "password": "p@ss",
        "host": "pooler.example.com",
        "port": "6543",
        "dbname": "postgres",
    }
