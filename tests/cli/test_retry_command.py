"""`hookline retry` sends jobs back, and tells of those that cannot be."""

from __future__ import annotations

from uuid import uuid4

from commands import Cli, Database, objects, sentence_of


def test_several_jobs_are_retried_each_once(cli: Cli, db: Database, operator: str) -> None:
    first, second = db.make_failed_job(), db.make_failed_job()
    done = cli("retry", first, second, first.hex, "--reason", "again", DATABASE_URL=operator)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["job", "status", "version"],
        [str(first), "uploaded", "3"],
        [str(second), "uploaded", "3"],
    ]
    assert (
        db.run(
            "select payload ->> 'reason', payload ->> 'by', payload -> 'attempt'"
            " from upload_pipeline.events where code = 'job_retried'"
        )
        == [("again", "test_operator", 2)] * 2
    )


def test_all_that_failed_are_retried(cli: Cli, db: Database, operator: str) -> None:
    failed = [db.make_failed_job(), db.make_failed_job()]
    db.make_job()
    rows = objects(cli("retry", "--failed", "--json", DATABASE_URL=operator))
    assert [row["job_id"] for row in rows] == [str(job_id) for job_id in failed]
    assert {(row["outcome"], row["status"]) for row in rows} == {("applied", "uploaded")}
    done = cli("retry", "--failed", DATABASE_URL=operator)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No job has failed.\n")


def test_a_job_that_cannot_be_retried_does_not_stop_the_others(
    cli: Cli, db: Database, operator: str
) -> None:
    fresh, failed = db.make_job(), db.make_failed_job()
    done = cli("retry", fresh, failed, "--json", DATABASE_URL=operator)
    assert done.returncode == 1
    assert [row["job_id"] for row in objects(done)] == [str(failed)]
    assert f"hookline: job {fresh} is uploaded and cannot take the step" in done.stderr
    assert "See upload_pipeline.job_timeline" in done.stderr


def test_an_id_that_nothing_has_leaves_all_as_they_are(
    cli: Cli, db: Database, operator: str
) -> None:
    failed = db.make_failed_job()
    done = cli("retry", failed, uuid4(), DATABASE_URL=operator)
    assert done.returncode == 1
    assert "no job's id is or starts with" in sentence_of(done)
    assert db.run("select status from upload_pipeline.upload_jobs") == [("failed_parse",)]


def test_which_jobs_is_said_in_one_way(cli: Cli, operator: str) -> None:
    for arguments in ([], [uuid4(), "--failed"]):
        done = cli("retry", *arguments, DATABASE_URL=operator)
        assert done.returncode == 2
        assert "Name the jobs to retry, or give --failed alone" in sentence_of(done)


def test_a_reader_may_not_retry(cli: Cli, db: Database, reader: str) -> None:
    done = cli("retry", db.make_failed_job(), DATABASE_URL=reader)
    assert done.returncode == 1
    assert "permission denied for function retry_job" in done.stderr
    assert "hookline_operator to change something" in done.stderr
