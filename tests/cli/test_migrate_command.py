"""`hookline migrate` applies the migrations to a database, and lists them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hookline.postgres import migrations
from support.commands import Cli, Database, objects, sentence_of
from support.servers import Server


@pytest.fixture
def empty(postgres18: Server) -> Iterator[str]:
    """A database without Hookline, as the superuser's URL."""
    with postgres18.create() as url:
        yield url


def test_applied_migrations_are_listed_and_a_second_run_has_nothing_to_do(
    cli: Cli, empty: str
) -> None:
    done = cli("migrate", DATABASE_URL=empty)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows == [
        ["version", "applied"],
        *([one.version, one.name] for one in migrations.available()),
    ]
    assert len(rows) > 1

    again = cli("migrate", DATABASE_URL=empty)
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == "Nothing to apply: the database is up to date.\n"
    assert cli("jobs", DATABASE_URL=empty).stderr == "No such jobs.\n"


def test_json_is_one_migration_for_each_line(cli: Cli, empty: str) -> None:
    assert objects(cli("migrate", "--json", DATABASE_URL=empty)) == [
        {"version": one.version, "name": one.name} for one in migrations.available()
    ]
    done = cli("migrate", "--json", DATABASE_URL=empty)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_history_without_names_is_continued(cli: Cli, empty: str) -> None:
    db = Database(empty)
    db.run(
        "create schema supabase_migrations;"
        " create table supabase_migrations.schema_migrations (version text not null primary key);"
        " insert into supabase_migrations.schema_migrations values ('20221101000000')"
    )
    done = cli("migrate", DATABASE_URL=empty)
    assert (done.returncode, done.stderr) == (0, "")
    assert db.run("select version, name from supabase_migrations.schema_migrations order by 1") == [
        ("20221101000000", None),
        *((one.version, one.name) for one in migrations.available()),
    ]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused(
    cli: Cli, postgres18: Server, encoding: str
) -> None:
    with postgres18.create(encoding=encoding) as url:
        done = cli("migrate", DATABASE_URL=url)
        assert done.returncode == 1
        assert f"has the encoding {encoding}, which cannot hold every text" in sentence_of(done)
        [(found,)] = Database(url).run("select to_regnamespace('upload_pipeline') is not null")
        assert found is False


def test_a_role_that_may_not_install_is_told_which_rights_it_needs(
    cli: Cli, empty: str, postgres18: Server
) -> None:
    assert postgres18.template  # makes the login roles
    done = cli("migrate", DATABASE_URL=postgres18.login(empty, "reader"))
    assert done.returncode == 1
    assert "Role test_reader may not install Hookline" in sentence_of(done)
