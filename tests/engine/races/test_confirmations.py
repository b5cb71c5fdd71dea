"""An upload is confirmed while a webhook, a new job or a rescue changes its jobs."""

from __future__ import annotations

from engine.races.arguments import event_delivery, new_job, upload
from engine.races.sessions import DEADLINE, World, race


def test_webhook_that_waited_for_the_confirmation_moves_the_job(world: World) -> None:
    job_id = world.make_job(confirmed=False)
    confirmed, told_later = race(
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_started", job_id=job_id)),
    )
    assert (confirmed["outcome"], told_later["outcome"]) == ("applied", "applied")
    assert world.one("select upload_confirmed from upload_pipeline.upload_jobs") is True


def test_confirmation_that_waited_for_a_webhook_is_recorded(world: World) -> None:
    job_id = world.make_job(confirmed=False)
    _, confirmed = race(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_started", job_id=job_id)),
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
    )
    assert (confirmed["outcome"], confirmed["status"]) == ("stale", "parse_queued")
    assert world.one("select upload_confirmed from upload_pipeline.upload_jobs") is True


def test_job_created_while_its_upload_is_confirmed_is_confirmed(world: World) -> None:
    job_id = world.make_job(confirmed=False)
    world.call("cancel_job", job_id=job_id)
    _, made = race(
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    query = "select upload_confirmed from upload_pipeline.upload_jobs where job_id = %s"
    assert world.one(query, made["job_id"]) is True


def test_confirmation_that_waited_for_a_new_job_confirms_it(world: World) -> None:
    job_id = world.make_job(confirmed=False)
    world.call("cancel_job", job_id=job_id)
    made, _ = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
    )
    query = "select upload_confirmed from upload_pipeline.upload_jobs where job_id = %s"
    assert world.one(query, made["job_id"]) is True


def test_confirmation_and_rescue_of_an_older_job_do_not_deadlock(
    world: World,
) -> None:
    """A rescue waits, in the unique index, for any session that writes the newer job's row."""
    older = world.make_job(confirmed=False)
    world.call("receive_event", **event_delivery("failure", "parse_failed", job_id=older))
    newer = world.make_job(confirmed=False)
    # The confirmation writes the jobs in the order of run_after, so the older job comes last.
    world.watcher.execute(
        "update upload_pipeline.upload_jobs set run_after = run_after + interval '1 s' "
        "where job_id = %s",
        [older],
    )
    hook, operator = world.session(), world.session("operator")
    assert (
        hook.call("receive_event", **event_delivery("d1", "parse_started", job_id=older))["outcome"]
        == "stale"
    )
    waiting = operator.blocked("confirm_upload", by=hook, job_id=newer, **upload("a"))
    assert (
        hook.call("receive_event", **event_delivery("d2", "parse_ready", job_id=older))["outcome"]
        == "stale"
    )
    hook.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    operator.commit()
