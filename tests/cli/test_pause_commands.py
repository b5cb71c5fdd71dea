"""`hookline pause` and `hookline resume`: who stops a stage, why, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.commands import Cli, Database, objects, sentence_of


def test_a_pause_says_who_and_why_until_it_ends(cli: Cli, db: Database, operator: str) -> None:
    job_id = db.make_job()
    db.confirm(job_id)
    told = "pause", "uploaded", "--for", "2h", "--reason", "a new key"
    [paused] = objects(cli(*told, "--json", DATABASE_URL=operator))
    assert (paused["paused_because"], paused["paused_by"]) == ("a new key", "test_operator")
    [(now,)] = db.run("select now()")
    assert datetime.fromisoformat(paused["paused_until"]) - now < timedelta(hours=2)

    [job] = objects(cli("jobs", "--json", DATABASE_URL=operator))
    assert job["waits_because"].startswith("stage paused by test_operator until ")
    assert job["waits_because"].endswith(" because: a new key")

    # The later end counts, with its reason.
    done = cli("pause", "uploaded", "--for", "1h", "--reason", "lunch", DATABASE_URL=operator)
    assert done.stdout.startswith("uploaded is paused by test_operator until ")
    assert done.stdout.endswith("Z: a new key\n")

    answers = [cli("resume", "uploaded", DATABASE_URL=operator).stdout for _ in range(2)]
    assert answers == ["uploaded goes on.\n", "uploaded was not paused.\n"]
    assert db.run("select paused_until, paused_because, paused_by from upload_pipeline.statuses"
                  " where status = 'uploaded'") == [(None, None, None)]  # fmt: skip


def test_a_pause_without_an_end_is_as_long_as_a_pause_may_be(
    cli: Cli, db: Database, operator: str
) -> None:
    assert cli("pause", "parsed", "--reason", "x", DATABASE_URL=operator).returncode == 0
    [(days,)] = db.run(
        "select extract(epoch from paused_until - now()) / 86400 from upload_pipeline.statuses"
        " where status = 'parsed'"
    )
    assert 30.9 < days <= 31


def test_what_cannot_be_paused_is_said(cli: Cli, operator: str, reader: str) -> None:
    def refused(*arguments: str, url: str = operator) -> tuple[int, str]:
        done = cli(*arguments, DATABASE_URL=url)
        return done.returncode, sentence_of(done)

    assert refused("pause", "nothing", "--reason", "x")[1].startswith("nothing is not a status.")
    assert refused("resume", "nothing")[0] == 2
    code, sentence = refused("pause", "complete", "--reason", "x")
    assert code == 1
    assert sentence.startswith("status 'complete' cannot be paused.")
    code, sentence = refused("pause", "parsed", "--for", "soon", "--reason", "x")
    assert (code, sentence) == (2, "--for soon is wrong. Right values: 90s, 30m, 12h or 7d.")
    assert refused("pause", "parsed", "--for", "32d", "--reason", "x")[0] == 1
    assert refused("pause", "parsed", "--for", "0s", "--reason", "x")[0] == 2
    assert "may not do this" in refused("resume", "parsed", url=reader)[1]
