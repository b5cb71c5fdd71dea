"""Two workers claim at once, and other calls end the lease of a worker that still works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.races.arguments import ERROR, Row, claim, event_delivery, under_lease
from engine.races.sessions import DEADLINE, World, race, race_refused


def test_two_claims_at_once_never_take_the_same_job(world: World) -> None:
    jobs = {world.make_job(file) for file in "abcd"}
    first, second = world.session(), world.session()
    one = first.rows("claim_jobs", **claim(batch=2))
    two = second.rows("claim_jobs", **claim())
    first.commit()
    second.commit()
    taken = [row["job_id"] for row in one + two]
    assert (len(one), len(two)) == (2, 2)
    assert sorted(taken) == sorted(jobs)


def test_two_claims_at_once_never_exceed_max_running(world: World) -> None:
    for file in "abcd":
        world.make_job(file)
    world.call("set_owner", owner_id=UUID(int=1), provider=None, max_running=3)
    first, second = world.session(), world.session()
    assert len(first.rows("claim_jobs", **claim(batch=2))) == 2
    # While the first claim is not committed, the second cannot know how many are left.
    assert second.rows("claim_jobs", **claim(batch=2)) == []
    second.commit()
    first.commit()
    assert len(second.rows("claim_jobs", **claim(batch=2))) == 1
    second.commit()
    assert second.rows("claim_jobs", **claim(batch=2)) == []


def test_workers_that_claim_at_once_get_jobs_of_every_owner(world: World) -> None:
    """Other sessions hold the jobs that each would take first."""
    for number in range(12):
        world.make_job(f"greedy-{number}")
    world.make_job("late", owner=2)
    sessions = [world.session() for _ in range(6)]
    claimed = [one.rows("claim_jobs", **claim(batch=2)) for one in sessions]
    taken = [row["owner_id"].int for rows in claimed for row in rows]
    for one in sessions:
        one.commit()
    assert len(taken) == 12
    assert 2 in taken


def test_two_claims_at_once_never_stage_or_take_the_same_job(world: World) -> None:
    jobs = {world.make_job(file) for file in "abcd"}
    world.watcher.execute("update upload_pipeline.upload_jobs set scheduled = true")
    first, second = world.session(), world.session()
    one = first.rows("claim_jobs", **claim(batch=2))
    # The first has staged all four. The second does not wait for it.
    assert second.rows("claim_jobs", **claim(batch=2)) == []
    second.commit()
    first.commit()
    two = second.rows("claim_jobs", **claim())
    assert sorted(row["job_id"] for row in one + two) == sorted(jobs)
    assert len(one) == 2


def test_claim_that_rolls_back_leaves_its_jobs_to_the_next(world: World) -> None:
    job_id = world.make_job()
    first, second = world.session(), world.session()
    assert first.call("claim_jobs", **claim())["job_id"] == job_id
    assert second.rows("claim_jobs", **claim()) == []
    first.rollback()
    assert second.call("claim_jobs", **claim())["job_id"] == job_id


def test_expired_lease_is_swept_once_by_two_claims(world: World) -> None:
    job_id, _ = world.leased_job()
    world.expire_lease(job_id)
    first, second = world.session(), world.session()
    assert first.rows("claim_jobs", **claim()) == []
    # The second claim does not wait, and skips the job whose lease the first one takes back.
    assert second.rows("claim_jobs", **claim()) == []
    second.commit()
    first.commit()
    assert world.codes(job_id)[2:] == ["lease_expired"]


def test_claim_skips_a_lease_that_is_being_extended(world: World) -> None:
    job_id, token = world.leased_job()
    world.expire_lease(job_id)
    worker, other = world.session(), world.session()
    worker.call("heartbeat", **under_lease(job_id, token))
    assert other.rows("claim_jobs", **claim()) == []
    worker.commit()
    assert other.rows("claim_jobs", **claim()) == []
    other.commit()
    assert "lease_expired" not in world.codes(job_id)
    world.call("heartbeat", **under_lease(job_id, token))


def _together(*leases: tuple[UUID, UUID]) -> Row:
    """The arguments of advance_jobs for these jobs and their lease tokens."""
    return {
        "job_ids": [job_id for job_id, _ in leases],
        "lease_tokens": [token for _, token in leases],
        "codes": ["parse_started"] * len(leases),
        "payloads": [Jsonb({})] * len(leases),
    }


def test_jobs_advanced_together_do_not_wait_for_one_that_is_locked(world: World) -> None:
    one, other = world.leased_job("a"), world.leased_job("b")
    worker, operator = world.session(), world.admin()
    operator.call("release_job", job_id=one[0])
    answers = worker.rows("advance_jobs", **_together(one, other))
    worker.commit()
    assert {(row["number"], row["outcome"], row["sqlstate"]) for row in answers} == {
        (1, None, "55P03"),
        (2, "applied", None),
    }
    # The lease that was ended meanwhile is over.
    operator.commit()
    [answer] = worker.rows("advance_jobs", **_together(one))
    assert answer["sqlstate"] == "UP003"
    assert world.codes(one[0])[-1] == "job_released"


def test_job_is_advanced_once_by_two_calls_at_the_same_time(world: World) -> None:
    lease = world.leased_job()
    first, second = world.session(), world.session()
    [one] = first.rows("advance_jobs", **_together(lease))
    [two] = second.rows("advance_jobs", **_together(lease))
    first.commit()
    [again] = second.rows("advance_jobs", **_together(lease))
    assert (one["outcome"], two["sqlstate"], again["sqlstate"]) == ("applied", "55P03", "UP003")
    assert world.codes(lease[0])[2:] == ["parse_started"]


@pytest.mark.parametrize("call", ["heartbeat", "advance_job", "fail_job", "reserve_credits"])
def test_call_that_waited_for_the_sweep_of_its_lease_is_refused(world: World, call: str) -> None:
    job_id, token = world.leased_job()
    world.expire_lease(job_id)
    arguments: dict[str, Row] = {
        "advance_job": {"code": "parse_started", "keep_lease": True},
        "fail_job": {"error": ERROR},
        "reserve_credits": {"credits": 1},
    }
    sweeping, worker = world.session(), world.session()
    assert sweeping.rows("claim_jobs", **claim()) == []
    waiting = worker.blocked(
        call, by=sweeping, **under_lease(job_id, token, **arguments.get(call, {}))
    )
    sweeping.commit()
    with pytest.raises(psycopg.Error) as raised:
        waiting.result(DEADLINE)
    worker.rollback()
    assert raised.value.sqlstate == "UP003"
    assert world.codes(job_id)[2:] == ["lease_expired"]


def test_step_that_waited_for_a_webhook_is_refused(world: World) -> None:
    job_id, token = world.leased_job()
    _, state = race_refused(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", job_id=job_id)),
        world.session(),
        ("advance_job", under_lease(job_id, token, code="parse_started", keep_lease=True)),
    )
    assert state == "UP003"
    assert world.codes(job_id)[2:] == ["parse_ready"]


def test_webhook_that_waited_for_a_step_moves_the_job_on_and_ends_the_lease(
    world: World,
) -> None:
    job_id, token = world.leased_job()
    _, late = race(
        world.session(),
        ("advance_job", under_lease(job_id, token, code="parse_started", keep_lease=True)),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", job_id=job_id)),
    )
    assert (late["outcome"], late["status"]) == ("applied", "parse_ready")
    assert world.one("select lease_token from upload_pipeline.upload_jobs") is None
    with pytest.raises(psycopg.Error) as raised:
        world.call("heartbeat", **under_lease(job_id, token))
    assert raised.value.sqlstate == "UP003"


def test_failure_that_waited_for_a_cancel_is_refused(world: World) -> None:
    job_id, token = world.leased_job()
    _, state = race_refused(
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
        world.session(),
        ("fail_job", under_lease(job_id, token, error=ERROR, permanent=True)),
    )
    assert state == "UP003"
    assert world.status(job_id) == "cancelled"


def test_cancel_that_waited_for_a_failure_removes_the_dead_letter(world: World) -> None:
    job_id, token = world.leased_job()
    failed, cancelled = race(
        world.session(),
        ("fail_job", under_lease(job_id, token, error=ERROR, permanent=True)),
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
    )
    assert (failed["status"], cancelled["status"]) == ("failed_parse", "cancelled")
    assert world.one("select count(*) from upload_pipeline.failed_jobs") == 0


def test_submission_that_waited_for_a_claim_ends_its_lease(world: World) -> None:
    job_id = world.make_job()
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
        worker.call("heartbeat", **under_lease(job_id, token))
    assert raised.value.sqlstate == "UP003"


def test_claim_skips_a_job_that_is_being_submitted(world: World) -> None:
    job_id = world.make_job()
    submitting, worker = world.session(), world.session()
    submitting.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    assert worker.rows("claim_jobs", **claim()) == []
    submitting.commit()
    assert worker.rows("claim_jobs", **claim()) == []


def test_pause_and_claim_do_not_wait_for_each_other(world: World) -> None:
    for file in "ab":
        world.make_job(file)
    operator, worker = world.session("operator"), world.session()
    until = datetime.now(UTC) + timedelta(days=1)
    worker.call("claim_jobs", **claim(batch=1))
    operator.call("pause_stage", status="uploaded", until=until, reason="spent")
    # The pause is not committed, so the claim does not see it yet.
    worker.call("claim_jobs", **claim(batch=1))
    worker.rollback()
    operator.commit()
    assert worker.rows("claim_jobs", **claim()) == []
