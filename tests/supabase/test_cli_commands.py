"""The Supabase CLI on a project with Hookline in it, as hosted Supabase's `postgres`."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
from demo import PLACES, places, violations

from support.servers import ROOT
from support.supabase_cli import CONFIG, SupabaseCli
from support.supabase_project import SupabaseLike

EVERY = [path.stem for path in sorted((ROOT / "supabase/migrations").glob("*.sql"))]

PLANTED_VIEW = """
set role hookline_owner;
create view hookline_api.planted as select * from upload_pipeline.upload_jobs;
grant select on hookline_api.planted to authenticated;
"""
PLANTED_FUNCTION = """
create function public.planted() returns void language plpgsql as $$
begin
  perform no_such_column from upload_pipeline.upload_jobs;
end;
$$;
"""


def test_an_empty_project_is_pushed_to_reset_and_seeded(
    server: SupabaseLike, project: str, cli: SupabaseCli
) -> None:
    pushed = cli.run("db", "push", url=project)
    assert re.findall(r"Applying migration (\S+)\.sql", pushed) == EVERY

    listed = re.findall(r"`(\d{14})` +\| +`(\d{14})`", cli.run("migration", "list", url=project))
    assert listed == [(version[:14], version[:14]) for version in EVERY]
    assert "up to date" in cli.run("db", "push", url=project)
    # Its own note of which seeds it has run.
    schema = ("--schema-only", "--exclude-table=supabase_migrations.seed_files")
    before = server.dump(project, *schema)

    reset = cli.run("db", "reset", url=project)
    assert re.findall(r"Applying migration (\S+)\.sql", reset) == EVERY
    assert "Seeding data from supabase/seed.sql" in reset
    with psycopg.connect(project) as conn:
        assert places(conn) == PLACES
        assert violations(conn) == []
    assert server.dump(project, *schema) == before


def test_lint_finds_no_error_in_any_function(supabase15: SupabaseLike, cli: SupabaseCli) -> None:
    """Not even a warning, with plpgsql_check where a superuser has made it."""
    with supabase15.project() as url:
        supabase15.install(url)
        supabase15.as_superuser(url, "create extension plpgsql_check with schema extensions")
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(PLANTED_FUNCTION)
        done = cli.attempt(
            *("db", "lint", "--fail-on", "error", "--level", "warning"),
            *("--schema", "upload_pipeline,hookline_api,public", "--db-url", url),
        )
    # The third schema proves that functions are read at all.
    assert done.returncode == 1
    assert [found["function"] for found in json.loads(done.stdout)] == ["public.planted"]
    for schema in ("upload_pipeline", "hookline_api"):
        assert f"Linting schema: {schema}\n" in done.stderr


def advice(cli: SupabaseCli, url: str) -> tuple[int, list[tuple[str, str]]]:
    """The exit code, and (lint, what it says) of every warning and error."""
    done = cli.attempt("db", "advisors", "--fail-on", "warn", "--level", "warn", "--db-url", url)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.stdout.startswith("[") else []
    lints = [(each["remediation"].rpartition("lint=")[2], each["detail"]) for each in found]
    assert found or "No issues found" in done.stdout + done.stderr
    return done.returncode, lints


def expose(server: SupabaseLike, url: str) -> None:
    """As PostgREST's configuration on the platform does; the lints of exposed schemas read it."""
    schemas = ", ".join(CONFIG["api"]["schemas"])
    server.as_superuser(url, f"alter database {url_name(url)} set pgrst.db_schemas = '{schemas}'")


def url_name(url: str) -> str:
    with psycopg.connect(url) as conn:
        return conn.info.dbname


def test_the_advisors_find_nothing(server: SupabaseLike, project: str, cli: SupabaseCli) -> None:
    server.install(project)
    expose(server, project)
    assert advice(cli, project) == (0, [])


def test_the_advisors_look_into_the_schema_that_is_exposed(
    supabase18: SupabaseLike, cli: SupabaseCli
) -> None:
    with supabase18.project() as url:
        supabase18.install(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(PLANTED_VIEW)
        expose(supabase18, url)
        _, lints = advice(cli, url)
    planted = [lint for lint, detail in lints if "hookline_api.planted" in detail]
    assert planted == ["0010_security_definer_view"]
