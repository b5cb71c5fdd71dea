"""An upload that is confirmed while a webhook, a new job or a rescue is at work."""

from __future__ import annotations

from engine.races.arguments import new_job, told, upload
from engine.races.sessions import DEADLINE, World, race


def test_a_webhook_that_waited_for_the_confirmation_moves_the_job(world: World) -> None:
    job_id = world.job(confirmed=False)
    confirmed, told_later = race(
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
        world.session(),
        ("receive_event", told("d1", "parse_started", job_id=job_id)),
    )
    assert (confirmed["outcome"], told_later["outcome"]) == ("applied", "applied")
    assert world.one("select upload_confirmed from upload_pipeline.upload_jobs") is True


def test_a_confirmation_that_waited_for_a_webhook_is_kept(world: World) -> None:
    job_id = world.job(confirmed=False)
    _, confirmed = race(
        world.session(),
        ("receive_event", told("d1", "parse_started", job_id=job_id)),
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
    )
    assert (confirmed["outcome"], confirmed["status"]) == ("stale", "parse_queued")
    assert world.one("select upload_confirmed from upload_pipeline.upload_jobs") is True


def test_a_job_made_while_its_upload_is_confirmed_knows_it(world: World) -> None:
    job_id = world.job(confirmed=False)
    world.do("cancel_job", job_id=job_id)
    _, made = race(
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    query = "select upload_confirmed from upload_pipeline.upload_jobs where job_id = %s"
    assert world.one(query, made["job_id"]) is True


def test_a_confirmation_that_waited_for_a_new_job_reaches_it(world: World) -> None:
    job_id = world.job(confirmed=False)
    world.do("cancel_job", job_id=job_id)
    made, _ = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
    )
    query = "select upload_confirmed from upload_pipeline.upload_jobs where job_id = %s"
    assert world.one(query, made["job_id"]) is True


def test_a_confirmation_and_the_rescue_of_an_older_job_do_not_wait_for_each_other(
    world: World,
) -> None:
    """A rescue waits, in the unique index, for whoever writes the newer job's row."""
    older = world.job(confirmed=False)
    world.do("receive_event", **told("failure", "parse_failed", job_id=older))
    newer = world.job(confirmed=False)
    # The confirmation comes to the older job's row last.
    world.watcher.execute(
        "update upload_pipeline.upload_jobs set run_after = run_after + interval '1 s' "
        "where job_id = %s",
        [older],
    )
    hook, operator = world.session(), world.session("operator")
    assert (
        hook.call("receive_event", **told("d1", "parse_started", job_id=older))["outcome"]
        == "stale"
    )
    waiting = operator.blocked("confirm_upload", by=hook, job_id=newer, **upload("a"))
    assert (
        hook.call("receive_event", **told("d2", "parse_ready", job_id=older))["outcome"] == "stale"
    )
    hook.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    operator.commit()
