"""`hookline retry` gives jobs another attempt, and names those that cannot have one."""

from __future__ import annotations

from uuid import uuid4

from support.commands import Cli, Database, objects, sentence_of


def test_several_jobs_are_retried_once_each(cli: Cli, db: Database, operator: str) -> None:
    first, second = db.make_failed_job(), db.make_failed_job()
    done = cli("retry", first, second, first.hex, "--reason", "again", DATABASE_URL=operator)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["job", "version", "status"],
        [str(first), "3", "uploaded"],
        [str(second), "3", "uploaded"],
    ]
    assert (
        db.run(
            "select payload ->> 'reason', payload ->> 'by', payload -> 'attempt'"
            " from upload_pipeline.events where code = 'job_retried'"
        )
        == [("again", "test_operator", 2)] * 2
    )


def test_another_parser_may_be_named(cli: Cli, db: Database, operator: str) -> None:
    job_id = db.make_failed_job()
    done = cli("retry", job_id, "--provider", "docling", "--json", DATABASE_URL=operator)
    assert (done.returncode, objects(done)[0]["outcome"]) == (0, "applied")
    assert db.run("select provider from upload_pipeline.upload_jobs") == [("docling",)]
    done = cli("retry", job_id, "--provider", "dcoling", DATABASE_URL=operator)
    assert done.returncode == 1
    assert sentence_of(done).startswith("there is no provider 'dcoling'. Name one of these")


def test_on_a_terminal_a_job_is_one_line_with_a_short_id(
    cli: Cli, db: Database, operator: str
) -> None:
    long = "A report with a name that no terminal has room for, and then more of it.pdf"
    job_id = db.make_failed_job(long)
    for arguments, columns in ((["--dry-run"], 60), (["--dry-run"], 80), ([], 60)):
        header, line = cli.on_terminal(
            "retry", "--failed", *arguments, columns=columns, DATABASE_URL=operator
        )
        assert header.split()[0] == "job"
        assert len(line) <= columns
        short = line.split()[0]
        assert str(job_id).startswith(short)
        assert len(short) < len(str(job_id))


def test_all_failed_jobs_are_retried(cli: Cli, db: Database, operator: str) -> None:
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
    ended, failed = db.make_job(), db.make_failed_job()
    db.run("select upload_pipeline.cancel_job(%(job_id)s)", job_id=ended)
    done = cli("retry", ended, failed, "--json", DATABASE_URL=operator)
    assert done.returncode == 1
    assert [row["job_id"] for row in objects(done)] == [str(failed)]
    assert f"hookline: job {ended} is cancelled and cannot take the step" in done.stderr
    assert "See upload_pipeline.job_timeline" in done.stderr


def test_an_unknown_id_leaves_all_jobs_as_they_are(cli: Cli, db: Database, operator: str) -> None:
    failed = db.make_failed_job()
    done = cli("retry", failed, uuid4(), DATABASE_URL=operator)
    assert done.returncode == 1
    assert "no job has an id that is or begins with" in sentence_of(done)
    assert db.run("select status from upload_pipeline.upload_jobs") == [("failed_parse",)]


def test_jobs_are_chosen_by_ids_or_by_filters_but_not_both(cli: Cli, operator: str) -> None:
    for arguments in (
        [],
        ["--limit", 3],
        [uuid4(), "--failed"],
        [uuid4(), "--code", "TIMEOUT"],
        [uuid4(), "--limit", 3],
    ):
        done = cli("retry", *arguments, DATABASE_URL=operator)
        assert done.returncode == 2
        assert "Give the ids of the jobs to retry, or choose failed jobs" in sentence_of(done)


def test_failed_jobs_are_chosen_by_code_status_and_limit(
    cli: Cli, db: Database, operator: str
) -> None:
    broken = [db.make_failed_job(f"{number}.pdf") for number in range(3)]
    parsed = db.make_job("late.pdf")
    db.parse(parsed)
    db.confirm(parsed)
    db.run(
        "select upload_pipeline.fail_job(c.job_id, c.lease_token, %(error)s::jsonb, true)"
        " from upload_pipeline.claim_jobs('parsed', 'test') as c",
        error='{"code": "INDEX_AWAY", "error": "Not there."}',
    )

    def would(*options: object) -> list[str]:
        rows = objects(cli("retry", "--dry-run", "--json", *options, DATABASE_URL=operator))
        return [row["job_id"] for row in rows]

    assert would("--failed") == [*map(str, broken), str(parsed)]
    assert would("--status", "failed_stage") == [str(parsed)]
    assert would("--code", "INDEX_AWAY") == [str(parsed)]
    assert would("--code", "parse_failed", "--limit", 2) == [str(one) for one in broken[:2]]
    assert would("--code", "INDEX_AWAY", "--status", "failed_parse") == []
    assert would(broken[0]) == [str(broken[0])]
    # The dry runs changed nothing.
    assert db.run("select count(*) from upload_pipeline.failed_jobs") == [(4,)]

    done = cli("retry", "--code", "INDEX_AWAY", DATABASE_URL=operator)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [[str(parsed), "4", "parsed"]]
    done = cli("retry", "--failed", "--limit", 2, "--json", DATABASE_URL=operator)
    assert [row["job_id"] for row in objects(done)] == [str(one) for one in broken[:2]]
    assert db.run("select job_id from upload_pipeline.failed_jobs") == [(broken[2],)]
    done = cli("retry", "--code", "NONE", DATABASE_URL=operator)
    assert (done.returncode, done.stderr) == (0, "No such failed job.\n")
    done = cli("retry", "--status", "failed", DATABASE_URL=operator)
    assert done.returncode == 2
    assert "failed is not a status. The statuses are cancelled," in sentence_of(done)


def test_failed_jobs_of_several_pages_are_retried_once_each(
    cli: Cli, db: Database, operator: str
) -> None:
    db.run(
        "select upload_pipeline.receive_event(source => 'test', delivery_id => c.job_id::text,"
        " body_sha256 => repeat('0', 64), event_type => 'failed', code => 'parse_failed',"
        ' job_id => c.job_id, payload => \'{"error": "no"}\') from generate_series(1, 1100) as n'
        " cross join lateral upload_pipeline.create_job(md5(n::text)::uuid, 'a.pdf', 'a/b', 1,"
        " repeat('0', 64), 'storage://raw/a') as c"
    )
    shown = objects(cli("retry", "--failed", "--dry-run", "--json", DATABASE_URL=operator))
    assert len({row["job_id"] for row in shown}) == len(shown) == 1100
    done = cli("retry", "--failed", "--json", DATABASE_URL=operator)
    assert done.returncode == 0
    assert len({row["job_id"] for row in objects(done)}) == 1100
    assert db.run("select count(*), max(attempt) from upload_pipeline.upload_jobs") == [(1100, 2)]


def test_content_that_waits_for_storage_is_not_parsed_again(
    cli: Cli, db: Database, operator: str
) -> None:
    job_id = db.make_job()
    db.run(
        "select upload_pipeline.receive_content(source => 'llamaparse', delivery_id => 'one',"
        " body_sha256 => repeat('0', 64), event_type => 'parsed', job_id => %(job_id)s,"
        " content => 'text')",
        job_id=job_id,
    )
    done = cli("retry", job_id, DATABASE_URL=operator)
    assert done.returncode == 0
    assert f"job {job_id} was not retried: its result has arrived" in done.stderr


def test_a_reader_may_not_retry(cli: Cli, db: Database, reader: str) -> None:
    done = cli("retry", db.make_failed_job(), DATABASE_URL=reader)
    assert done.returncode == 1
    assert "permission denied for function retry_job" in done.stderr
    assert "hookline_operator to change something" in done.stderr
