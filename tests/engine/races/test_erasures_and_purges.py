"""A document is erased, or a job is purged, while another session works on it."""

from __future__ import annotations

from uuid import UUID

import pytest

from engine.races.arguments import (
    Row,
    claim,
    content_delivery,
    event_delivery,
    new_job,
    under_lease,
)
from engine.races.sessions import DEADLINE, World, failed_job, race, race_refused


def _document(world: World, job_id: UUID) -> Row:
    query = "select document_id from upload_pipeline.upload_jobs where job_id = %s"
    return {"document_id": world.one(query, job_id)}


def test_erasure_that_waited_for_content_also_deletes_its_object(world: World) -> None:
    job_id = world.make_job()
    kept, erased = race(
        world.session(),
        ("receive_content", content_delivery("d1", job_id, b"# a")),
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
    )
    assert erased == {"jobs": 1, "objects": 2}
    paths = world.watcher.execute("select path from upload_pipeline.deletions").fetchall()
    assert kept["path"] in [row["path"] for row in paths]
    assert world.one("select count(*) from upload_pipeline.contents") == 0


def test_erasure_that_waited_for_finished_content_also_deletes_its_object(
    world: World,
) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    finished, erased = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
    )
    assert (finished["outcome"], erased["objects"]) == ("applied", 2)


@pytest.mark.parametrize("call", ["receive_content", "finish_content", "receive_event"])
def test_delivery_that_waited_for_an_erasure_finds_its_job_unknown(world: World, call: str) -> None:
    job_id = world.make_job()
    world.call("receive_content", **content_delivery("d1", job_id, b"# a"))
    arguments = {
        "receive_content": content_delivery("d2", job_id, b"# a"),
        "finish_content": {"job_id": job_id, "ordinal": 1},
        "receive_event": event_delivery("d2", "parse_failed", job_id=job_id),
    }
    _, state = race_refused(
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
        world.session(),
        (call, arguments[call]),
    )
    assert state == "UP001"
    assert world.one("select count(*) from upload_pipeline.contents") == 0


def test_thin_event_that_waited_for_an_erasure_is_parked(world: World) -> None:
    job_id = world.make_job()
    world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    _, late = race(
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", parse_job_id="p1")),
    )
    assert late["outcome"] == "parked"


def test_raw_file_is_deleted_when_its_two_documents_are_erased_at_once(world: World) -> None:
    shared = {"raw_path": "storage://raw/shared.pdf"}
    ada = world.call("create_job", **{**new_job("a", owner=1), **shared})
    bob = world.call("create_job", **{**new_job("a", owner=2), **shared})
    one, two = race(
        world.session("operator"),
        ("erase_document", {"document_id": ada["document_id"]}),
        world.session("operator"),
        ("erase_document", {"document_id": bob["document_id"]}),
    )
    # Each still sees the other document, which it does not count; the file is deleted all the same.
    assert (one["objects"], two["objects"]) == (0, 0)
    assert world.one("select path from upload_pipeline.deletions") == shared["raw_path"]


def test_erasure_and_submission_with_parked_deliveries_do_not_deadlock(
    world: World,
) -> None:
    """The second write of a job's row in one transaction locks its document (foreign key)."""
    job_id = world.make_job()
    world.call("receive_event", **event_delivery("d1", "parse_ready", parse_job_id="p1"))
    dba, worker, operator = world.admin(), world.session(), world.session("operator")
    dba.conn.execute(
        "select from upload_pipeline.upload_jobs where job_id = %s for no key update", [job_id]
    )
    submission = {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}
    recorded = worker.blocked("record_submission", by=dba, **submission)
    erased = operator.blocked("erase_document", by=None, **_document(world, job_id))
    dba.commit()
    assert recorded.result(DEADLINE)["status"] == "parse_ready"
    worker.commit()
    assert erased.result(DEADLINE)["jobs"] == 1
    operator.commit()


def test_new_job_that_waited_for_an_erasure_has_a_new_document(world: World) -> None:
    job_id = world.make_job()
    document = _document(world, job_id)
    _, made = race(
        world.session("operator"),
        ("erase_document", document),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    assert made["outcome"] == "applied"
    assert made["document_id"] != document["document_id"]


def test_webhook_that_waited_for_a_purge_finds_its_job_unknown(world: World) -> None:
    job_id = failed_job(world)
    _, state = race_refused(
        world.session("operator"),
        ("purge", {"older_than": "0", "least_age": "0"}),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", job_id=job_id)),
    )
    assert state == "UP001"


def test_thin_event_that_waited_for_a_purge_is_parked(world: World) -> None:
    job_id = world.make_job()
    world.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    world.call("cancel_job", job_id=job_id)
    purged, late = race(
        world.session("operator"),
        ("purge", {"older_than": "0", "least_age": "0"}),
        world.session(),
        ("receive_event", event_delivery("d1", "parse_ready", parse_job_id="p1")),
    )
    assert (purged["jobs"], late["outcome"]) == (1, "parked")


def test_purge_skips_a_job_that_is_being_rescued(world: World) -> None:
    job_id = failed_job(world)
    hook, operator = world.session(), world.session("operator")
    hook.call("receive_event", **event_delivery("d1", "parse_ready", job_id=job_id))
    assert operator.start("purge", older_than="0", least_age="0").result(DEADLINE)["jobs"] == 0
    operator.commit()
    hook.commit()
    assert world.status(job_id) == "parse_ready"


@pytest.mark.parametrize("keep_lease", [False, True])
def test_step_that_waited_for_an_erasure_finds_its_job_unknown(
    world: World, keep_lease: bool
) -> None:
    job_id, token = world.leased_job()
    _, state = race_refused(
        world.session("operator"),
        ("erase_document", {"document_id": world.document(job_id)}),
        world.session(),
        ("advance_job", under_lease(job_id, token, code="parse_started", keep_lease=keep_lease)),
    )
    assert state == "UP001"


@pytest.mark.parametrize("keep_lease", [False, True])
def test_erasure_that_waited_for_a_step_erases_its_event(world: World, keep_lease: bool) -> None:
    job_id, token = world.leased_job()
    _, erased = race(
        world.session(),
        ("advance_job", under_lease(job_id, token, code="parse_started", keep_lease=keep_lease)),
        world.session("operator"),
        ("erase_document", {"document_id": world.document(job_id)}),
    )
    assert erased["jobs"] == 1
    assert world.one("select count(*) from upload_pipeline.events") == 0


def test_claim_skips_a_job_that_is_being_erased(world: World) -> None:
    job_id = world.make_job()
    operator, worker = world.session("operator"), world.session()
    operator.call("erase_document", document_id=world.document(job_id))
    assert worker.rows("claim_jobs", **claim()) == []
    operator.commit()


def test_erasure_and_step_that_keeps_its_lease_do_not_deadlock(
    world: World,
) -> None:
    """The second write of a job's row locks its document, so that lock must be taken first."""
    job_id, token = world.leased_job()
    # The DBA holds the job: a session that locks the job first waits here and the other runs.
    dba, worker, operator = world.admin(), world.session(), world.session("operator")
    dba.conn.execute("select from upload_pipeline.upload_jobs for update")
    step = worker.blocked(
        "advance_job", by=dba, **under_lease(job_id, token, code="parse_started", keep_lease=True)
    )
    erasing = operator.blocked("erase_document", by=None, document_id=world.document(job_id))
    dba.commit()
    assert step.result(DEADLINE)["outcome"] == "applied"
    worker.commit()
    assert erasing.result(DEADLINE)["jobs"] == 1
    operator.commit()


def test_delivery_parked_for_a_document_that_is_erased_goes_with_it(world: World) -> None:
    job_id = world.make_job()
    world.call("receive_event", **event_delivery("d1", "parse_ready", parse_job_id="p1"))
    world.watcher.execute(
        "insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)"
        " values ('p1', %s, 1)",
        [job_id],
    )
    _, applied = race(
        world.session("operator"),
        ("erase_document", {"document_id": world.document(job_id)}),
        world.session(),
        ("apply_parked", {}),
    )
    assert applied["apply_parked"] == "p1"
    assert world.one("select count(*) from upload_pipeline.webhook_deliveries") == 0


def test_erasure_waits_for_a_parked_delivery_and_leaves_none_if_the_other_rolls_back(
    world: World,
) -> None:
    job_id, _ = world.leased_job()
    thin = event_delivery("d1", "parse_ready", parse_job_id="p1")
    world.call("receive_event", **thin)
    # A report that record_submission missed: apply_parked would find it.
    world.watcher.execute(
        "insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)"
        " values ('p1', %s, 1)",
        [job_id],
    )
    purging, erasing = world.session("operator"), world.session("operator")
    assert purging.call("purge", older_than="0", least_age="0")["deliveries"] == 1
    waiting = erasing.blocked("erase_document", by=purging, **_document(world, job_id))
    purging.rollback()
    assert waiting.result(DEADLINE)["jobs"] == 1
    erasing.commit()
    assert world.one("select count(*) from upload_pipeline.webhook_deliveries") == 0


def test_erasure_and_settlement_of_parked_deliveries_do_not_deadlock(world: World) -> None:
    job_id, _ = world.leased_job()
    for code in ("parse_started", "parse_ready"):
        world.call("receive_event", **event_delivery(code, code, parse_job_id="p1"))
    world.watcher.execute(
        "insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)"
        " values ('p1', %s, 1)",
        [job_id],
    )
    # Whichever comes first holds the older delivery, and waits for the one that is held here.
    holding, settling, erasing = world.admin(), world.session("operator"), world.session("operator")
    holding.conn.execute(
        "select from upload_pipeline.webhook_deliveries where delivery_id = 'parse_ready'"
        " for update"
    )
    settled = settling.blocked("settle_parked", by=holding, parse_job_id="p1")
    erased = erasing.blocked("erase_document", by=settling, **_document(world, job_id))
    holding.rollback()
    assert settled.result(DEADLINE)["outcome"] == "ignored"
    settling.commit()
    assert erased.result(DEADLINE)["jobs"] == 1
    erasing.commit()
    assert world.one("select count(*) from upload_pipeline.webhook_deliveries") == 0
