"""`hookline erase` deletes a document or an owner, once a person has confirmed it."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
import time
from uuid import UUID, uuid4

import pytest

from support.commands import Cli, Database, objects, sentence_of


def document_of(db: Database, job_id: UUID) -> UUID:
    [(document_id,)] = db.run(
        "select document_id from upload_pipeline.upload_jobs where job_id = %(job_id)s",
        job_id=job_id,
    )
    assert isinstance(document_id, UUID)
    return document_id


def test_nothing_is_erased_without_a_confirmation(cli: Cli, db: Database, operator: str) -> None:
    job_id = db.make_job("report.pdf")
    done = cli("erase", "--job", job_id, DATABASE_URL=operator)
    assert done.returncode == 2
    assert sentence_of(done) == (
        f"This deletes document {document_of(db, job_id)} (report.pdf) with 1 job, for good."
        " Nothing was changed: --yes confirms it."
    )
    assert db.run("select count(*) from upload_pipeline.documents") == [(1,)]


def test_a_document_is_erased_by_its_id_or_a_job(cli: Cli, db: Database, operator: str) -> None:
    first, second = db.make_job("a.pdf"), db.make_job("b.pdf")
    db.parse(first)
    done = cli("erase", str(document_of(db, first)).upper(), "--yes", DATABASE_URL=operator)
    assert (done.returncode, done.stdout) == (0, "Erased: 1 document with 1 job.\n")
    assert done.stderr.startswith("1 object will be deleted from storage by the receiver,")
    done = cli("erase", "--job", second, "--yes", "--json", DATABASE_URL=operator)
    # The raw file, which both documents have had.
    assert objects(done) == [{"documents": 1, "jobs": 1, "objects": 1}]
    assert db.run("select count(*) from upload_pipeline.documents") == [(0,)]
    done = cli("erase", "--job", second, "--yes", DATABASE_URL=operator)
    assert done.returncode == 1
    assert sentence_of(done).startswith("no job has an id that is or begins with ")


def test_everything_of_an_owner_is_erased(cli: Cli, db: Database, operator: str) -> None:
    owner, other = uuid4(), uuid4()
    db.make_job(owner=owner)
    db.make_job(owner=other)
    for _ in range(2):
        done = cli("erase", "--owner", owner, "--yes", "--json", DATABASE_URL=operator)
        assert done.returncode == 0
    assert objects(done) == [{"documents": 0, "jobs": 0, "objects": 0}]
    assert db.run("select owner_id from upload_pipeline.documents") == [(other,)]


@pytest.mark.parametrize("arguments", [(), ("0193a1b2", "--owner", "0193a1b2")])
def test_one_id_is_given(cli: Cli, operator: str, arguments: tuple[str, ...]) -> None:
    done = cli("erase", *arguments, DATABASE_URL=operator)
    assert done.returncode == 2
    assert sentence_of(done) == "Give the id of a document, or --job ID, or --owner ID."


def test_the_command_waits_until_storage_has_no_more_to_delete(
    cli: Cli, db: Database, operator: str
) -> None:
    job_id = db.make_job()

    def delete_objects() -> None:
        while not db.run("select path from upload_pipeline.deletions"):
            time.sleep(0.01)
        db.run("delete from upload_pipeline.deletions")

    receiver = threading.Thread(target=delete_objects)
    receiver.start()
    done = cli("erase", "--job", job_id, "--yes", "--wait", DATABASE_URL=operator)
    receiver.join()
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "Storage has no more objects to delete."


@pytest.mark.parametrize(("answer", "left"), [("no", 1), ("erase", 0)])
def test_a_person_types_the_word(
    cli: Cli, db: Database, operator: str, answer: str, left: int
) -> None:
    job_id = db.make_job()
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    done = subprocess.run(
        cli._command(("erase", "--job", job_id)),
        env=cli._environment({"DATABASE_URL": operator}),
        cwd=cli.directory,
        stdin=terminal,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(keyboard)
    os.close(terminal)
    assert 'To do it, type "erase": ' in done.stderr
    assert done.returncode == left
    assert ("Nothing was changed." in done.stderr) == bool(left)
    assert db.run("select count(*) from upload_pipeline.documents") == [(left,)]
