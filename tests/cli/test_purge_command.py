"""`hookline purge` counts first, deletes in batches, and can be interrupted."""

from __future__ import annotations

import signal
import time

import psycopg

from support.commands import Cli, Database, objects, sentence_of

_WAITING = """
select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


def make_old(db: Database, number: int) -> None:
    """Cancelled jobs, and a delivery that found no job, both 30 days old."""
    for n in range(number):
        job_id = db.make_job(f"{n}.pdf")
        db.confirm(job_id)
        db.run("select upload_pipeline.cancel_job(%(job_id)s)", job_id=job_id)
    db.run(
        "select upload_pipeline.receive_event(source => 'llamacloud', delivery_id => 'two',"
        " body_sha256 => repeat('0', 64), event_type => 'other', code => null)"
    )
    db.run(
        "create or replace function upload_pipeline.clock() returns timestamptz language sql"
        " volatile as $$ select clock_timestamp() + interval '30 days' $$"
    )


def jobs_left(db: Database) -> int:
    [(number,)] = db.run("select count(*)::integer from upload_pipeline.upload_jobs")
    assert isinstance(number, int)
    return number


def test_it_counts_before_it_deletes(cli: Cli, db: Database, operator: str) -> None:
    make_old(db, 3)
    young = db.make_job()
    db.run("select upload_pipeline.cancel_job(%(job_id)s)", job_id=young)
    told = "3 jobs, 0 documents without an upload, 1 delivery without a job"
    done = cli("purge", "--older-than", "7d", "--dry-run", DATABASE_URL=operator)
    assert (done.returncode, done.stdout) == (0, f"Would be deleted: {told}.\n")

    done = cli("purge", "--older-than", "7d", DATABASE_URL=operator)
    assert done.returncode == 2
    assert sentence_of(done) == (
        f"This deletes {told}, for good. Nothing was changed: --yes confirms it."
    )
    assert jobs_left(db) == 4

    done = cli(
        "purge", "--older-than", "7d", "--batch", "2", "--yes", "--json", DATABASE_URL=operator
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert objects(done) == [{"jobs": 3, "documents": 0, "deliveries": 1}]
    assert jobs_left(db) == 1


def test_what_is_younger_than_a_day_is_not_purged(cli: Cli, db: Database, operator: str) -> None:
    done = cli("purge", "--older-than", "12h", "--yes", DATABASE_URL=operator)
    assert done.returncode == 1
    assert sentence_of(done).startswith("cannot purge what is older than 12:00:00")


def test_an_interrupted_purge_says_what_is_gone_and_goes_on_later(
    cli: Cli, db: Database, operator: str
) -> None:
    make_old(db, 4)
    [(first,)] = db.run(
        "select job_id from upload_pipeline.upload_jobs order by updated_at limit 1"
    )
    with psycopg.connect(db.url) as other:
        other.execute("select from upload_pipeline.events where job_id <> %s for update", [first])
        arguments = ("purge", "--older-than", "7d", "--batch", "1", "--yes", "--json")
        with cli.start(*arguments, DATABASE_URL=operator) as process:
            # The first job is gone before the command has heard of it; it has, once it waits for
            # the second.
            while not db.run(_WAITING):
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")
    assert output.startswith('{"jobs": 1, ')
    done = cli(*arguments, DATABASE_URL=operator)
    assert objects(done)[0]["jobs"] == 3
    assert jobs_left(db) == 0
