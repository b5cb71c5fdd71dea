"""A job is created twice at once, or while an older job of its document is rescued."""

from __future__ import annotations

from engine.races.arguments import event_delivery, new_job
from engine.races.sessions import DEADLINE, World, failed_job, race


def test_same_job_created_twice_at_once_is_one_job(world: World) -> None:
    create = ("create_job", new_job("a"))
    one, two = race(world.session("operator"), create, world.session("operator"), create)
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert one["job_id"] == two["job_id"]


def test_file_that_was_described_twice_at_once_leaves_no_object_at_the_first_path(
    world: World,
) -> None:
    here, there = new_job("a"), {**new_job("a"), "raw_path": "storage://raw/there"}
    one, two = race(
        world.session("operator"),
        ("create_job", here),
        world.session("operator"),
        ("create_job", there),
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert world.one("select raw_path from upload_pipeline.documents") == "storage://raw/there"
    assert world.one("select path from upload_pipeline.deletions") == here["raw_path"]


def test_job_is_created_when_its_twin_rolls_back(world: World) -> None:
    first, second = world.session("operator"), world.session("operator")
    first.call("create_job", **new_job("a"))
    waiting = second.blocked("create_job", by=first, **new_job("a"))
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()


def test_job_is_created_when_its_twin_is_cancelled_at_that_moment(world: World) -> None:
    """The insert meets an unfinished job, which is cancelled before create_job reads it."""
    job_id = world.make_job()
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


def test_late_success_that_waited_for_a_newer_job_is_stale(world: World) -> None:
    failed = failed_job(world)
    made, rescue = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", job_id=failed)),
    )
    assert (made["outcome"], rescue["outcome"]) == ("applied", "stale")
    assert world.status(failed) == "failed_parse"


def test_late_success_rescues_the_job_if_the_newer_job_rolls_back(world: World) -> None:
    failed = failed_job(world)
    operator, hook = world.session("operator"), world.session()
    operator.call("create_job", **new_job("a"))
    waiting = hook.blocked(
        "receive_event", by=operator, **event_delivery("d1", "parse_ready", job_id=failed)
    )
    operator.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    hook.commit()


def test_creating_a_job_that_waited_for_a_rescue_returns_the_rescued_job(world: World) -> None:
    failed = failed_job(world)
    rescue, made = race(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", job_id=failed)),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    assert (rescue["outcome"], made["outcome"]) == ("applied", "duplicate")
    assert (made["job_id"], made["status"]) == (failed, "parse_ready")
