"""`hookline deliveries` shows what came and what was refused."""

from __future__ import annotations

import json

from support.commands import Cli, Database, objects, sentence_of


def test_deliveries_are_listed_newest_first_by_every_filter(
    cli: Cli, db: Database, reader: str
) -> None:
    failed, parsed = db.make_failed_job(), db.make_job()
    db.parse(parsed)
    db.run(
        "select upload_pipeline.receive_event(source => 'llamacloud', delivery_id => 'p',"
        " body_sha256 => repeat('0', 64), event_type => 'parse.success', code => 'parse_ready',"
        " parse_job_id => 'nobodys')"
    )

    def listed(*filters: object) -> list[tuple[str, str | None]]:
        rows = objects(cli("deliveries", "--json", *filters, DATABASE_URL=reader))
        return [(row["outcome"], row["job_id"]) for row in rows]

    of_failed, of_parsed = ("applied", str(failed)), ("applied", str(parsed))
    assert listed() == [("parked", None), of_parsed, of_failed]
    assert listed("--limit", 2) == [("parked", None), of_parsed]
    assert listed("--job", str(failed), "--source", "llamaparse") == [of_failed]
    assert listed("--job", failed) == [of_failed]
    assert listed("--source", "llamacloud", "--outcome", "parked") == [("parked", None)]
    assert listed("--outcome", "applied", "--since", "1h") == [of_parsed, of_failed]
    assert listed("--since", "0s") == []

    done = cli("deliveries", "--limit", 1, DATABASE_URL=reader)
    assert done.stdout.splitlines()[0].split() == [
        *("seen", "(UTC)", "source", "outcome", "job", "times", "event")
    ]
    assert done.stderr == "These are the newest 1: --limit lists more.\n"


def test_refused_deliveries_are_listed_with_the_likely_cause(
    cli: Cli, db: Database, reader: str
) -> None:
    refused = [
        {"source": "llamacloud", "reason": "no_match", "count": 1234, "user_agent": "\x1b[2Jsvix"},
        {"source": "push", "reason": "wrong_token", "count": 1},
    ]
    db.run("select upload_pipeline.count_refusals(%(refused)s::jsonb)", refused=json.dumps(refused))
    done = cli("deliveries", "--refused", DATABASE_URL=reader)
    assert (done.returncode, done.stderr) == (0, "")
    _, first, second = done.stdout.splitlines()
    assert first.split()[2:6] == ["llamacloud", "no_match", "1,234", "\\x1b[2Jsvix"]
    assert "signed with a secret that is not configured here" in first
    assert "wrong_token" in second
    options = ("--refused", "--source", "push", "--since", "1h", "--json")
    [row] = objects(cli("deliveries", *options, DATABASE_URL=reader))
    assert (row["source"], row["count"], row["user_agent"]) == ("push", 1, None)
    wrong = cli("deliveries", "--refused", "--outcome", "parked", DATABASE_URL=reader)
    assert wrong.returncode == 2
    assert "A refused delivery has no job and no outcome" in sentence_of(wrong)
