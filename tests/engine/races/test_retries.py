"""A job is retried while webhooks or content of its earlier attempt arrive."""

from __future__ import annotations

import pytest

from engine.races.arguments import claim, content_delivery, event_delivery, new_job, under_lease
from engine.races.sessions import World, failed_job, race, race_refused


def test_retry_that_waited_for_a_newer_job_is_refused(world: World) -> None:
    failed = failed_job(world)
    _, state = race_refused(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session("operator"),
        ("retry_job", {"job_id": failed}),
    )
    assert state == "UP009"


@pytest.mark.parametrize("code", ["parse_ready", "parse_failed"])
def test_webhook_that_waited_for_a_retry_is_stale(world: World, code: str) -> None:
    job_id = world.make_job()
    world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    _, late = race(
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
        world.session(),
        ("receive_event", event_delivery("d1", code, parse_job_id="p1")),
    )
    assert (late["outcome"], late["status"]) == ("stale", "uploaded")


def test_retry_that_waited_for_a_success_still_retries_the_job(world: World) -> None:
    job_id = world.make_job()
    world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    success, retried = race(
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", parse_job_id="p1")),
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
    )
    assert (success["outcome"], retried["outcome"]) == ("applied", "applied")
    assert world.codes(job_id)[3:] == ["parse_ready", "job_retried"]


def test_retry_that_waited_for_finished_content_keeps_the_content(world: World) -> None:
    job_id = world.make_job()
    world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    world.call("receive_content", **content_delivery("d1", job_id, b"# a", parse_job_id="p1"))
    _, retried = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
    )
    assert (retried["outcome"], retried["status"]) == ("applied", "parsed")
    assert world.one("select parsed_path from upload_pipeline.upload_jobs") is not None


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_content_of_the_provider_before_that_waited_for_a_retry_is_stale(
    world: World, is_known: bool
) -> None:
    """Also if nobody had recorded its provider job: another attempt went to that provider."""
    job_id = world.make_job()
    job = world.call("claim_jobs", **claim(providers=["reducto"]))
    world.call(
        "reserve_credits", **under_lease(job_id, job["lease_token"], credits=1), provider="reducto"
    )
    if is_known:
        world.call(
            "record_submission", job_id=job_id, attempt=1, parse_job_id="p1", provider="reducto"
        )
    _, late = race(
        world.session("operator"),
        ("retry_job", {"job_id": job_id, "provider": "docling"}),
        world.session(),
        (
            "receive_content",
            content_delivery("d1", job_id, b"# late", source="reducto", parse_job_id="p1"),
        ),
    )
    assert (late["outcome"], late["status"]) == ("stale", "uploaded")
    failed = world.call(
        "receive_event",
        **event_delivery("d2", "parse_failed", source="reducto", parse_job_id="p2", job_id=job_id),
    )
    assert (failed["outcome"], failed["status"]) == ("stale", "uploaded")
