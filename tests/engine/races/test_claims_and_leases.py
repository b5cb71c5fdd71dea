"""Claims and leases of several workers, and what ends a lease meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from engine.races.arguments import ERROR, Row, claim, held, told
from engine.races.sessions import DEADLINE, World, race, refused


def test_two_claims_at_once_never_take_the_same_job(world: World) -> None:
    jobs = {world.job(file) for file in "abcd"}
    first, second = world.session(), world.session()
    one = first.rows("claim_jobs", **claim(batch=2))
    two = second.rows("claim_jobs", **claim())
    first.commit()
    second.commit()
    taken = [row["job_id"] for row in one + two]
    assert (len(one), len(two)) == (2, 2)
    assert sorted(taken) == sorted(jobs)


def test_a_claim_that_is_rolled_back_leaves_its_jobs_to_the_next(world: World) -> None:
    job_id = world.job()
    first, second = world.session(), world.session()
    assert first.call("claim_jobs", **claim())["job_id"] == job_id
    assert second.rows("claim_jobs", **claim()) == []
    first.rollback()
    assert second.call("claim_jobs", **claim())["job_id"] == job_id


def test_a_lease_that_ran_out_is_swept_once_by_two_claims(world: World) -> None:
    job_id, _ = world.lease()
    world.pass_by(job_id)
    first, second = world.session(), world.session()
    assert first.rows("claim_jobs", **claim()) == []
    # Does not wait for the first, and takes neither its job nor the lease that it is taking back.
    assert second.rows("claim_jobs", **claim()) == []
    second.commit()
    first.commit()
    assert world.codes(job_id)[2:] == ["lease_expired"]


def test_a_claim_passes_by_a_lease_that_is_being_prolonged(world: World) -> None:
    job_id, token = world.lease()
    world.pass_by(job_id)
    worker, other = world.session(), world.session()
    worker.call("heartbeat", **held(job_id, token))
    assert other.rows("claim_jobs", **claim()) == []
    worker.commit()
    assert other.rows("claim_jobs", **claim()) == []
    other.commit()
    assert "lease_expired" not in world.codes(job_id)
    world.do("heartbeat", **held(job_id, token))


@pytest.mark.parametrize("call", ["heartbeat", "advance_job", "fail_job", "reserve_credits"])
def test_what_waited_for_the_sweep_of_its_lease_is_refused(world: World, call: str) -> None:
    job_id, token = world.lease()
    world.pass_by(job_id)
    arguments: dict[str, Row] = {
        "advance_job": {"code": "parse_started", "keep_lease": True},
        "fail_job": {"error": ERROR},
        "reserve_credits": {"credits": 1},
    }
    sweeping, worker = world.session(), world.session()
    assert sweeping.rows("claim_jobs", **claim()) == []
    waiting = worker.blocked(call, by=sweeping, **held(job_id, token, **arguments.get(call, {})))
    sweeping.commit()
    with pytest.raises(psycopg.Error) as raised:
        waiting.result(DEADLINE)
    worker.rollback()
    assert raised.value.sqlstate == "UP003"
    assert world.codes(job_id)[2:] == ["lease_expired"]


def test_a_step_that_waited_for_a_webhook_is_refused(world: World) -> None:
    job_id, token = world.lease()
    _, state = refused(
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=job_id)),
        world.session(),
        ("advance_job", held(job_id, token, code="parse_started", keep_lease=True)),
    )
    assert state == "UP003"
    assert world.codes(job_id)[2:] == ["parse_ready"]


def test_a_webhook_that_waited_for_a_step_goes_on_from_there_and_ends_the_lease(
    world: World,
) -> None:
    job_id, token = world.lease()
    _, late = race(
        world.session(),
        ("advance_job", held(job_id, token, code="parse_started", keep_lease=True)),
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=job_id)),
    )
    assert (late["outcome"], late["status"]) == ("applied", "parse_ready")
    assert world.one("select lease_token from upload_pipeline.upload_jobs") is None
    with pytest.raises(psycopg.Error) as raised:
        world.do("heartbeat", **held(job_id, token))
    assert raised.value.sqlstate == "UP003"


def test_a_failure_that_waited_for_a_cancel_is_refused(world: World) -> None:
    job_id, token = world.lease()
    _, state = refused(
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
        world.session(),
        ("fail_job", held(job_id, token, error=ERROR, permanent=True)),
    )
    assert state == "UP003"
    assert world.status(job_id) == "cancelled"


def test_a_cancel_that_waited_for_a_failure_takes_it_out_of_the_dead_letters(world: World) -> None:
    job_id, token = world.lease()
    failed, cancelled = race(
        world.session(),
        ("fail_job", held(job_id, token, error=ERROR, permanent=True)),
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
    )
    assert (failed["status"], cancelled["status"]) == ("failed_parse", "cancelled")
    assert world.one("select count(*) from upload_pipeline.failed_jobs") == 0


def test_a_submission_that_waited_for_a_claim_ends_its_lease(world: World) -> None:
    job_id = world.job()
    worker = world.session()
    token = worker.call("claim_jobs", **claim())["lease_token"]
    submitting = world.session()
    waiting = submitting.blocked(
        "record_submission", by=worker, job_id=job_id, attempt=1, parse_job_id="p1"
    )
    worker.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    submitting.commit()
    with pytest.raises(psycopg.Error) as raised:
        worker.call("heartbeat", **held(job_id, token))
    assert raised.value.sqlstate == "UP003"


def test_a_claim_passes_by_a_job_that_is_being_submitted(world: World) -> None:
    job_id = world.job()
    submitting, worker = world.session(), world.session()
    submitting.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    assert worker.rows("claim_jobs", **claim()) == []
    submitting.commit()
    assert worker.rows("claim_jobs", **claim()) == []


def test_neither_a_pause_nor_a_claim_waits_for_the_other(world: World) -> None:
    for file in "ab":
        world.job(file)
    operator, worker = world.session("operator"), world.session()
    until = datetime.now(UTC) + timedelta(days=1)
    worker.call("claim_jobs", **claim(batch=1))
    operator.call("pause_stage", status="uploaded", until=until, reason="spent")
    # Not committed: nobody knows of it yet.
    worker.call("claim_jobs", **claim(batch=1))
    worker.rollback()
    operator.commit()
    assert worker.rows("claim_jobs", **claim()) == []
