"""A file that is announced again while the object of its erased document is being deleted."""

from __future__ import annotations

from engine.races.arguments import Row, new_job, upload
from engine.races.sessions import World, race_refused

PATH = str(new_job("a")["raw_path"])
CLAIM: tuple[str, Row] = ("claim_deletions", {})


def erased_file(world: World) -> None:
    """A document is erased, and the deletion of its raw file is due."""
    job_id = world.make_job("a")
    world.call("erase_document", document_id=world.document(job_id))
    make_due(world)


def make_due(world: World) -> None:
    world.watcher.execute("update upload_pipeline.deletions set run_after = now()")


def test_new_job_that_waited_for_the_claim_of_a_deletion_is_refused(world: World) -> None:
    erased_file(world)
    claimed, state = race_refused(
        world.session(), CLAIM, world.session("operator"), ("create_job", new_job("a"))
    )
    assert (claimed["path"], state) == (PATH, "UP020")
    assert world.one("select count(*) from upload_pipeline.documents") == 0


def test_new_job_is_made_once_the_object_is_deleted(world: World) -> None:
    erased_file(world)
    claimed = world.call("claim_deletions")
    world.call("finish_deletion", path=PATH, tries=claimed["tries"])
    assert world.call("create_job", **new_job("a"))["outcome"] == "applied"


def test_new_job_is_made_when_the_claim_is_over_and_the_late_end_of_it_does_nothing(
    world: World,
) -> None:
    erased_file(world)
    claimed = world.call("claim_deletions")
    world.watcher.execute("update upload_pipeline.deletions set claimed_until = now()")
    job_id = world.call("create_job", **new_job("a"))["job_id"]
    world.call("confirm_upload", job_id=job_id, **upload("a"))
    world.call("finish_deletion", path=PATH, tries=claimed["tries"])
    assert world.one("select upload_confirmed from upload_pipeline.documents") is True
    assert world.one("select count(*) from upload_pipeline.deletions") == 0


def test_claim_skips_the_path_of_a_new_job_that_is_not_committed(world: World) -> None:
    erased_file(world)
    operator, worker = world.session("operator"), world.session()
    operator.call("create_job", **new_job("a"))
    assert worker.rows("claim_deletions") == []
    operator.commit()
    worker.commit()
    assert worker.rows("claim_deletions") == []
    assert world.one("select count(*) from upload_pipeline.deletions") == 0


def test_path_of_a_new_job_that_is_rolled_back_is_deleted_after_all(world: World) -> None:
    erased_file(world)
    operator = world.session("operator")
    operator.call("create_job", **new_job("a"))
    operator.rollback()
    assert world.call("claim_deletions")["path"] == PATH


def test_claim_skips_a_path_queued_while_the_transaction_of_its_new_job_is_open(
    world: World,
) -> None:
    """Two documents share the file. The second is not committed when the first is erased."""
    first = world.make_job("a")
    operator, worker = world.session("operator"), world.session()
    operator.call("create_job", **{**new_job("b"), "raw_path": PATH})
    world.call("erase_document", document_id=world.document(first))
    make_due(world)
    assert worker.rows("claim_deletions") == []
    worker.commit()
    operator.commit()
    assert worker.rows("claim_deletions") == []
    worker.commit()
    assert world.one("select count(*) from upload_pipeline.deletions") == 0
