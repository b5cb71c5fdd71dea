"""`hookline cancel` ends jobs, and names those that it cannot end."""

from __future__ import annotations

from uuid import uuid4

from support.commands import Cli, Database, objects, sentence_of


def test_several_jobs_are_cancelled_once_each(cli: Cli, db: Database, operator: str) -> None:
    first, second = db.make_job(), db.make_job()
    done = cli(
        *("cancel", first, second, first.hex, "--reason", "a mistake", "--json"),
        DATABASE_URL=operator,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [(row["job_id"], row["status"]) for row in objects(done)] == [
        (str(first), "cancelled"),
        (str(second), "cancelled"),
    ]
    assert (
        db.run(
            "select payload ->> 'reason', payload ->> 'by' from upload_pipeline.events"
            " where code = 'job_cancelled'"
        )
        == [("a mistake", "test_operator")] * 2
    )


def test_an_unknown_id_cancels_nothing(cli: Cli, db: Database, operator: str) -> None:
    job_id = db.make_job()
    done = cli("cancel", job_id, uuid4(), DATABASE_URL=operator)
    assert done.returncode == 1
    assert "no job has an id that is or begins with" in sentence_of(done)
    assert db.run("select status from upload_pipeline.upload_jobs") == [("uploaded",)]


def test_a_job_that_cannot_be_cancelled_does_not_stop_the_others(
    cli: Cli, db: Database, operator: str
) -> None:
    complete, other = db.make_job(), db.make_job()
    db.parse(complete)
    db.confirm(complete)
    db.run(
        "select upload_pipeline.advance_job(c.job_id, c.lease_token, 'job_completed')"
        " from upload_pipeline.claim_jobs('parsed', 'test') as c"
    )
    done = cli("cancel", complete, other, "--json", DATABASE_URL=operator)
    assert done.returncode == 1
    assert [row["job_id"] for row in objects(done)] == [str(other)]
    assert f"job {complete} is complete and cannot take the step" in done.stderr
