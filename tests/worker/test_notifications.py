"""The application is told of each announced step: signed, in order, at least once."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from aiohttp import web
from standardwebhooks import Webhook

from hookline.postgres.engine import Engine
from hookline.receiver.run import receiving
from hookline.stages import Advance, HandedOver, Job, Stage, Tools
from hookline.worker.announcing.endpoint import pause_of
from hookline.worker.run import Worker
from support.application import SECRET, Application, application
from support.servers import Server
from support.waiting import until
from support.workplace import NEVER, Workplace

OLD_SECRET = "whsec_" + base64.b64encode(b"the-key-before-it-000000000000000").decode()
DUE = "update upload_pipeline.notifications set run_after = now() where run_after is not null"
STATES = """
select state, tries, error from upload_pipeline.notification_log where job_id = %s order by version
"""


async def _complete(job: Job, tools: Tools) -> Advance | HandedOver | str:
    return "job_completed"


@pytest.fixture(autouse=True)
def announcements_end(workplace: Workplace) -> Iterator[None]:
    yield
    # Also those that a worker was sending when it ended.
    workplace.query("delete from upload_pipeline.notifications")
    workplace.query("select upload_pipeline.stop_announcing()")


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with application() as made:
        yield made


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the endpoint fails, the worker goes on at once."""
    for name in ("PAUSE_MIN", "PAUSE_MAX", "PAUSE_MAX_REFUSED"):
        monkeypatch.setattr(f"hookline.worker.announcing.announcer.{name}", 0.01)


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first claim, a worker finds a notification only by a hint."""
    for name in ("POLL_MIN", "POLL_MAX_WITH_LISTEN", "POLL_MAX_WITHOUT_LISTEN"):
        monkeypatch.setattr(f"hookline.worker.announcing.announcer.{name}", NEVER)


def announcing(
    workplace: Workplace, app: Application, **changes: Any
) -> AbstractAsyncContextManager[Worker]:
    settings = {
        "notify_url": app.url,
        "notify_secrets": (SECRET,),
        "notify_private": "on",
        **changes,
    }
    return workplace.working(Stage("parsed", _complete), **settings)


def states(workplace: Workplace, job_id: UUID) -> list[tuple[str, int, str | None]]:
    return [(row["state"], row["tries"], row["error"]) for row in workplace.query(STATES, job_id)]


async def test_each_announced_step_is_told_once_and_in_order(
    workplace: Workplace, app: Application
) -> None:
    async with announcing(workplace, app, notify_secrets=(SECRET, OLD_SECRET)):
        jobs = [workplace.parsed_job() for _ in range(20)]
        # A step before the start is not told of; so parse some once it has started.
        await until(lambda: all(workplace.status(job) == "complete" for job in jobs))
        jobs = [workplace.parsed_job() for _ in range(20)]
        await until(lambda: all(states(workplace, job) == [("taken", 0, None)] * 2 for job in jobs))
    assert app.forged == []
    steps = app.steps()
    assert len(steps) == len(set(steps))
    for job in jobs:
        told = [version for job_id, version in steps if job_id == str(job)]
        assert told == sorted(told)
        assert len(told) == 2

    [message] = [one for one in app.messages if one.step == (str(jobs[0]), 3)]
    row = workplace.job(jobs[0])
    [event] = workplace.query(
        "select event_id, ts from upload_pipeline.events where job_id = %s and version = 3", jobs[0]
    )
    assert message.id == str(event["event_id"])
    assert message.headers["content-type"] == "application/json"
    assert message.body == {
        "type": "job.parsed",
        "timestamp": event["ts"].astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "job_id": str(jobs[0]),
            "document_id": str(row["document_id"]),
            "owner_id": str(row["owner_id"]),
            "status": "parsed",
            "version": 3,
            "code": "parse_completed",
            "correlation_id": row["correlation_id"],
            "metadata": {},
        },
    }


async def test_during_a_rotation_each_message_is_proven_by_both_secrets(
    workplace: Workplace, app: Application
) -> None:
    async with announcing(workplace, app, notify_secrets=(SECRET, OLD_SECRET)):
        await until(lambda: announced(workplace))
        app.secret = OLD_SECRET
        job = workplace.parsed_job()
        await until(lambda: states(workplace, job) == [("taken", 0, None)] * 2)
    assert [message.step for message in app.messages] == [(str(job), 3), (str(job), 4)]
    for message in app.messages:
        first, second = message.headers["webhook-signature"].split(" ")
        assert first.startswith("v1,")
        assert second.startswith("v1,")
        body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode()
        for secret in (SECRET, OLD_SECRET):
            Webhook(secret).verify(body, message.headers)


def announced(workplace: Workplace) -> bool:
    return bool(
        workplace.query("select 1 from upload_pipeline.statuses where announced_since is not null")
    )


async def test_metadata_of_the_job_is_in_the_message(
    workplace: Workplace, app: Application
) -> None:
    async with announcing(workplace, app):
        await until(lambda: announced(workplace))
        job = workplace.uploaded_job()
        metadata = json.dumps({"customer": "Ada & Söhne", "n": [1, None]})
        workplace.query(
            "update upload_pipeline.upload_jobs set metadata = %s where job_id = %s", metadata, job
        )
        workplace.parse(job)
        await until(lambda: len(app.messages) == 2)
    assert [message.body["data"]["metadata"] for message in app.messages] == [
        json.loads(metadata)
    ] * 2


async def test_failed_try_is_repeated_with_the_same_id_before_the_next_step_is_told(
    workplace: Workplace, app: Application
) -> None:
    answers = iter([500, 400, 302, 429, 204])
    app.answer = lambda message, request: web.Response(
        status=next(answers, 204), headers={"Location": "/elsewhere", "Retry-After": "120"}
    )
    with structlog.testing.capture_logs() as log:
        async with announcing(workplace, app):
            await until(lambda: announced(workplace))
            job = workplace.parsed_job()
            for tries in range(1, 5):
                await until(lambda: [row[1] for row in states(workplace, job)][:1] == [tries])  # noqa: B023
                assert states(workplace, job)[1:] in ([], [("waiting", 0, None)])
                if tries == 4:
                    [row] = workplace.query(
                        "select run_after - now() as pause from upload_pipeline.notification_log"
                        " where job_id = %s and version = 3",
                        job,
                    )
                    assert timedelta(seconds=60) < row["pause"] <= timedelta(seconds=120)
                workplace.query(DUE)
            await until(
                lambda: states(workplace, job) == [("taken", 4, "answered 429"), ("taken", 0, None)]
            )
    assert [version for _, version in app.steps()] == [3] * 5 + [4]
    assert len({message.id for message in app.messages[:5]}) == 1
    # A redirect is a failure, and is not followed.
    assert app.elsewhere == []
    failed = [line["error"] for line in log if line["event"] == "notification_failed"]
    assert failed == ["answered 500", "answered 400", "answered 302", "answered 429"]


async def test_an_endpoint_that_is_gone_makes_dead_letters_which_can_be_sent_again(
    workplace: Workplace, app: Application
) -> None:
    app.answer = lambda message, request: 410
    async with announcing(workplace, app):
        await until(lambda: announced(workplace))
        job = workplace.parsed_job()
        await until(lambda: states(workplace, job) == [("dead", 1, "answered 410")] * 2)
        app.answer = lambda message, request: 204
        assert workplace.query("select upload_pipeline.retry_notifications() as n")[0]["n"] == 2
        await until(lambda: [row[0] for row in states(workplace, job)] == ["taken"] * 2)
    assert [version for _, version in app.steps()] == [3, 4, 3, 4]


async def test_an_endpoint_that_hangs_delays_no_job_and_no_stop(
    workplace: Workplace, app: Application
) -> None:
    app.open.clear()
    async with announcing(workplace, app, stop_timeout=0.2):
        await until(lambda: announced(workplace))
        jobs = [workplace.parsed_job() for _ in range(40)]
        await until(lambda: all(workplace.status(job) == "complete" for job in jobs))
        await until(lambda: app.most_at_once == 16)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5
    assert app.most_at_once == 16
    # Nobody lost a try by that, and the next worker sends them again.
    assert {row[:2] for job in jobs for row in states(workplace, job)} == {
        ("sending", 0),
        ("waiting", 0),
    }


async def test_a_stop_waits_for_the_answers_that_are_under_way(
    workplace: Workplace, app: Application
) -> None:
    app.open.clear()
    async with announcing(workplace, app):
        await until(lambda: announced(workplace))
        job = workplace.parsed_job()
        await until(lambda: len(app.messages) == 1)
        app.answer = lambda message, request: 204
        app.open.set()
    assert states(workplace, job)[0] == ("taken", 0, None)


async def test_an_endpoint_that_is_away_costs_one_try_at_a_time(
    workplace: Workplace, app: Application, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.worker.announcing.announcer.PAUSE_MIN", NEVER)
    monkeypatch.setattr("hookline.worker.announcing.announcer.PAUSE_MAX", NEVER)
    app.url = f"http://127.0.0.1:{unused_tcp_port}/hooks"
    workplace.query("select upload_pipeline.start_announcing()")
    jobs = [workplace.parsed_job() for _ in range(40)]
    async with announcing(workplace, app, stop_timeout=0.2):
        tried = "select count(*) as n from upload_pipeline.notifications where tries > 0"
        await until(lambda: workplace.one(tried)["n"] == 16)
        await until(lambda: all(workplace.status(job) == "complete" for job in jobs))
    # Those that were under way together; then it waits.
    assert workplace.one(tried)["n"] == 16
    errors = {row["error"] for row in workplace.query("select error from"
              " upload_pipeline.notification_log where tries > 0")}  # fmt: skip
    assert errors == {"no connection: Connection refused"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_endpoint_that_refuses_every_message_is_asked_with_one_at_a_time(
    workplace: Workplace, app: Application, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("hookline.worker.announcing.announcer.PAUSE_MIN", NEVER)
    monkeypatch.setattr("hookline.worker.announcing.announcer.PAUSE_MAX_REFUSED", NEVER)
    app.answer = lambda message, request: status
    workplace.query("select upload_pipeline.start_announcing()")
    for _ in range(100):
        workplace.parsed_job()
    with structlog.testing.capture_logs() as log:
        async with announcing(workplace, app, stop_timeout=0.2):
            await until(lambda: any(line["event"] == "endpoint_fails" for line in log))
    # Those that were under way together while it was found out. Then it waits.
    assert 16 <= len(app.messages) <= 32
    [failing] = [line for line in log if line["event"] == "endpoint_fails"]
    assert failing["error"] == f"answered {status}"


async def test_an_endpoint_that_takes_a_message_after_many_refusals_is_told_at_full_speed(
    workplace: Workplace, app: Application
) -> None:
    app.answer = lambda message, request: 401
    workplace.query("select upload_pipeline.start_announcing()")
    jobs = [workplace.parsed_job() for _ in range(40)]
    with structlog.testing.capture_logs() as log:
        async with announcing(workplace, app):
            await until(lambda: any(line["event"] == "endpoint_fails" for line in log))
            app.answer = lambda message, request: 204
            workplace.query("select upload_pipeline.retry_notifications()")
            await until(lambda: any(line["event"] == "endpoint_works" for line in log))
            workplace.query("select upload_pipeline.retry_notifications()")
            await until(lambda: all(states(workplace, job)[0][0] == "taken" for job in jobs))


async def test_refused_messages_of_one_job_hold_up_no_others(
    workplace: Workplace, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.worker.announcing.announcer.PAUSE_MIN", NEVER)
    monkeypatch.setattr("hookline.worker.announcing.announcer.PAUSE_MAX", NEVER)
    workplace.query("select upload_pipeline.start_announcing()")
    refused = [workplace.parsed_job() for _ in range(10)]
    statuses = itertools.cycle([400, 302, 410, 422])
    theirs = {str(job) for job in refused}
    app.answer = lambda message, request: (
        next(statuses) if message.body["data"]["job_id"] in theirs else 204
    )
    async with announcing(workplace, app):
        await until(
            lambda: (
                all(states(workplace, job)[0][0] in ("waiting", "dead") for job in refused)
                and all(states(workplace, job)[0][1] == 1 for job in refused)
            )
        )
        job = workplace.parsed_job()
        await until(lambda: states(workplace, job) == [("taken", 0, None)] * 2)


async def test_an_error_that_nobody_foresaw_ends_no_worker(
    workplace: Workplace, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.process.tasks.RUN_AGAIN_AFTER", 0.01)
    raised = []
    for name in ("start_announcing", "claim_jobs", "claim_notifications"):
        works = getattr(Engine, name)

        async def fails_once(
            *given: Any, works: Any = works, name: str = name, **options: Any
        ) -> Any:
            if name not in raised:
                raised.append(name)
                raise ValueError("Exceeds the limit (4300 digits) for integer string conversion")
            return await works(*given, **options)

        monkeypatch.setattr(Engine, name, fails_once)
    async with announcing(workplace, app):
        await until(lambda: announced(workplace))
        job = workplace.parsed_job()
        await until(lambda: states(workplace, job) == [("taken", 0, None)] * 2)
    assert len(raised) == 3


async def test_a_name_that_leads_into_a_local_network_is_not_reached(
    workplace: Workplace, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(app.url.partition("127.0.0.1:")[2].partition("/")[0])
    asked = socket.getaddrinfo

    def answered(host: Any, *more: Any, **options: Any) -> Any:
        return asked("127.0.0.1" if host == "app.example.com" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    url = f"https://app.example.com:{port}/hooks"
    async with announcing(workplace, app, notify_url=url, notify_private="off"):
        await until(lambda: announced(workplace))
        job = workplace.parsed_job()
        refused = "its address is in a local network, or HOOKLINE_NOTIFY_PRIVATE is wrong"
        await until(lambda: states(workplace, job)[:1] == [("waiting", 1, refused)])
    assert app.messages == []


async def test_a_notification_of_a_worker_that_died_is_sent_again(
    workplace: Workplace, app: Application
) -> None:
    app.open.clear()
    workplace.query("select upload_pipeline.start_announcing()")
    job = workplace.parsed_job()
    code = (
        "from hookline import stage\n\n@stage('parsed')\nasync def complete(job, tools):\n"
        "    return 'job_completed'\n"
    )
    variables = {
        "HOOKLINE_NOTIFY_URL": app.url,
        "HOOKLINE_NOTIFY_SECRETS": SECRET,
        "HOOKLINE_NOTIFY_PRIVATE": "on",
        "HOOKLINE_PARSER": "none",
    }
    async with workplace.spawned(code, **variables):
        await until(lambda: len(app.messages) == 1)
    # It was killed. Its lease ends.
    assert states(workplace, job)[0] == ("sending", 0, None)
    app.open.set()
    workplace.query(DUE)
    async with announcing(workplace, app):
        await until(lambda: states(workplace, job) == [("taken", 0, None)] * 2)
    assert [version for _, version in app.steps()] == [3, 3, 4]
    assert app.messages[0].id == app.messages[1].id


@pytest.mark.usefixtures("no_polling")
async def test_a_cancelled_job_is_told_at_once(workplace: Workplace, app: Application) -> None:
    job = workplace.uploaded_job()
    async with announcing(workplace, app):
        await until(lambda: announced(workplace))
        listeners = (
            "select 1 from pg_stat_activity where query = 'listen hookline' and state = 'idle'"
            " and datname = current_database()"
        )
        await until(lambda: bool(workplace.query(listeners)))
        workplace.query("select upload_pipeline.cancel_job(%s)", job)
        await until(lambda: states(workplace, job) == [("taken", 0, None)])
    assert [message.body["type"] for message in app.messages] == ["job.cancelled"]


@pytest.mark.usefixtures("no_polling")
async def test_the_next_step_is_told_as_soon_as_the_one_before_is_taken(
    workplace: Workplace, app: Application
) -> None:
    workplace.query("select upload_pipeline.start_announcing()")
    job = workplace.parsed_job()
    workplace.query("select upload_pipeline.cancel_job(%s)", job)
    async with announcing(workplace, app, prepare_threshold=None):
        await until(lambda: states(workplace, job) == [("taken", 0, None)] * 2)


SOURCES = """
[upstream]
signature_header = "webhook-signature"
signature_prefix = "v1,"
signed = "{id}.{timestamp}.{body}"
encoding = "base64"
id_header = "webhook-id"
timestamp_header = "webhook-timestamp"
secret_form = "whsec"
status = "/type"
parse_job_id = "/data/job_id"
codes = { "job.parsed" = "parse_ready", "job.failed_parse" = "parse_failed" }
"""


async def test_another_hookline_takes_the_notifications(
    workplace: Workplace,
    postgres18: Server,
    shared_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = tmp_path / "sources.toml"
    described.write_text(SOURCES)
    monkeypatch.setenv("HOOKLINE_UPSTREAM_SECRETS", OLD_SECRET)
    settings = workplace.settings(
        database_url=postgres18.login(shared_database, "ingest"), sources=str(described), port=0
    )
    async with receiving(settings) as receiver:
        target = Application()
        target.url = f"{receiver.url}/webhooks/upstream"
        async with announcing(workplace, target, notify_secrets=(SECRET, OLD_SECRET)):
            await until(lambda: announced(workplace))
            job = workplace.parsed_job()
            await until(lambda: states(workplace, job) == [("taken", 0, None)] * 2)
    deliveries = workplace.query(
        "select delivery_id, event_type, parse_job_id from upload_pipeline.delivery_log"
        " where source = 'upstream' order by first_seen"
    )
    events = workplace.query(
        "select event_id from upload_pipeline.notification_log where job_id = %s order by version",
        job,
    )
    assert deliveries == [
        {"delivery_id": str(events[0]["event_id"]), "event_type": "job.parsed",
         "parse_job_id": str(job)},
        {"delivery_id": str(events[1]["event_id"]), "event_type": "job.complete",
         "parse_job_id": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("0", 0),
        ("99999999999999999999", 86400),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", 86400),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    pause = pause_of(value, datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert (None if pause is None else pause.total_seconds()) == seconds


async def test_the_end_of_a_closed_group_is_told_once(
    workplace: Workplace, app: Application
) -> None:
    group, owner = uuid4(), uuid4()

    def make(name: str) -> UUID:
        [row] = workplace.query(
            "select job_id from upload_pipeline.create_job(owner_id => %s, filename => 'a.pdf',"
            " mime => '', bytes_len => 1, file_sha256 => encode(sha256(%s), 'hex'),"
            " raw_path => 'storage://raw/a.pdf', group_id => %s)",
            owner,
            name.encode(),
            group,
        )
        return UUID(str(row["job_id"]))

    def ended() -> list[Any]:
        return [one for one in app.messages if one.body["type"] == "group.ended"]

    async with announcing(workplace, app):
        await until(lambda: announced(workplace))
        jobs = [make("one"), make("two")]
        workplace.query("select upload_pipeline.cancel_job(%s)", jobs[0])
        workplace.query("select upload_pipeline.close_group(%s)", group)
        await until(lambda: len(app.messages) == 1)
        assert ended() == []
        workplace.query("select upload_pipeline.cancel_job(%s)", jobs[1])
        workplace.query("update upload_pipeline.job_groups set check_after = now()")
        await until(lambda: len(app.messages) == 3)
    async with announcing(workplace, app):
        workplace.query("select upload_pipeline.cancel_job(%s)", workplace.uploaded_job())
        await until(lambda: len(app.messages) == 4)
    assert app.forged == []
    [message] = ended()
    assert message.body["data"] == {
        "group_id": str(group),
        "owner_id": str(owner),
        "total": 2,
        "complete": 0,
        "failed": 0,
        "cancelled": 2,
    }
    [row] = workplace.query(
        "select event_id, state from upload_pipeline.notification_log where group_id = %s", group
    )
    assert (message.id, row["state"]) == (str(row["event_id"]), "taken")
