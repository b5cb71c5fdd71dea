"""`hookline notifications`: what the application was told, what was given up, and sending again."""

from __future__ import annotations

from uuid import UUID, uuid4

from support.commands import Cli, Database, objects, sentence_of


def cancelled(db: Database, name: str) -> UUID:
    job_id = db.make_job(name)
    db.run("select upload_pipeline.cancel_job(%(job_id)s)", job_id=job_id)
    return job_id


def test_notifications_are_listed_by_job_and_by_state(cli: Cli, db: Database, reader: str) -> None:
    db.run("select upload_pipeline.start_announcing()")
    first, second = cancelled(db, "a.pdf"), cancelled(db, "b.pdf")
    db.run(
        "update upload_pipeline.notifications set run_after = null, dead_at = now(), tries = 19,"
        " error = 'answered 503' where job_id = %(job_id)s",
        job_id=first,
    )
    listed = objects(cli("notifications", "--json", DATABASE_URL=reader))
    assert [(row["job_id"], row["state"]) for row in listed] == [
        (str(second), "waiting"),
        (str(first), "dead"),
    ]
    [dead] = objects(cli("notifications", "--dead", "--json", DATABASE_URL=reader))
    assert (dead["job_id"], dead["tries"], dead["error"]) == (str(first), 19, "answered 503")
    [one] = objects(cli("notifications", "--job", str(second), "--json", DATABASE_URL=reader))
    assert one["status"] == "cancelled"

    table = cli("notifications", DATABASE_URL=reader).stdout.splitlines()
    assert table[0].split() == [
        "id",
        "step",
        "(UTC)",
        "job",
        "status",
        "state",
        "tries",
        "last",
        "error",
    ]
    assert table[2].endswith("  19  answered 503".replace("  19", "     19"))
    assert one["event_id"] in table[1]


def test_one_or_all_are_sent_again(cli: Cli, db: Database, operator: str) -> None:
    db.run("select upload_pipeline.start_announcing()")
    cancelled(db, "a.pdf"), cancelled(db, "b.pdf")
    db.run("update upload_pipeline.notifications set run_after = null, dead_at = now()")
    [first, _] = objects(cli("notifications", "--json", DATABASE_URL=operator))
    unknown = str(uuid4())
    done = cli("notifications", "--retry", first["event_id"], unknown, DATABASE_URL=operator)
    assert done.returncode == 1
    assert "1 notification will be sent again." in done.stderr
    assert f"{unknown} is not known, or is being sent now." in done.stderr
    states = objects(cli("notifications", "--json", DATABASE_URL=operator))
    assert [row["state"] for row in states] == ["waiting", "dead"]

    done = cli("notifications", "--retry", DATABASE_URL=operator)
    assert (done.returncode, done.stderr) == (0, "1 notification will be sent again.\n")
    done = cli("notifications", "--stop", "--discard", "--reason", "moved", DATABASE_URL=operator)
    assert done.stderr == "Announcements are off. 2 notifications deleted.\n"
    assert cli("notifications", DATABASE_URL=operator).stderr == "No such notifications.\n"
    assert db.run("select action, reason from upload_pipeline.operator_actions order by at") == [
        ("retry_notifications", None),
        ("retry_notifications", None),
        ("stop_announcing", "moved"),
    ]


def test_what_does_not_fit_together_is_said(cli: Cli, operator: str, reader: str) -> None:
    for wrong in (
        ["--retry", "--stop"],
        ["0193"],
        ["--discard"],
        ["--retry", "--dead"],
        ["--reason", "x"],
    ):
        assert cli("notifications", *wrong, DATABASE_URL=operator).returncode == 2
    done = cli("notifications", "--retry", "0193", DATABASE_URL=operator)
    assert (done.returncode, sentence_of(done)) == (
        2,
        "0193 is not the id of a notification: `hookline notifications` shows them.",
    )
    done = cli("notifications", "--retry", DATABASE_URL=reader)
    assert "may not do this" in sentence_of(done)
