"""Ids by their first digits: of jobs, documents and owners, each found by an index."""

from __future__ import annotations

from uuid import UUID

import pytest

from support.commands import Cli, Database, objects, sentence_of

ALIKE = [UUID(f"0193a1b2-000{n}-7000-8000-000000000000") for n in range(7)]


@pytest.fixture
def alike(db: Database) -> None:
    """Seven owners whose ids begin alike, each with a job; their documents begin alike, too."""
    for owner in ALIKE:
        db.make_job(owner=owner)


@pytest.mark.usefixtures("alike")
def test_jobs_of_an_owner_are_found_by_the_first_digits(cli: Cli, operator: str) -> None:
    [job] = objects(cli("jobs", "--owner", "0193a1b20003", "--json", DATABASE_URL=operator))
    assert job["owner_id"] == str(ALIKE[3])
    [job] = objects(cli("jobs", "--owner", "0193A1B2-0003", "--json", DATABASE_URL=operator))
    assert job["owner_id"] == str(ALIKE[3])


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (
            "0193",
            2,
            "0193 is the beginning of more than one owner id. Give 0193a1b2-0000, 0193a1b2-0001,"
            " 0193a1b2-0002, 0193a1b2-0003, 0193a1b2-0004, or more digits of another one.",
        ),
        ("019", 2, "019 is not an owner id: give at least the first 4 hex digits of an id that"),
        ("xyz!", 2, "xyz! is not an owner id"),
        ("", 2, " is not an owner id"),
        ("0193a1b20009", 1, "no owner has an id that is or begins with 0193a1b20009"),
        ("ffff", 1, "no owner has an id that is or begins with ffff"),
    ],
)
def test_a_beginning_that_names_not_one_owner_is_refused(
    cli: Cli, operator: str, typed: str, code: int, said: str
) -> None:
    done = cli("jobs", "--owner", typed, DATABASE_URL=operator)
    assert done.returncode == code
    assert sentence_of(done).startswith(said)


@pytest.mark.usefixtures("alike")
def test_a_beginning_of_several_documents_lists_them_with_their_files(
    cli: Cli, operator: str
) -> None:
    [job, *_] = objects(cli("jobs", "--json", DATABASE_URL=operator))
    done = cli("erase", job["document_id"][:4], "--yes", DATABASE_URL=operator)
    assert done.returncode == 2
    said = sentence_of(done)
    assert said.startswith(f"{job['document_id'][:4]} is the beginning of more than one document")
    assert said.count(" for a.pdf") == 5
