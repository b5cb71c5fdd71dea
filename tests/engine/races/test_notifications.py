"""Two workers that tell the application at once, and steps that are taken in between."""

from __future__ import annotations

from uuid import UUID

from engine.races.arguments import ERROR
from engine.races.sessions import Session, World


def announced(world: World, *files: str) -> None:
    """Jobs that are cancelled, each of which is announced."""
    world.call("start_announcing")
    for file in files:
        world.call("cancel_job", job_id=world.make_job(file))


def told(session: Session, batch: int = 10) -> dict[UUID, UUID]:
    """The notifications that a claim gives, each with its lease token."""
    claimed = session.rows("claim_notifications", batch=batch)
    return {row["event_id"]: row["lease_token"] for row in claimed}


def finish(session: Session, claimed: dict[UUID, UUID], error: str | None = None) -> list[str]:
    rows = session.rows(
        "finish_notifications",
        event_ids=[*claimed],
        lease_tokens=[*claimed.values()],
        errors=[error] * len(claimed),
        pauses=[None] * len(claimed),
        permanent=[False] * len(claimed),
    )
    return [row["state"] for row in rows]


def test_two_workers_claim_different_notifications_without_waiting(world: World) -> None:
    announced(world, "a", "b", "c")
    first, second = world.session(), world.session()
    claimed = told(first, batch=2)
    others = told(second)
    assert (len(claimed), len(others)) == (2, 1)
    assert not claimed.keys() & others.keys()
    first.commit()
    second.commit()
    assert told(first) == {}


def test_two_workers_never_have_two_notifications_of_one_job(world: World) -> None:
    announced(world)
    job_id, token = world.leased_job("a")
    world.call("fail_job", job_id=job_id, lease_token=token, error=ERROR, permanent=True)
    world.call("cancel_job", job_id=job_id)
    first, second = world.session(), world.session()
    claimed = told(first)
    assert len(claimed) == 1
    # The claim of the first one is not committed: the second one of the job is still behind it.
    assert told(second) == {}
    second.commit()
    first.commit()
    assert told(second) == {}
    second.commit()
    assert finish(first, claimed) == ["taken"]
    # Not committed either.
    assert told(second) == {}
    second.commit()
    first.commit()
    world.watcher.execute(
        "update upload_pipeline.notifications set run_after = now() where run_after is not null"
    )
    assert len(told(second)) == 1


def test_step_that_commits_while_the_notification_before_it_is_finished_is_announced(
    world: World,
) -> None:
    announced(world)
    job_id, token = world.leased_job("a")
    world.call("fail_job", job_id=job_id, lease_token=token, error=ERROR, permanent=True)
    worker, operator = world.session(), world.session("operator")
    claimed = told(worker)
    worker.commit()
    operator.call("cancel_job", job_id=job_id)
    assert finish(worker, claimed) == ["taken"]
    operator.commit()
    worker.commit()
    assert len(told(worker)) == 1


def test_notification_of_an_erased_job_is_finished_by_nobody(world: World) -> None:
    announced(world, "a")
    worker, operator = world.session(), world.session("operator")
    claimed = told(worker)
    worker.commit()
    [row] = world.watcher.execute("select document_id from upload_pipeline.documents").fetchall()
    operator.call("erase_document", document_id=row["document_id"])
    # It does not wait for the erasure.
    assert finish(worker, claimed) == []
    operator.commit()
    worker.commit()
    assert finish(worker, claimed) == []


def test_purge_leaves_a_job_whose_step_it_waited_for(world: World) -> None:
    announced(world)
    job_id = world.make_job("a")
    operator, other = world.session("operator"), world.session("operator")
    operator.call("cancel_job", job_id=job_id)
    assert other.call("purge", older_than="0", least_age="0")["jobs"] == 0
    operator.commit()
    assert other.call("purge", older_than="0", least_age="0")["jobs"] == 0
