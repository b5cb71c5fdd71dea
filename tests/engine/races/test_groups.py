"""The last jobs of a group end at once, while it is closed, and while workers look at it."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from engine.races.arguments import Row, new_job, upload
from engine.races.sessions import DEADLINE, Session, World

GROUP = UUID(int=7)


def grouped(world: World, *files: str) -> list[UUID]:
    world.call("start_announcing")
    return [world.call("create_job", **new_job(file), group_id=GROUP)["job_id"] for file in files]


def look(session: Session) -> list[Row]:
    """What a worker that looks at every closed group announces, before it commits."""
    session.conn.execute(
        "update upload_pipeline.job_groups set check_after = now() where check_after is not null"
    )
    claimed = session.rows("claim_notifications", batch=100)
    return [row["counts"] for row in claimed if row["group_id"] == GROUP]


def test_two_last_jobs_that_end_at_once_end_the_group_once(world: World) -> None:
    one, two = grouped(world, "a", "b")
    world.call("close_group", group_id=GROUP)
    first, second = world.session("operator"), world.session("operator")
    worker = world.admin()
    # Neither waits for the other, though each may be the last one.
    first.call("cancel_job", job_id=one)
    second.call("cancel_job", job_id=two)
    first.commit()
    assert look(worker) == []
    worker.commit()
    second.commit()
    assert [counts["cancelled"] for counts in look(worker)] == [2]
    worker.commit()
    assert look(worker) == []


def test_two_workers_that_look_at_once_announce_a_group_once(world: World) -> None:
    [job] = grouped(world, "a")
    world.call("cancel_job", job_id=job)
    world.call("close_group", group_id=GROUP)
    first, second = world.session(), world.session()
    # Neither waits: the second one passes by what the first one looks at.
    assert [row["group_id"] for row in first.rows("claim_notifications")].count(GROUP) == 1
    assert [row["group_id"] for row in second.rows("claim_notifications")].count(GROUP) == 0
    first.commit()
    second.commit()
    assert [row["group_id"] for row in second.rows("claim_notifications")].count(GROUP) == 0


def test_group_that_is_closed_while_its_last_job_ends_is_announced(world: World) -> None:
    [job] = grouped(world, "a")
    closing, ending, worker = world.session("operator"), world.session("operator"), world.admin()
    assert closing.call("close_group", group_id=GROUP) == {"close_group": 1}
    ending.call("cancel_job", job_id=job)
    ending.commit()
    closing.commit()
    assert [counts["total"] for counts in look(worker)] == [1]


def test_closing_a_group_waits_for_a_job_that_joins_it(world: World) -> None:
    grouped(world, "a")
    joining, closing = world.session("operator"), world.session("operator")
    joining.call("create_job", **new_job("b"), group_id=GROUP)
    waiting = closing.blocked("close_group", by=joining, group_id=GROUP)
    joining.commit()
    assert waiting.result(DEADLINE) == {"close_group": 2}


def test_jobs_join_a_new_group_at_once_and_not_one_that_is_being_closed(world: World) -> None:
    world.call("start_announcing")
    first, second = world.session("operator"), world.session("operator")
    first.call("create_job", **new_job("a"), group_id=GROUP)
    waiting = second.blocked("create_job", by=first, **new_job("b"), group_id=GROUP)
    first.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    # In a group that exists, nobody waits.
    first.call("create_job", **new_job("c"), group_id=GROUP)
    second.commit()
    first.commit()

    first.call("close_group", group_id=GROUP)
    waiting = second.blocked("create_job", by=first, **new_job("d"), group_id=GROUP)
    first.commit()
    with pytest.raises(psycopg.DatabaseError, match="takes no new job") as refused:
        waiting.result(DEADLINE)
    assert refused.value.sqlstate == "UP006"


def test_purge_passes_by_a_group_that_a_job_joins(world: World) -> None:
    grouped(world)
    world.watcher.execute(
        "insert into upload_pipeline.job_groups (group_id, owner_id) values (%s, %s)",
        [GROUP, UUID(int=1)],
    )
    joining, purging = world.session("operator"), world.session("operator")
    job_id = joining.call("create_job", **new_job("a"), group_id=GROUP)["job_id"]
    purging.call("purge", older_than="0", least_age="0")
    purging.commit()
    joining.call("confirm_upload", job_id=job_id, **upload("a"))
    joining.commit()
    assert world.one("select count(*) from upload_pipeline.job_groups") == 1
