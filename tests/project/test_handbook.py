"""The handbook, db/README.md, says what the catalogue says."""

from __future__ import annotations

import re

import psycopg
import pytest

from support.servers import ROOT, Server

HANDBOOK = (ROOT / "db" / "README.md").read_text()
# A heading, the signature in a block of its own, and what follows down to the next heading.
ENTRY = re.compile(
    r"^#### ([\w.]+)\n\n```\n\1\((.*?)\) → (.*?)\n```\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL
)
DOOR = re.compile(r"^\| `hookline_api\.(\w+)` \| `(\w+)` \|$", re.MULTILINE)
STATEMENT = re.compile(r"^app=[>#] (.*\n(?:app-[>#] .*\n)*)", re.MULTILINE)
WIDEST_SIGNATURE = 120

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

# Each door with the function that it leads to.
DOORS = """
select p.proname, (select string_agg(a.grantee::regrole::text, ' ') from aclexplode(p.proacl) as a
                    where a.grantee <> p.proowner),
       pg_get_function_arguments(p.oid) = pg_get_function_arguments(f.oid)
         and pg_get_function_result(p.oid) = pg_get_function_result(f.oid)
  from pg_proc as p
  left join pg_proc as f
    on f.proname = p.proname
   and f.pronamespace = 'upload_pipeline'::regnamespace
 where p.pronamespace = 'hookline_api'::regnamespace
   and not p.prosecdef
 order by 1
"""

OUTCOMES = "select pg_get_constraintdef(oid) from pg_constraint where conname = 'outcome_is_known'"

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
    spelled = re.sub(r"(DEFAULT ('[^']*'|\S+?))::[\w \[\]]+", r"\1", signature).replace(
        "upload_pipeline.", ""
    )
    for keyword in ("DEFAULT", "NULL", "SETOF", "TABLE"):
        spelled = spelled.replace(keyword, keyword.lower())
    return spelled.replace("timestamp with time zone", "timestamptz")


def _on_one_line(signature: str) -> str:
    joined = " ".join(signature.split())
    return joined.replace("( ", "(").replace(" )", ")")


def _item(entry: str, name: str) -> str:
    """One item of an entry's list, like its errors."""
    found = re.search(rf"^- {name}: (.*?)(?=^- |^$)", entry, re.MULTILINE | re.DOTALL)
    assert found, f"no {name} in {entry}"
    return " ".join(found[1].split())


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
        *signature, text = entries[name]
        assert [_on_one_line(part) for part in signature] == [
            _as_written(arguments),
            _as_written(result),
        ], name
        errors = _item(text, "Errors").partition(".")[0]
        raised = re.findall(r"\bUP\d{3}\b", comment.partition("Raises")[2].partition(".")[0])
        assert re.findall(r"\bUP\d{3}\b", errors) == raised, name
        assert ("55P03" in errors) == ("55P03" in comment), name
        grant = _item(text, "Grant")
        assert grant.startswith(f"{', '.join(f'`{role}`' for role in grantees)}."), name
        (source,) = re.findall(r"Source: \[(.*?)\]\(\1\)", grant)
        assert (ROOT / "db" / source).is_file(), name


def test_each_outcome_that_a_function_returns_is_in_its_entry(
    supabase: str, entries: dict[str, tuple[str, str, str]]
) -> None:
    with psycopg.connect(supabase) as connection:
        functions = connection.execute(FUNCTIONS).fetchall()
        [(domain,)] = connection.execute(OUTCOMES).fetchall()
    words = set(re.findall(r"'(\w+)'", domain))
    assert "parked" in words
    for name, _, _, comment, _ in functions:
        returned = comment.partition("Outcome")[2].partition("Raises")[0]
        # In brackets stands what an outcome means.
        returned = re.sub(r"\(.*?\)", "", returned)
        said = set(re.findall(r"`(\w+)`", _item(entries[name][2], "Returns"))) & words
        assert said == set(re.findall(r"\w+", returned)) & words, name


def test_each_function_is_listed_by_its_task_and_used_in_an_example(
    entries: dict[str, tuple[str, str, str]],
) -> None:
    by_task = HANDBOOK.partition("## Functions by task")[2].partition("###")[0]
    for name, (_, _, text) in entries.items():
        assert f"[{name}](#{name})" in by_task or name.startswith("hookline_api."), name
        used = [statement for statement in STATEMENT.findall(text) if f"{name}(" in statement]
        assert used, f"no example of {name}"


def test_each_statement_of_a_transcript_is_one_that_postgres_can_plan(supabase: str) -> None:
    statements = [
        re.sub(r"^app-[>#] ", "", s, flags=re.MULTILINE) for s in STATEMENT.findall(HANDBOOK)
    ]
    assert len(statements) > 40
    with psycopg.connect(supabase) as connection:
        for statement in statements:
            assert statement.endswith(";\n"), statement
            connection.execute(f"explain {statement}".encode())


def test_each_object_that_a_readme_names_is_in_the_catalogue(supabase: str) -> None:
    named = {
        name
        for page in (ROOT / "README.md", *ROOT.glob("*/README.md"))
        for name in re.findall(r"\b((?:upload_pipeline|hookline_api)\.\w+)", page.read_text())
    }
    assert len(named) > 40
    with psycopg.connect(supabase) as connection:
        known = connection.execute(
            "select n.nspname || '.' || o.name from pg_namespace as n cross join lateral ("
            " select proname::text as name from pg_proc where pronamespace = n.oid"
            " union select relname::text from pg_class where relnamespace = n.oid"
            " union select typname::text from pg_type where typnamespace = n.oid) as o"
            " where n.nspname in ('upload_pipeline', 'hookline_api')"
        ).fetchall()
    assert named - {name for (name,) in known} == set()


def test_no_signature_is_wider_than_a_page(entries: dict[str, tuple[str, str, str]]) -> None:
    for name, (arguments, result, _) in entries.items():
        for line in f"{name}({arguments}) → {result}".splitlines():
            assert len(line) <= WIDEST_SIGNATURE, line


def test_each_door_and_view_of_supabase_is_in_its_table(supabase: str) -> None:
    with psycopg.connect(supabase) as connection:
        doors = connection.execute(DOORS).fetchall()
        views = connection.execute(COLUMNS).fetchall()
    assert len(doors) >= 5
    assert DOOR.findall(HANDBOOK) == [(name, grantee) for name, grantee, _ in doors]
    for name, _, as_its_function in doors:
        assert as_its_function, f"{name} has not the arguments and the result of its function"
    assert len(views) == 5
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


def test_each_folder_of_the_engine_is_in_the_list_of_files() -> None:
    files = HANDBOOK.partition("## The files")[2]
    folders = {path.parent.relative_to(ROOT / "db") for path in (ROOT / "db").rglob("*/*.sql")}
    named = re.findall(r"`([\w/]+/)`", files)
    assert sorted(named) == sorted(f"{folder.as_posix()}/" for folder in folders)
