"""Two deliveries arrive at once, or one arrives while a submission or a DBA holds the job."""

from __future__ import annotations

import time

import psycopg
import pytest

from engine.races.arguments import Row, content_delivery, event_delivery
from engine.races.sessions import DEADLINE, World, race, race_refused


def test_submission_applies_the_delivery_that_was_parked_while_it_waited(
    world: World,
) -> None:
    job_id = world.make_job()
    parked, recorded = race(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", parse_job_id="p1")),
        world.session(),
        ("record_submission", {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}),
    )
    assert (parked["outcome"], recorded["outcome"]) == ("parked", "applied")
    assert recorded["status"] == world.status(job_id) == "parse_ready"
    assert world.outcome("d1") == "applied"
    assert world.codes(job_id)[2:] == ["parse_submitted", "parse_ready"]


def test_delivery_that_waited_for_the_submission_finds_its_job(world: World) -> None:
    job_id = world.make_job()
    _, late = race(
        world.session(),
        ("record_submission", {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", parse_job_id="p1")),
    )
    assert (late["outcome"], late["status"]) == ("applied", "parse_ready")
    assert world.outcome("d1") == "applied"


def test_delivery_is_parked_when_the_submission_it_waited_for_rolls_back(world: World) -> None:
    job_id = world.make_job()
    submitting, hook = world.session(), world.session()
    submitting.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    waiting = hook.blocked(
        "receive_event", by=submitting, **event_delivery("d1", "parse_ready", parse_job_id="p1")
    )
    submitting.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "parked"
    hook.commit()
    again = world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    assert again["status"] == "parse_ready"


@pytest.mark.parametrize("named_by", ["job_id", "parse_job_id"])
def test_same_delivery_twice_at_once_counts_once(world: World, named_by: str) -> None:
    job_id = world.make_job()
    world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    name = {"job_id": job_id} if named_by == "job_id" else {"parse_job_id": "p1"}
    delivery = event_delivery("d1", "parse_failed", **name)
    one, two = race(
        world.session(), ("receive_event", delivery), world.session(), ("receive_event", delivery)
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert world.codes(job_id).count("parse_failed") == 1
    assert world.one("select times_seen from upload_pipeline.webhook_deliveries") == 2


def test_same_delivery_twice_at_once_is_applied_by_the_second_if_the_first_rolls_back(
    world: World,
) -> None:
    job_id = world.make_job()
    first, second = world.session(), world.session()
    delivery = event_delivery("d1", "parse_failed", job_id=job_id)
    first.call("receive_event", **delivery)
    waiting = second.blocked("receive_event", by=first, **delivery)
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()
    assert world.codes(job_id).count("parse_failed") == 1


def test_same_delivery_parked_twice_at_once_is_stored_once(world: World) -> None:
    delivery = event_delivery("d1", "parse_ready", parse_job_id="p1")
    one, two = race(
        world.session(), ("receive_event", delivery), world.session(), ("receive_event", delivery)
    )
    assert (one["outcome"], two["outcome"]) == ("parked", "parked")
    assert world.one("select times_seen from upload_pipeline.webhook_deliveries") == 2


def test_same_delivery_id_for_two_jobs_at_once_is_a_conflict(world: World) -> None:
    one, other = world.make_job("a"), world.make_job("b")
    _, state = race_refused(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_failed", job_id=one)),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_failed", job_id=other)),
    )
    assert state == "UP007"
    assert world.status(other) == "uploaded"


def test_two_reports_of_success_at_once_make_one_event(world: World) -> None:
    job_id = world.make_job()
    one, two = race(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", job_id=job_id)),
        world.session(),
        ("receive_event", event_delivery("d2", "parse_ready", job_id=job_id)),
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "stale")
    assert world.codes(job_id).count("parse_ready") == 1


@pytest.mark.parametrize("call", ["receive_event", "receive_content", "finish_content"])
def test_endpoint_waits_two_seconds_at_most_for_an_open_transaction(
    world: World, call: str
) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    dba, endpoint = world.admin(), world.session("ingest")
    dba.conn.execute(
        "update upload_pipeline.upload_jobs set run_after = run_after where job_id = %s", [job_id]
    )
    before = _all_rows(world)
    arguments = {
        "receive_event": event_delivery("d2", "parse_failed", job_id=job_id, parse_job_id="p1"),
        "receive_content": content_delivery("d2", job_id, b"# b", parse_job_id="p1"),
        "finish_content": {"job_id": job_id, "ordinal": 1},
    }
    started = time.monotonic()
    waiting = endpoint.blocked(call, by=dba, **arguments[call])
    with pytest.raises(psycopg.errors.LockNotAvailable):
        waiting.result(DEADLINE)
    assert 1.9 < time.monotonic() - started < 4
    endpoint.rollback()
    dba.rollback()
    assert _all_rows(world) == before
    assert endpoint.call(call, **arguments[call])["outcome"] in ("applied", "kept")
    endpoint.commit()


def _all_rows(world: World) -> list[list[Row]]:
    tables = ("upload_jobs", "events", "contents", "webhook_deliveries", "provider_jobs")
    return [
        world.watcher.execute(
            f"select * from upload_pipeline.{table} order by 1, 2".encode()  # noqa: S608 - ours
        ).fetchall()
        for table in tables
    ]


def test_provider_job_recorded_for_two_jobs_at_once_belongs_to_the_first(world: World) -> None:
    one, other = world.make_job("a"), world.make_job("b")
    _, state = race_refused(
        world.session(),
        ("record_submission", {"job_id": one, "attempt": 1, "parse_job_id": "p1"}),
        world.session(),
        ("record_submission", {"job_id": other, "attempt": 1, "parse_job_id": "p1"}),
    )
    assert state == "UP004"
    assert world.status(other) == "uploaded"


def test_provider_job_named_by_two_webhooks_at_once_belongs_to_the_first(world: World) -> None:
    one, other = world.make_job("a"), world.make_job("b")
    _, state = race_refused(
        world.session(),
        ("receive_content", content_delivery("d1", one, b"# a", parse_job_id="p1")),
        world.session(),
        ("receive_event", event_delivery("d2", "parse_failed", job_id=other, parse_job_id="p1")),
    )
    assert state == "UP004"


def test_event_is_never_earlier_than_the_event_it_waited_for(world: World) -> None:
    job_id = world.make_job()
    first, second = world.session(), world.session()
    first.call("receive_event", **event_delivery("d1", "parse_started", job_id=job_id))
    # now() of the second transaction is earlier than the event that it will write.
    second.conn.execute("select now()")
    waiting = second.blocked(
        "receive_event", by=first, **event_delivery("d2", "parse_ready", job_id=job_id)
    )
    first.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    began = second.conn.execute("select now() as began").fetchone()
    second.commit()
    query = "select ts from upload_pipeline.events where job_id = %s order by version"
    times = [row["ts"] for row in world.watcher.execute(query, [job_id])]
    assert times == sorted(times)
    assert began is not None
    assert times[-1] > began["began"]
