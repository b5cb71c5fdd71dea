"""psql, `hookline migrate` and the CLI make the same database, and each goes on where another was.

A diff made of catalogues drops REVOKEs, so what is compared is pg_dump's text, with every ACL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from difflib import unified_diff
from functools import partial
from pathlib import Path

import psycopg
from versions import CHANGE, Hookline

from hookline.postgres.migrations import migrate
from support.servers import MAJORS, ROOT
from support.source_tree import SourceTree
from support.supabase_cli import SupabaseCli
from support.supabase_project import SupabaseLike

EVERY = [path.stem for path in sorted((ROOT / "supabase/migrations").glob("*.sql"))]

Way = Callable[[str], object]


def history(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute(
            "select version || '_' || name from supabase_migrations.schema_migrations order by 1"
        ).fetchall()
    return [row[0] for row in rows]


def made_by(way: list[Way], url: str, versions: list[str] = EVERY) -> str:
    for step in way:
        step(url)
    assert history(url) == versions
    return url


def test_every_way_makes_the_same_supabase_project(server: SupabaseLike, cli: SupabaseCli) -> None:
    push = pushed_by(cli)
    ways: dict[str, list[Way]] = {
        "psql -f db/install.sql": [server.install],
        "hookline migrate": [migrate],
        "supabase db push": [push],
    }
    with ExitStack() as stack:
        urls = {
            name: made_by(way, stack.enter_context(server.project())) for name, way in ways.items()
        }
        dumps = {name: server.dump(url) for name, url in urls.items()}
        assert migrate(urls["supabase db push"]) == []
        assert "up to date" in cli.run("db", "push", url=urls["hookline migrate"])
    same(dumps, "CREATE VIEW hookline_api.my_jobs", "REVOKE ALL ON FUNCTION")


def test_the_cli_sees_no_difference_either(supabase18: SupabaseLike, cli: SupabaseCli) -> None:
    with supabase18.project() as installed, supabase18.project() as migrated:
        supabase18.install(installed)
        made_by([migrate], migrated)
        done = cli.attempt("db", "diff", "--from", installed, "--to", migrated)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_every_way_makes_the_same_plain_database(server: SupabaseLike, cli: SupabaseCli) -> None:
    ways: dict[str, list[Way]] = {
        "psql -f db/install.sql": [server.install],
        "hookline migrate": [migrate],
    }
    if server.major == max(MAJORS):
        ways["supabase db push"] = [pushed_by(cli)]
    dumps = {}
    for name, way in ways.items():
        with server.project(plain=True) as url:
            dumps[name] = server.dump(made_by(way, url))
    same(dumps, "CREATE TABLE upload_pipeline.upload_jobs", "REVOKE ALL ON FUNCTION")
    assert "hookline_api" not in dumps["hookline migrate"]


def test_every_way_goes_on_where_another_was(
    server: SupabaseLike,
    cli: SupabaseCli,
    this_version: Hookline,
    next_version: Hookline,
    next_tree: SourceTree,
    tmp_path: Path,
) -> None:
    installed = partial(server.install, root=next_tree.root)
    ways: dict[str, list[Way]] = {
        "psql -f db/install.sql of the next version": [installed],
        "the next version's hookline migrate": [next_version.migrate],
        "hookline migrate, then the next version's": [this_version.migrate, next_version.migrate],
        "psql -f db/install.sql, then the next version's hookline migrate": [
            *(server.install, next_version.migrate)
        ],
    }
    if server.major == max(MAJORS):
        push, push_next = (
            pushed_by(cli),
            pushed_by(SupabaseCli(tmp_path / "next", next_tree.migrations)),
        )
        ways["hookline migrate, then the next version's db push"] = [
            this_version.migrate,
            push_next,
        ]
        ways["supabase db push, then the next version's hookline migrate"] = [
            *(push, next_version.migrate)
        ]
    dumps = {}
    for name, way in ways.items():
        with server.project() as url:
            dumps[name] = server.dump(made_by(way, url, [*EVERY, CHANGE]))
    same(dumps, "moves integer DEFAULT 0 NOT NULL", "REVOKE ALL ON FUNCTION")


def pushed_by(project: SupabaseCli) -> Way:
    return lambda url: project.run("db", "push", url=url)


def same(dumps: dict[str, str], *parts: str) -> None:
    first, *others = dumps
    assert others
    assert all(part in dumps[first] for part in parts)
    for other in others:
        lines = unified_diff(dumps[first].splitlines(), dumps[other].splitlines(), first, other)
        difference = "\n".join(lines)
        assert not difference, difference


def test_the_cli_gets_the_text_of_a_migration_back(
    supabase18: SupabaseLike, cli: SupabaseCli
) -> None:
    with supabase18.project() as url:
        migrate(url)
        path = cli.project / f"supabase/migrations/{EVERY[-1]}.sql"
        before = path.read_text()
        path.unlink()
        cli.run("migration", "fetch", url=url)
        assert path.read_text().rstrip(";\n") == before.rstrip(";\n")
