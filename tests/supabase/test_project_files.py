"""What a project that adopts Hookline copies: supabase/, as the CLI and its local stack read it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from demo import PLACES, SEED, places, violations

from support.servers import ROOT
from support.supabase_cli import CONFIG, SupabaseCli
from support.supabase_project import SupabaseLike


def keys_of(table: dict[str, Any], *path: str) -> set[str]:
    """The dotted keys of a configuration, every bucket as one called `images`."""
    found: set[str] = set()
    for key, value in table.items():
        name = "images" if path == ("storage", "buckets") else key
        if isinstance(value, dict):
            found |= keys_of(value, *path, name)
        else:
            found.add(".".join([*path, name]))
    return found


def test_the_api_shows_hookline_api_and_never_upload_pipeline() -> None:
    assert CONFIG["api"]["schemas"] == ["public", "graphql_public", "hookline_api"]


def test_the_buckets_are_private_and_take_only_what_belongs_there() -> None:
    buckets = CONFIG["storage"]["buckets"]
    assert buckets.keys() == {"raw", "parsed"}
    assert [bucket["public"] for bucket in buckets.values()] == [False, False]
    assert "text/markdown" in buckets["parsed"]["allowed_mime_types"]
    assert all(bucket["file_size_limit"] for bucket in buckets.values())
    active = {"text/html", "application/xhtml+xml", "image/svg+xml", "*/*"}
    for bucket in buckets.values():
        assert active.isdisjoint(bucket["allowed_mime_types"])
    assert "application/pdf" in buckets["raw"]["allowed_mime_types"]


def test_every_key_is_one_that_the_cli_knows(cli: SupabaseCli, tmp_path: Path) -> None:
    """It says nothing of a key that it does not know, and does nothing with it either."""
    done = cli.attempt("init", "--force", "--workdir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    template = (tmp_path / "supabase/config.toml").read_text()
    known, section = set(), ""
    for table, key in re.findall(r"(?m)^(?:# )?(?:\[([a-z_.]+)\]|([a-z_]+) = .+)$", template):
        section = table or section
        known.add(f"{section}.{key}".removeprefix("."))
    assert "storage.buckets.images.allowed_mime_types" in known
    assert keys_of(CONFIG) - known == set()


def test_the_database_is_of_the_newest_version_that_the_cli_knows() -> None:
    assert CONFIG["db"]["major_version"] == 17


def test_the_tests_are_where_the_cli_looks_for_them() -> None:
    link = ROOT / "supabase/tests"
    assert os.readlink(link) == "../tests/db"
    # `supabase test db` runs pg_prove -r: every folder below is searched.
    assert any(link.glob("*/*.sql"))
    assert list(link.glob("*.sql")) == []


def test_the_demo_has_a_job_in_every_place_however_often_it_is_run(
    server: SupabaseLike, project: str
) -> None:
    server.install(project)
    with psycopg.connect(project, autocommit=True) as conn:
        for _ in range(2):
            conn.execute(SEED.encode())
            assert places(conn) == PLACES
            assert violations(conn) == []


def test_the_demo_writes_through_functions_only() -> None:
    assert re.findall(r"(?i)\b(insert|update|delete|merge|copy|truncate)\b", SEED) == []


@pytest.mark.parametrize("key", CONFIG["db"]["seed"]["sql_paths"])
def test_what_the_configuration_names_is_there(key: str) -> None:
    assert (ROOT / "supabase" / key).exists()
