"""`hookline group`: how the jobs of a group stand, and closing it."""

from __future__ import annotations

from uuid import uuid4

from support.commands import Cli, Database, objects, sentence_of


def test_a_group_is_shown_and_closed(cli: Cli, db: Database, operator: str, reader: str) -> None:
    group = str(uuid4())
    db.run("select upload_pipeline.start_announcing()")
    db.run(
        "select upload_pipeline.create_job(owner_id => gen_random_uuid(), filename => 'a.pdf',"
        " mime => '', bytes_len => 1, file_sha256 => repeat('a', 64),"
        " raw_path => 'storage://raw/a.pdf', group_id => %(group)s)",
        group=group,
    )
    shown = cli("group", group, DATABASE_URL=reader)
    assert shown.stdout == "open: 1 job, 1 unfinished, 0 complete, 0 failed, 0 cancelled.\n"
    closed = cli("group", group, "--close", DATABASE_URL=operator)
    assert closed.stdout.startswith("closed: 1 job, 1 unfinished")
    db.run("select upload_pipeline.cancel_job(job_id) from upload_pipeline.job_overview")
    [ended] = objects(cli("group", group, "--json", DATABASE_URL=reader))
    assert (ended["ended"], ended["cancelled"], ended["total"]) == (True, 1, 1)

    db.run("update upload_pipeline.job_groups set check_after = now()")
    db.run("select * from upload_pipeline.claim_notifications()")
    table = cli("notifications", DATABASE_URL=reader).stdout
    assert f"group {group}" in table
    assert {
        row["group_id"] for row in objects(cli("notifications", "--json", DATABASE_URL=reader))
    } == {
        None,
        group,
    }


def test_an_unknown_group_is_one_sentence(cli: Cli, db: Database, operator: str) -> None:
    unknown = str(uuid4())
    shown = cli("group", unknown, DATABASE_URL=operator)
    assert shown.returncode == 2
    assert unknown in sentence_of(shown)
    closed = cli("group", unknown, "--close", DATABASE_URL=operator)
    assert closed.returncode == 1
    assert f"unknown group {unknown}" in sentence_of(closed)
