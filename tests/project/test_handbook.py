"""The handbook, db/README.md, says what the catalogue says."""

from __future__ import annotations

import re

import psycopg
import pytest

from support.servers import ROOT, Server

HANDBOOK = (ROOT / "db" / "README.md").read_text()
ENTRY = re.compile(
    r"^#### `([\w.]+)\(([^\n]*)\) → ([^\n]*)`\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL
)
DOOR = re.compile(r"^\| `hookline_api\.(\w+)\(([^\n]*)\) → ([^\n]*)` \| `(\w+)` \|$", re.MULTILINE)

FUNCTIONS = """
select case p.pronamespace when 'upload_pipeline'::regnamespace then '' else 'hookline_api.' end
         || p.proname,
       pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
       obj_description(p.oid, 'pg_proc'),
       array(select a.grantee::regrole::text from aclexplode(p.proacl) as a
              where a.grantee not in (p.proowner, 'service_role'::regrole) order by 1)
  from pg_proc as p
 where p.pronamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace)
   and p.prosecdef
   and p.prorettype <> 'trigger'::regtype
 order by 1
"""

DOORS = """
select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
       (select string_agg(a.grantee::regrole::text, ' ') from aclexplode(p.proacl) as a
         where a.grantee <> p.proowner)
  from pg_proc as p
 where p.pronamespace = 'hookline_api'::regnamespace
   and not p.prosecdef
 order by 1
"""

COLUMNS = """
select 'hookline_api.' || c.relname,
       string_agg('`' || a.attname || '`', ', ' order by a.attnum)
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
 where c.relnamespace = 'hookline_api'::regnamespace and c.relkind = 'v'
 group by 1
"""


def _as_written(signature: str) -> str:
    """The catalogue's spelling in the handbook's: no casts of defaults, no schema, lower case."""
    spelled = re.sub(r"(DEFAULT \S+?)::[\w ]+", r"\1", signature).replace("upload_pipeline.", "")
    for keyword in ("DEFAULT", "NULL", "TABLE"):
        spelled = spelled.replace(keyword, keyword.lower())
    return spelled


@pytest.fixture
def supabase(postgres18: Server, database: str) -> str:
    """The database, as it is where Hookline finds Supabase."""
    for path in ("tests/support/platform.psql", "db/supabase/install.sql"):
        done = postgres18.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, database)
        assert done.returncode == 0, done.stderr
    return database


@pytest.fixture(scope="module")
def entries() -> dict[str, tuple[str, str, str]]:
    return {
        name: (arguments, result, text) for name, arguments, result, text in ENTRY.findall(HANDBOOK)
    }


def test_each_granted_function_is_described_with_its_signature_errors_and_grant(
    supabase: str, entries: dict[str, tuple[str, str, str]]
) -> None:
    with psycopg.connect(supabase) as connection:
        functions = connection.execute(FUNCTIONS).fetchall()

    assert sorted(name for name, *_ in functions) == sorted(entries)
    for name, arguments, result, comment, grantees in functions:
        written = entries[name]
        assert written[:2] == (_as_written(arguments), _as_written(result)), name
        section = re.search(r"^Errors: (.*)\.$", written[2], re.MULTILINE)
        assert section, f"{name} has no line of errors"
        raised = re.findall(r"\bUP\d{3}\b", comment.partition("Raises")[2].partition(".")[0])
        assert re.findall(r"\bUP\d{3}\b", section[1]) == raised, name
        assert f"Grant: {', '.join(f'`{role}`' for role in grantees)}." in written[2], name
        (source,) = re.findall(r"Source: \[(.*?)\]\(\1\)", written[2])
        assert (ROOT / "db" / source).is_file(), name


def test_each_door_and_view_of_supabase_is_in_its_table(supabase: str) -> None:
    with psycopg.connect(supabase) as connection:
        doors = connection.execute(DOORS).fetchall()
        views = connection.execute(COLUMNS).fetchall()
    written = [
        (name, _as_written(arguments), _as_written(result), grantee)
        for name, arguments, result, grantee in doors
    ]
    assert len(written) >= 5
    assert DOOR.findall(HANDBOOK) == written
    assert len(views) == 2
    for view, columns in views:
        assert f"| `{view}` | {columns} |" in HANDBOOK, view


def test_each_view_error_code_and_flag_is_in_its_table(database: str) -> None:
    with psycopg.connect(database) as connection:
        views = connection.execute(
            "select relname from pg_class"
            " where relnamespace = 'upload_pipeline'::regnamespace and relkind = 'v'"
        ).fetchall()
        codes = connection.execute("select sqlstate, name from upload_pipeline.error_codes")
        for (view,) in views:
            assert re.search(rf"^\| `{view}` \|", HANDBOOK, re.MULTILINE), view
        for sqlstate, name in codes:
            assert f"| {sqlstate} | `{name}` |" in HANDBOOK
        flags = connection.execute(
            "select attname from pg_attribute where attrelid = 'upload_pipeline.statuses'::regclass"
            " and attnum > 0 and attname not in ('status', 'description')"
        ).fetchall()
        for (flag,) in flags:
            assert re.search(rf"^\| `{flag}` \|", HANDBOOK, re.MULTILINE), flag


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", HANDBOOK):
        if target.startswith("#"):
            heading = target[1:].replace("-", "[ ,-]*")
            assert re.search(rf"^#+ {heading}$", HANDBOOK, re.MULTILINE | re.IGNORECASE), target
        else:
            assert (ROOT / "db" / target).exists(), target
