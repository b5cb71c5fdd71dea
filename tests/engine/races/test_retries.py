"""A job that is retried while webhooks of its earlier attempt arrive."""

from __future__ import annotations

import pytest

from engine.races.arguments import brought, new_job, told
from engine.races.sessions import World, failed_job, race, refused


def test_a_retry_that_waited_for_a_newer_job_is_refused(world: World) -> None:
    failed = failed_job(world)
    _, state = refused(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session("operator"),
        ("retry_job", {"job_id": failed}),
    )
    assert state == "UP009"


@pytest.mark.parametrize("code", ["parse_ready", "parse_failed"])
def test_a_webhook_that_waited_for_a_retry_is_of_an_earlier_attempt(
    world: World, code: str
) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    _, late = race(
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
        world.session(),
        ("receive_event", told("d1", code, parse_job_id="p1")),
    )
    assert (late["outcome"], late["status"]) == ("stale", "uploaded")


def test_a_retry_that_waited_for_a_success_retries_it_nevertheless(world: World) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    success, retried = race(
        world.session(),
        ("receive_event", told("d1", "parse_ready", parse_job_id="p1")),
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
    )
    assert (success["outcome"], retried["outcome"]) == ("applied", "applied")
    assert world.codes(job_id)[3:] == ["parse_ready", "job_retried"]


def test_a_retry_that_waited_for_the_end_of_content_does_not_lose_it(world: World) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    world.do("receive_content", **brought("d1", job_id, b"# a", parse_job_id="p1"))
    _, retried = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
    )
    assert (retried["outcome"], retried["status"]) == ("applied", "parsed")
    assert world.one("select parsed_path from upload_pipeline.upload_jobs") is not None
