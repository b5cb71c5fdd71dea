"""`hookline workers`: who runs, and what each worker holds."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from hookline.postgres.session import session_name
from hookline.version import __version__
from support.commands import Cli, Database, objects


def test_workers_are_listed_with_the_jobs_that_they_hold(
    cli: Cli, db: Database, reader: str
) -> None:
    none = cli("workers", DATABASE_URL=reader)
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "No worker is connected, and none holds a job.\n"

    db.confirm(db.make_job())
    db.run("select from upload_pipeline.claim_jobs('uploaded', 'gone\x1b[2J', lease => '1 hour')")
    name = session_name("receiver", "host-7", datetime.now(UTC))
    with psycopg.connect(db.url, fallback_application_name=name):
        done = cli("workers", DATABASE_URL=reader)
        rows = objects(cli("workers", "--json", DATABASE_URL=reader))
    assert (done.returncode, done.stderr) == (0, "")
    head, gone, host = done.stdout.splitlines()
    assert head.split() == [
        *("name", "role", "version", "runs", "connections", "jobs", "first", "lease", "ends"),
        "holds",
    ]
    assert gone.split() == [
        "gone\\x1b[2J",
        *["worker", "0", "1", "in", "60", "min", "1", "uploaded"],
    ]
    assert host.split()[:3] == ["host-7", "receiver", __version__]
    assert [(row["worker"], row["statuses"], row["connections"]) for row in rows] == [
        ("gone\x1b[2J", {"uploaded": 1}, 0),
        ("host-7", {}, 1),
    ]
