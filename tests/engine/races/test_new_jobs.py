"""A job that is made twice at once, or while an older job of its document is rescued."""

from __future__ import annotations

from engine.races.arguments import new_job, told
from engine.races.sessions import DEADLINE, World, failed_job, race


def test_a_job_that_is_made_twice_at_once_is_one(world: World) -> None:
    create = ("create_job", new_job("a"))
    one, two = race(world.session("operator"), create, world.session("operator"), create)
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert one["job_id"] == two["job_id"]


def test_a_job_whose_twin_was_not_made_after_all_is_made(world: World) -> None:
    first, second = world.session("operator"), world.session("operator")
    first.call("create_job", **new_job("a"))
    waiting = second.blocked("create_job", by=first, **new_job("a"))
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()


def test_a_job_whose_twin_finishes_at_that_moment_is_made(world: World) -> None:
    """Between the insert that met the unfinished job and the look at it, that job is cancelled."""
    job_id = world.job()
    world.watcher.execute("""
        create function public.wait() returns trigger language plpgsql security definer
        as $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$
    """)
    world.watcher.execute(
        "create trigger wait after insert on upload_pipeline.upload_jobs "
        "for each statement execute function public.wait()"
    )
    holder, creator = world.admin(), world.session("operator")
    holder.conn.execute("select pg_advisory_xact_lock(1)")
    waiting = creator.blocked("create_job", by=holder, **new_job("a"))
    holder.call("cancel_job", job_id=job_id)
    holder.commit()
    made = waiting.result(DEADLINE)
    creator.commit()
    assert made["outcome"] == "applied"
    assert made["job_id"] not in (None, job_id)


def test_a_rescue_that_waited_for_a_newer_job_is_stale(world: World) -> None:
    failed = failed_job(world)
    made, rescue = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=failed)),
    )
    assert (made["outcome"], rescue["outcome"]) == ("applied", "stale")
    assert world.status(failed) == "failed_parse"


def test_a_rescue_succeeds_if_the_newer_job_is_not_made_after_all(world: World) -> None:
    failed = failed_job(world)
    operator, hook = world.session("operator"), world.session()
    operator.call("create_job", **new_job("a"))
    waiting = hook.blocked("receive_event", by=operator, **told("d1", "parse_ready", job_id=failed))
    operator.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    hook.commit()


def test_a_new_job_that_waited_for_a_rescue_is_the_rescued_one(world: World) -> None:
    failed = failed_job(world)
    rescue, made = race(
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=failed)),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    assert (rescue["outcome"], made["outcome"]) == ("applied", "duplicate")
    assert (made["job_id"], made["status"]) == (failed, "parse_ready")
