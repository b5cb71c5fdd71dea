"""A job is cancelled or erased while its submission is recorded: the provider hears of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from engine.races.arguments import Row
from engine.races.sessions import World, race

CLAIM: tuple[str, Row] = ("claim_provider_requests", {"provider": "llamacloud"})


def submission(job_id: UUID) -> tuple[str, Row]:
    return "record_submission", {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}


def end(world: World, job_id: UUID, what: str) -> tuple[str, Row]:
    if what == "cancel":
        return "cancel_job", {"job_id": job_id}
    return "erase_document", {"document_id": world.document(job_id)}


def requests(world: World) -> list[str]:
    rows = world.watcher.execute(
        "select kind || ' ' || parse_job_id as told from upload_pipeline.provider_requests"
    ).fetchall()
    return [row["told"] for row in rows]


@pytest.mark.parametrize("what", ["cancel", "delete"])
def test_submission_that_waited_for_the_end_of_its_job_is_taken_back(
    world: World, what: str
) -> None:
    job_id = world.make_job()
    _, recorded = race(
        world.session("operator"), end(world, job_id, what), world.session(), submission(job_id)
    )
    assert recorded["outcome"] == ("stale" if what == "cancel" else "ignored")
    assert requests(world) == [f"{what} p1"]


@pytest.mark.parametrize("what", ["cancel", "delete"])
def test_end_of_a_job_that_waited_for_its_submission_takes_it_back(world: World, what: str) -> None:
    job_id = world.make_job()
    recorded, _ = race(
        world.session(), submission(job_id), world.session("operator"), end(world, job_id, what)
    )
    assert recorded["outcome"] == "applied"
    assert requests(world) == [f"{what} p1"]


def test_two_workers_never_claim_the_same_request(world: World) -> None:
    job_id = world.make_job()
    function, arguments = submission(job_id)
    world.call(function, **arguments)
    world.call("cancel_job", job_id=job_id)
    first, second = world.session(), world.session()
    assert len(first.rows(CLAIM[0], **CLAIM[1])) == 1
    assert second.rows(CLAIM[0], **CLAIM[1]) == []
    first.commit()
    second.commit()
    assert second.rows(CLAIM[0], **CLAIM[1]) == []
