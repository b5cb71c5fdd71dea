"""`hookline jobs` and `hookline job` print what the views for readers hold."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC
from uuid import UUID, uuid4

from hookline.postgres.views import JobOverview
from support.commands import Cli, Database, objects, sentence_of


def test_jobs_are_listed_newest_first(cli: Cli, db: Database, reader: str) -> None:
    ids = [db.make_job(name) for name in ("first.pdf", "second.pdf")]
    done = cli("jobs", DATABASE_URL=reader)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == [
        *("job", "file", "status", "attempt", "created", "(UTC)", "moved", "(UTC)", "remark")
    ]
    assert [row.split()[:4] for row in rows] == [
        [str(ids[1]), "second.pdf", "uploaded", "1/3"],
        [str(ids[0]), "first.pdf", "uploaded", "1/3"],
    ]


def test_on_a_terminal_each_job_and_each_event_is_one_line(
    cli: Cli, db: Database, reader: str
) -> None:
    long = "A report with a name that no terminal has room for, and then some more of it.pdf"
    ids = [db.make_job(long), db.make_failed_job("報告書報告書報告書報告書報告書.pdf")]
    for columns in (60, 80, 120):
        header, *lines = cli.on_terminal("jobs", columns=columns, DATABASE_URL=reader)
        assert header.split()[:3] == ["job", "file", "status"]
        assert len(lines) == len(ids)
        for line, job_id in zip(lines, reversed(ids), strict=True):
            assert len(line) <= columns
            short = line.split()[0]
            assert str(job_id).startswith(short)
            assert len(short) < len(str(job_id))
            # What is shown is enough to name the job.
            [shown] = objects(cli("job", short, "--json", DATABASE_URL=reader))
            assert shown["job_id"] == str(job_id)
        assert "uploaded" in lines[1]
        assert "failed_parse" in lines[0]
        overview = cli.on_terminal("job", ids[1], columns=columns, DATABASE_URL=reader)
        timeline = overview[overview.index("") + 1 :]
        assert [line.split()[0] for line in timeline] == ["#", "1", "2"]
        assert all(len(line) <= columns for line in timeline)
        assert "uploaded -> failed_parse  parse_failed" in timeline[2]


def test_a_failed_job_is_listed_with_its_reason(cli: Cli, db: Database, reader: str) -> None:
    db.make_failed_job()
    assert "parse_failed: PDF_IS_BROKEN" in cli("jobs", DATABASE_URL=reader).stdout


def test_json_is_one_whole_row_of_the_view_for_each_line(
    cli: Cli, db: Database, reader: str
) -> None:
    job_id = db.make_failed_job("Ünï.pdf")
    [row] = objects(cli("jobs", "--json", DATABASE_URL=reader))
    assert list(row) == [field.name for field in fields(JobOverview)]
    [(whole,)] = db.run("select to_jsonb(v) from upload_pipeline.job_overview as v")
    times = {"created_at", "updated_at", "run_after"}
    assert {name: row[name] for name in row.keys() - times} == {
        name: whole[name] for name in whole.keys() - times
    }
    assert row["job_id"] == str(job_id)
    assert row["created_at"].endswith("+00:00")


def test_each_filter_lists_only_its_jobs(cli: Cli, db: Database, reader: str) -> None:
    owner = uuid4()
    failed, owned, late = db.make_failed_job(), db.make_job(owner=owner), db.make_job()
    db.run(
        "update upload_pipeline.upload_jobs set deadline_at = upload_pipeline.clock()"
        " - interval '1 s' where job_id = %(job_id)s",
        job_id=late,
    )
    db.confirm(late)

    def listed(*filters: object) -> list[UUID]:
        rows = objects(cli("jobs", "--json", *filters, DATABASE_URL=reader))
        return [UUID(row["job_id"]) for row in rows]

    assert listed("--status", "failed_parse") == [failed]
    assert listed("--failed") == [failed]
    assert listed("--owner", owner) == [owned]
    assert listed("--overdue") == [late]
    assert listed("--overdue", "--failed") == []
    assert listed("--limit", 2) == [late, owned]
    assert listed() == [late, owned, failed]


def test_jobs_are_found_by_values_of_their_metadata(cli: Cli, db: Database, reader: str) -> None:
    first, second, _ = db.make_job(), db.make_job(), db.make_job()
    given = {first: '{"order": 42, "customer": "ACME"}', second: '{"order": "42", "rush": true}'}
    for job_id, metadata in given.items():
        db.run(
            "update upload_pipeline.upload_jobs set metadata = %(metadata)s::jsonb"
            " where job_id = %(job_id)s",
            job_id=job_id,
            metadata=metadata,
        )

    def listed(*pairs: str) -> list[UUID]:
        options = [word for pair in pairs for word in ("--metadata", pair)]
        rows = objects(cli("jobs", "--json", *options, DATABASE_URL=reader))
        return [UUID(row["job_id"]) for row in rows]

    assert listed("order=42") == [second, first]
    assert listed("order=42", "customer=ACME") == [first]
    assert listed("rush=true") == [second]
    assert listed("customer=AC") == listed("no=such") == []
    done = cli("jobs", "--metadata", "order", DATABASE_URL=reader)
    assert (done.returncode, sentence_of(done)) == (
        2,
        "--metadata order is wrong. A right value: --metadata customer=42.",
    )
    shown = cli("job", first, DATABASE_URL=reader).stdout
    assert "metadata    order=42 customer=ACME" in shown


def test_since_is_a_time_or_how_long_ago_it_is(cli: Cli, db: Database, reader: str) -> None:
    first = db.make_job()
    time.sleep(0.01)
    [(between,)] = db.run("select clock_timestamp()")
    time.sleep(0.01)
    second = db.make_job()

    def listed(since: str) -> list[UUID]:
        rows = objects(cli("jobs", "--json", "--since", since, DATABASE_URL=reader))
        return [UUID(row["job_id"]) for row in rows]

    assert listed(between.isoformat()) == [second]
    assert listed(f"{between.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}") == [second]
    assert listed("90s") == listed("7d") == listed("2026-01-01") == [second, first]
    assert listed("0s") == []


def test_follow_prints_a_line_for_each_job_that_moves(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_job("moves.pdf")
    with cli.start("jobs", "--follow", DATABASE_URL=reader) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[2:] == [
            *(str(job_id), "uploaded", "1/3", "moves.pdf"),
            *("its", "upload", "is", "not", "confirmed"),
        ]
        db.fail(job_id)
        line = process.stdout.readline()
        assert f"{job_id}  failed_parse" in line
        assert line.endswith("moves.pdf  parse_failed: PDF_IS_BROKEN\n")
        other = db.make_job("other.pdf")
        assert str(other) in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130


def test_follow_prints_each_event_of_a_job_until_it_ends(
    cli: Cli, db: Database, reader: str
) -> None:
    job_id = db.make_job()
    with cli.start("job", job_id, "--follow", DATABASE_URL=reader) as process:
        assert process.stdout is not None
        overview = ""
        while "job_created" not in overview:
            overview += process.stdout.readline()
        assert f"job         {job_id}" in overview
        db.confirm(job_id)
        assert "upload_confirmed" in process.stdout.readline()
        db.fail(job_id)
        line = process.stdout.readline()
        assert "uploaded -> failed_parse" in line
        assert "error=PDF_IS_BROKEN" in line
        assert process.communicate(timeout=20) == ("", "")
    # It has failed.
    assert process.returncode == 1


def test_follow_ends_when_a_job_stays_in_a_status_without_deadline(
    cli: Cli, db: Database, reader: str
) -> None:
    job_id = db.make_job()
    db.parse(job_id)
    done = cli("job", job_id, "--follow", "--json", DATABASE_URL=reader)
    assert done.returncode == 0
    assert [row["code"] for row in objects(done)] == ["job_created", "parse_completed"]
    assert done.stderr == "The job stays parsed, unless a stage of your own works on it.\n"


def test_reaching_the_limit_is_reported(cli: Cli, db: Database, reader: str) -> None:
    db.make_job(), db.make_job()
    assert "--limit lists more" in cli("jobs", "--limit", 2, DATABASE_URL=reader).stderr
    assert cli("jobs", "--limit", 3, DATABASE_URL=reader).stderr == ""


def test_an_unknown_status_is_refused_with_a_list_of_all(cli: Cli, reader: str) -> None:
    done = cli("jobs", "--status", "pasred", DATABASE_URL=reader)
    assert done.returncode == 2
    assert "pasred is not a status. The statuses are cancelled, complete," in sentence_of(done)


def test_an_empty_list_is_no_failure(cli: Cli, reader: str) -> None:
    done = cli("jobs", DATABASE_URL=reader)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No such jobs.\n")
    done = cli("jobs", "--json", DATABASE_URL=reader)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_filename_cannot_steer_the_terminal(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_job("\x1b[2J\x9b31m[red]\n.pdf")
    for arguments in (["jobs"], ["job", job_id], ["jobs", "--json"]):
        shown = cli(*arguments, DATABASE_URL=reader).stdout
        assert "\x1b" not in shown
        assert "\x9b" not in shown
        assert "[red]" in shown


def test_a_job_is_shown_with_every_event(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_failed_job()
    done = cli("job", job_id, DATABASE_URL=reader)
    assert (done.returncode, done.stderr) == (0, "")
    overview, timeline = done.stdout.split("\n\n")
    assert f"job         {job_id}" in overview
    assert "status      failed_parse" in overview
    assert "last error  code=parse_failed error=PDF_IS_BROKEN" in overview
    header, birth, failure = timeline.splitlines()
    assert header.split()[:3] == ["#", "time", "(UTC)"]
    assert birth.split()[0] == "1"
    assert " uploaded " in birth
    assert "filename=broken.pdf" in birth
    assert "uploaded -> failed_parse  parse_failed  error=PDF_IS_BROKEN" in failure
    assert " ms " in failure


def test_jobs_and_job_say_in_the_same_words_why_a_job_waits(
    cli: Cli, db: Database, reader: str
) -> None:
    job_id = db.make_job()
    told = "its upload is not confirmed"
    assert f"\nwaiting     {told}\n" in cli("job", job_id, DATABASE_URL=reader).stdout
    assert cli("jobs", DATABASE_URL=reader).stdout.rstrip().endswith(told)
    db.confirm(job_id)
    db.run("select upload_pipeline.claim_jobs(status => 'uploaded', worker => 'host-1')")
    [(told,)] = db.run("select waits_because from upload_pipeline.job_overview")
    assert told.startswith("leased by host-1 until ")
    assert f"\nwaiting     {told}\n" in cli("job", job_id, DATABASE_URL=reader).stdout
    assert cli("jobs", DATABASE_URL=reader).stdout.rstrip().endswith(told)
    db.run(
        "select upload_pipeline.fail_job(job_id, lease_token,"
        " jsonb_build_object('code', 'A', 'error', 'b')) from upload_pipeline.upload_jobs"
    )
    db.run("update upload_pipeline.upload_jobs set run_after = run_after + interval '1 hour'")
    [(told,)] = db.run("select waits_because from upload_pipeline.job_overview")
    assert told.startswith("backs off until ")
    assert cli("jobs", DATABASE_URL=reader).stdout.rstrip().endswith(f"{told}; A: b")


def test_json_of_a_job_holds_its_timeline(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_failed_job()
    [shown] = objects(cli("job", job_id, "--json", DATABASE_URL=reader))
    assert (shown["job_id"], shown["status"]) == (str(job_id), "failed_parse")
    assert [event["version"] for event in shown["timeline"]] == [1, 2]
    assert shown["costs"] == []
    assert [event["code"] for event in shown["timeline"]] == ["job_created", "parse_failed"]
    [first, second] = [event["after_the_last"] for event in shown["timeline"]]
    assert first is None
    assert 0 < second < 60


def test_the_cost_of_each_attempt_is_one_row(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_job()
    db.run(
        "insert into upload_pipeline.credit_reservations (job_id, attempt, ordinal, provider,"
        " reserved, billed, reserved_at, settled_at, check_after)"
        " select %(job_id)s, attempt, ordinal, provider, 9.50, billed, now(),"
        " case when billed is not null then now() end, case when billed is null then now() end"
        " from (values (1, 1, 'docling', 0), (1, 2, 'docling', 2.25), (1, 3, 'docling', null),"
        " (2, 1, 'local', null)) as r (attempt, ordinal, provider, billed)",
        job_id=job_id,
    )
    lines = cli("job", job_id, DATABASE_URL=reader).stdout.splitlines()
    at = [line.split() for line in lines].index(["attempt", "provider", "reserved", "billed"])
    assert [line.split() for line in lines[at + 1 : at + 4]] == [
        ["1", "docling", "9.5", "2.25"],
        ["2", "local", "9.5"],
        [],
    ]


def test_the_first_digits_of_one_id_are_enough(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_job()
    for beginning in (str(job_id)[:4], str(job_id)[:13].upper(), job_id.hex[:20], job_id):
        [shown] = objects(cli("job", beginning, "--json", DATABASE_URL=reader))
        assert shown["job_id"] == str(job_id)


def test_the_first_digits_of_several_ids_are_refused(cli: Cli, db: Database, reader: str) -> None:
    made = {db.make_job(f"{name}.pdf"): f"{name}.pdf" for name in "abcde"}
    done = cli("job", str(min(made))[:4], DATABASE_URL=reader)
    assert done.returncode == 2
    told = sentence_of(done)
    assert "is the beginning of more than one job id. Give " in told
    choices = re.findall(r"([0-9a-f-]+) for (\w\.pdf)", told)
    assert len(choices) == len(made)
    for beginning, filename in choices:
        [(job_id, _)] = [one for one in made.items() if str(one[0]).startswith(beginning)]
        assert made[job_id] == filename
        assert not beginning.endswith("-")
        [shown] = objects(cli("job", beginning, "--json", DATABASE_URL=reader))
        assert shown["job_id"] == str(job_id)

    db.make_job("f.pdf")
    assert sentence_of(cli("job", str(min(made))[:4], DATABASE_URL=reader)).endswith(
        ", or more digits of another one."
    )


def test_an_id_that_no_job_has_is_an_error(cli: Cli, reader: str) -> None:
    done = cli("job", uuid4(), DATABASE_URL=reader)
    assert done.returncode == 1
    assert "no job has an id that is or begins with" in sentence_of(done)


def test_text_that_is_not_an_id_is_refused(cli: Cli, reader: str) -> None:
    for text in ("123", "nonsense", f"{uuid4()}0", "%", "00000000\x1b"):
        done = cli("job", text, DATABASE_URL=reader)
        assert done.returncode == 2
        assert "is not a job id: give at least the first 4 hex digits" in sentence_of(done)


def test_a_role_that_may_not_read_is_told_which_role_may(
    cli: Cli, login: Callable[[str], str]
) -> None:
    done = cli("jobs", DATABASE_URL=login("ingest"))
    assert done.returncode == 2
    assert "Use a login role in hookline_reader to read" in sentence_of(done)


def test_a_reader_of_the_output_may_stop_reading(cli: Cli, db: Database, reader: str) -> None:
    db.run(
        "select upload_pipeline.create_job(gen_random_uuid(), repeat('x', 400), 'a/b', 1,"
        " repeat('0', 64), 'storage://raw/a') from generate_series(1, 500)"
    )
    with cli.start("jobs", "--json", "--limit", 1000, DATABASE_URL=reader) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) != 0


def test_job_shows_what_its_provider_was_told(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_job()
    db.run(
        "select upload_pipeline.record_submission(%(job_id)s, 1, 'p1'),"
        " upload_pipeline.cancel_job(%(job_id)s)",
        job_id=job_id,
    )
    shown = cli("job", job_id, DATABASE_URL=reader).stdout
    assert "\nat provider cancel p1 of llamacloud: waiting\n" in shown
    [one] = objects(cli("job", job_id, "--json", DATABASE_URL=reader))
    [request] = one["provider_requests"]
    assert (request["kind"], request["state"], request["result"]) == ("cancel", "waiting", None)
