"""What `hookline migrate` does and refuses, and how the migrations are made from db/.

That psql and the Supabase CLI make the same database is tested in tests/supabase.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import psycopg
import pytest

from hookline.postgres import migrations
from hookline.postgres.migrations import Migration, MigrationError, migrate
from support.hosted import hosted_server
from support.servers import MAJORS, ROOT, Server
from support.source_tree import SourceTree


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"pg{major}")
def hosted(request: pytest.FixtureRequest) -> Iterator[Server]:
    with hosted_server(request.param) as server:
        yield server


@pytest.fixture
def empty(hosted: Server) -> Iterator[str]:
    """An empty database of the role `hosted`, as its URL."""
    with hosted.create(owner="hosted") as url:
        yield as_role(hosted, url, "hosted")


def as_role(server: Server, url: str, role: str) -> str:
    return server.url(database_of(url), user=role, password=role)


def database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def history(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute(
            "select version || '_' || name from supabase_migrations.schema_migrations order by 1"
        ).fetchall()
    return [row[0] for row in rows]


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement.encode())


EVERY = [path.stem for path in sorted((ROOT / "supabase/migrations").glob("*.sql"))]


def test_a_superuser_can_install_too(postgres: Server) -> None:
    with postgres.create() as url:
        postgres.install(url)
        assert history(url) == EVERY
        assert migrate(url) == []


def test_migrating_again_does_nothing(hosted: Server, empty: str) -> None:
    assert [f"{done.version}_{done.name}" for done in migrate(empty)] == EVERY
    before = hosted.dump(empty)
    assert migrate(empty) == []
    assert hosted.dump(empty) == before


def test_two_at_once_apply_each_migration_once(empty: str) -> None:
    together = Barrier(2)

    def start(_: int) -> list[Migration]:
        together.wait()
        return migrate(empty)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(start, range(2))
    assert sorted(done.version for done in first + second) == [v[:14] for v in EVERY]
    assert history(empty) == EVERY


def test_two_databases_at_once_share_the_roles_that_one_of_them_makes() -> None:
    server = Server(18)
    together = Barrier(2)

    def start(url: str) -> list[Migration]:
        together.wait()
        return migrate(url)

    try:
        with server.create() as one, server.create() as other, ThreadPoolExecutor(2) as pool:
            assert [len(done) for done in pool.map(start, (one, other))] == [len(EVERY)] * 2
    finally:
        server.close()


def test_nothing_is_pending_after_an_installation_by_psql(hosted: Server, empty: str) -> None:
    hosted.install(empty)
    with psycopg.connect(empty) as conn:
        assert migrations.applied(conn) == [version[:14] for version in EVERY]
        assert migrations.pending(conn) == []
    assert migrate(empty) == []


def test_a_newer_database_is_refused(empty: str) -> None:
    migrate(empty)
    execute(
        empty,
        "insert into supabase_migrations.schema_migrations (version, name)"
        " values ('99990101000000', 'hookline__of_the_future')",
    )
    with pytest.raises(MigrationError, match=r"newer .* 99990101000000_hookline__of_the_future"):
        migrate(empty)


@pytest.mark.parametrize("before_0_3", [["install"], ["install", "supabase", "workers"]])
def test_a_database_of_a_version_before_0_3_is_refused(empty: str, before_0_3: list[str]) -> None:
    migrate(empty)
    execute(empty, "delete from supabase_migrations.schema_migrations")
    with psycopg.connect(empty, autocommit=True) as conn:
        for day, name in enumerate(before_0_3, start=24):
            conn.execute(
                "insert into supabase_migrations.schema_migrations (version, name) values (%s, %s)",
                (f"202611{day}000000", f"hookline__{name}"),
            )
    with pytest.raises(MigrationError, match=r"before 0\.3\.0 .* cannot be upgraded: .* new"):
        migrate(empty)


def test_the_migrations_of_the_application_are_not_ours(empty: str) -> None:
    migrate(empty)
    execute(
        empty,
        "insert into supabase_migrations.schema_migrations (version, name) values"
        " ('20200101000000', 'users'), ('99990101000000', 'hookline_grants'), ('1', null)",
    )
    assert migrate(empty) == []


def test_an_old_server_is_refused() -> None:
    migrations.require_supported(150_000)
    with pytest.raises(MigrationError, match="Postgres 15 or newer, and this server is 14"):
        migrations.require_supported(140_019)


def test_a_role_without_rights_is_told_which(hosted: Server, empty: str) -> None:
    plain = as_role(hosted, empty, "plain")
    with pytest.raises(MigrationError, match=r"Role plain may not install .* CREATEROLE"):
        migrate(plain)
    migrate(empty)
    with pytest.raises(MigrationError, match="Role plain cannot read the migration history"):
        migrate(plain)


def test_a_failed_migration_leaves_nothing(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1_hookline__good.sql").write_text("create table public.good ();")
    (tmp_path / "2_hookline__bad.sql").write_text("create table public.bad (); select 1 / 0;")
    monkeypatch.setattr(migrations, "directory", lambda: tmp_path)
    with pytest.raises(MigrationError, match=r"2_hookline__bad failed .* division by zero"):
        migrate(empty)
    assert history(empty) == ["1_hookline__good"]
    with psycopg.connect(empty) as conn:
        tables = "select to_regclass('public.good') is not null, to_regclass('public.bad') is null"
        assert conn.execute(tables).fetchone() == (True, True)


def test_a_wheel_holds_the_migrations_where_they_are_looked_for(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    shutil.copytree(ROOT / "server/hookline", tmp_path / "hookline")
    for source, target in included.items():
        shutil.copytree(ROOT / source, tmp_path / target)
    code = "from hookline.postgres import migrations; print(len(migrations.available()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == len(EVERY)


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    found = SourceTree(tmp_path)
    assert found.build().returncode == 0
    return found


def test_the_generated_files_are_what_the_sources_give() -> None:
    done = subprocess.run(
        [sys.executable, "db/build.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_gate_names_a_file_that_was_not_generated_again(tree: SourceTree) -> None:
    tree.append("db/functions/internal/clock.sql", "select 'edited';\n")
    done = tree.build("--check")
    assert done.returncode == 1
    assert f"supabase/migrations/{EVERY[0]}.sql is not what its sources give" in done.stderr
    assert tree.build().returncode == 0
    assert tree.build("--check").returncode == 0


def test_a_released_migration_stays_as_it_was(tree: SourceTree) -> None:
    assert tree.build("--release").returncode == 0
    before = tree.texts()
    tree.append("db/functions/internal/clock.sql", "select 'edited';\n")
    assert tree.build().returncode == 0
    assert tree.texts() == before
    tree.append(f"supabase/migrations/{EVERY[0]}.sql", "select 'tampered';\n")
    done = tree.build("--check")
    assert done.returncode == 1
    assert f"{EVERY[0]}.sql is released and must stay as it was" in done.stderr


def test_a_change_becomes_a_migration_of_its_own(tree: SourceTree) -> None:
    tree.build("--release")
    change = "99990101000000_hookline__change"
    tree.append(
        f"db/changes/{change}.sql", "\\ir ../functions/internal/clock.sql\nselect 'last';\n"
    )
    assert tree.build("--check").returncode == 1
    assert tree.build().returncode == 0
    assert list(tree.texts()) == [*EVERY, change]
    clock = (tree.root / "db/functions/internal/clock.sql").read_text().strip()
    assert f"{clock}\n\nselect 'last';\n" in tree.texts()[change]
    assert f"('{change[:14]}', '{change[15:]}')" in (tree.root / "db/history.sql").read_text()


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        (
            "db/install.sql",
            "\\gexec\n",
            r"install.sql:\d+: a migration has no psql to run \\g",
        ),
        ("db/install.sql", "\\ir gone.sql\n", "includes a file that is not there: .*gone.sql"),
        ("db/as_installer.sql", "\\ir install.sql\n", "includes itself"),
        ("db/changes/add_a_column.sql", "select 1;", "must be named <14 digits>_hookline__<what>"),
        ("db/changes/20200101000000_hookline__x.sql", "select 1;", "needs a version of its own"),
        ("supabase/migrations/99990101000000_hookline__x.sql", "select 1;", "has no source in db/"),
    ],
)
def test_what_cannot_become_a_migration_is_refused(
    tree: SourceTree, path: str, text: str, sentence: str
) -> None:
    tree.append(path, text)
    done = tree.build()
    assert done.returncode == 1
    assert re.search(sentence, done.stderr), done.stderr


def test_no_change_slips_in_before_a_released_one(tree: SourceTree) -> None:
    tree.append("db/changes/99990101000000_hookline__x.sql", "select 1;\n")
    tree.build("--release")
    tree.append("db/changes/99980101000000_hookline__y.sql", "select 1;\n")
    done = tree.build()
    assert done.returncode == 1
    assert "99980101000000_hookline__y comes before" in done.stderr


def test_a_change_locks_every_table() -> None:
    tables = {
        f"upload_pipeline.{name}"
        for path in (ROOT / "db/tables").glob("*.sql")
        for name in re.findall(r"(?m)^create table upload_pipeline\.(\w+)", path.read_text())
    }
    assert tables == set(
        re.findall(r"upload_pipeline\.\w+", (ROOT / "db/lock_tables.sql").read_text())
    )
