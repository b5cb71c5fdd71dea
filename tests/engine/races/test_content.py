"""Content arrives twice at once, or while its job fails, is cancelled or is replaced."""

from __future__ import annotations

from uuid import UUID

import pytest

from engine.races.arguments import awaited_delivery, content_delivery, event_delivery, new_job
from engine.races.sessions import World, failed_job, race


def test_two_different_contents_at_once_have_two_paths_and_one_is_applied(world: World) -> None:
    job_id = world.make_job()
    one, two = race(
        world.session(),
        ("receive_content", content_delivery("d1", job_id, b"one")),
        world.session(),
        ("receive_content", content_delivery("d2", job_id, b"two")),
    )
    assert (one["outcome"], two["outcome"]) == ("kept", "kept")
    assert one["path"] != two["path"]

    one, two = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 2}),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "stale")
    assert world.outcome("d2") == "applied"
    assert world.outcome("d1") == "stale"


def test_same_content_twice_at_once_has_one_path(world: World) -> None:
    job_id = world.make_job()
    one, two = race(
        world.session(),
        ("receive_content", content_delivery("d1", job_id, b"one")),
        world.session(),
        ("receive_content", content_delivery("d2", job_id, b"one")),
    )
    assert (one["path"], one["ordinal"]) == (two["path"], two["ordinal"])


def test_failure_that_waited_for_content_does_not_discard_the_content(world: World) -> None:
    job_id = world.make_job()
    kept, failed = race(
        world.session(),
        ("receive_content", content_delivery("d1", job_id, b"# a")),
        world.session(),
        ("receive_event", event_delivery("d2", "parse_failed", job_id=job_id)),
    )
    assert (kept["outcome"], failed["outcome"]) == ("kept", "applied")
    assert world.call("finish_content", job_id=job_id, ordinal=1)["outcome"] == "applied"
    assert world.status(job_id) == "parsed"


def test_failure_that_waited_for_finished_content_is_stale(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    _, failed = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session(),
        ("receive_event", event_delivery("d2", "parse_failed", job_id=job_id)),
    )
    assert failed["outcome"] == "stale"
    assert world.status(job_id) == "parsed"


def test_finished_content_that_waited_for_a_failure_rescues_the_job(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    _, finished = race(
        world.session(),
        ("receive_event", event_delivery("d2", "parse_failed", job_id=job_id)),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert finished["outcome"] == "applied"
    assert world.codes(job_id)[2:] == ["parse_failed", "parse_completed"]


def test_content_that_waited_for_a_cancel_is_stale(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    _, finished = race(
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert (finished["outcome"], finished["status"]) == ("stale", "cancelled")


def test_cancel_that_waited_for_content_cancels_the_parsed_job(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    finished, cancelled = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
    )
    assert (finished["outcome"], cancelled["status"]) == ("applied", "cancelled")
    assert world.codes(job_id)[2:] == ["parse_completed", "job_cancelled"]


def test_content_that_is_finished_twice_at_once_counts_once(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    finish = ("finish_content", {"job_id": job_id, "ordinal": 1})
    one, two = race(world.session(), finish, world.session(), finish)
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert world.codes(job_id).count("parse_completed") == 1


def test_content_that_waited_for_a_newer_job_is_stale(world: World) -> None:
    failed = failed_job(world)
    world.call("receive_content", **content_delivery("d1", failed, b"# a"))
    _, finished = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session(),
        ("finish_content", {"job_id": failed, "ordinal": 1}),
    )
    assert (finished["outcome"], finished["status"]) == ("stale", "failed_parse")


def test_finished_content_that_waited_for_a_redelivery_counts_once(world: World) -> None:
    job_id = world.make_job()
    content = content_delivery("d1", job_id, b"# a")
    world.call("receive_content", **content)
    again, finished = race(
        world.session(),
        ("receive_content", content),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert (again["outcome"], finished["outcome"]) == ("kept", "applied")
    late = world.call("finish_content", job_id=job_id, ordinal=1)
    assert late["outcome"] == "duplicate"
    assert world.codes(job_id).count("parse_completed") == 1


def test_redelivery_that_waited_for_finished_content_is_a_duplicate(world: World) -> None:
    job_id = world.make_job()
    content = content_delivery("d1", job_id, b"# a")
    world.call("receive_content", **content)
    _, again = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session(),
        ("receive_content", content),
    )
    assert again["outcome"] == "duplicate"
    assert world.one("select count(*) from upload_pipeline.contents where content is not null") == 0


def test_drain_skips_content_that_another_drain_has_claimed(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"one"))
    world.call("receive_content", **content_delivery("d2", job_id, b"two"))
    world.watcher.execute(
        "update upload_pipeline.contents set run_after = run_after - '1 h'::interval"
    )
    first, second = world.session("ingest"), world.session("ingest")
    one = first.rows("claim_contents", batch=1)
    two = second.rows("claim_contents", batch=10)
    assert [len(one), len(two)] == [1, 1]
    assert one[0]["ordinal"] != two[0]["ordinal"]
    first.commit()
    second.commit()


def _awaited(world: World, content: bytes = b"# a") -> UUID:
    job_id = world.make_job()
    delivery = awaited_delivery("d1", job_id, content)
    assert world.call("receive_content", **delivery)["outcome"] == "awaited"
    # A drain has claimed it, and looks for the object.
    world.watcher.execute("update upload_pipeline.contents set tries = 1")
    return job_id


def test_bytes_that_are_kept_while_another_writer_finishes_are_dropped(world: World) -> None:
    job_id = _awaited(world)
    finish = ("finish_content", {"job_id": job_id, "ordinal": 1})
    keep = ("keep_content", {"job_id": job_id, "ordinal": 1, "content": b"# a"})
    finished, kept = race(world.session(), finish, world.session(), keep)
    assert (finished["outcome"], kept["outcome"]) == ("applied", "duplicate")
    assert world.one("select count(content) from upload_pipeline.contents") == 0


def test_content_that_is_finished_while_its_bytes_are_kept_leaves_none(world: World) -> None:
    job_id = _awaited(world)
    finish = ("finish_content", {"job_id": job_id, "ordinal": 1})
    keep = ("keep_content", {"job_id": job_id, "ordinal": 1, "content": b"# a"})
    kept, finished = race(world.session(), keep, world.session(), finish)
    assert (kept["outcome"], finished["outcome"]) == ("kept", "applied")
    assert world.outcome("d1") == "applied"
    assert world.one("select count(content) from upload_pipeline.contents") == 0


@pytest.mark.parametrize(("step", "content"), [("keep_content", b"# a"), ("finish_content", None)])
def test_content_that_was_kept_or_finished_is_not_abandoned(
    world: World, step: str, content: bytes | None
) -> None:
    job_id = _awaited(world)
    arguments = {"job_id": job_id, "ordinal": 1}
    race(
        world.session(),
        (step, {**arguments, **({"content": content} if content else {})}),
        world.session(),
        ("abandon_content", arguments),
    )
    assert world.one("select run_after is not null from upload_pipeline.contents")


def test_content_that_was_abandoned_a_moment_ago_is_kept_and_finished(world: World) -> None:
    job_id = _awaited(world)
    arguments = {"job_id": job_id, "ordinal": 1}
    _, kept = race(
        world.session(),
        ("abandon_content", arguments),
        world.session(),
        ("keep_content", {**arguments, "content": b"# a"}),
    )
    assert kept["outcome"] == "kept"
    world.watcher.execute(
        "update upload_pipeline.contents set run_after = run_after - '1 h'::interval"
    )
    assert world.call("claim_contents")["content"] == b"# a"
    assert world.call("finish_content", **arguments)["outcome"] == "applied"
