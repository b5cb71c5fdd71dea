"""plpgsql_check reads every statement of every PL/pgSQL function and finds no fault."""

from __future__ import annotations

import psycopg
import pytest

from support.servers import Server

# Performance warnings are off: they only ask for other volatility marks.
_FINDINGS = """
select format('%s%s, line %s: %s %s: %s', p.oid::regprocedure, ' on ' || t.tgrelid::regclass,
              f.lineno, f.level, f.sqlstate, concat_ws(' | ', f.message, f.detail, f.hint))
from pg_catalog.pg_proc p
join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
left join pg_catalog.pg_trigger t on t.tgfoid = p.oid and not t.tgisinternal
cross join lateral plpgsql_check.plpgsql_check_function_tb(
  funcoid => p.oid,
  relid => coalesce(t.tgrelid, 0),
  oldtable => t.tgoldtable,
  newtable => t.tgnewtable,
  performance_warnings => false,
  extra_warnings => true,
  security_warnings => true,
  compatibility_warnings => true
) f
where p.pronamespace = to_regnamespace('upload_pipeline')
order by 1
"""

_BROKEN = """
create function upload_pipeline.broken() returns void language plpgsql as $$
begin
  if false then
    perform no_such_column from upload_pipeline.upload_jobs;
  end if;
end;
$$
"""


def _findings(conn: psycopg.Connection) -> list[str]:
    return [row[0] for row in conn.execute(_FINDINGS).fetchall()]


@pytest.mark.parametrize("files", [(), ("tests/support/platform.psql", "db/supabase/install.sql")])
def test_no_function_has_a_finding(postgres15: Server, files: tuple[str, ...]) -> None:
    """Without and with what is installed on Supabase."""
    with postgres15.create(template=postgres15.template) as url, psycopg.connect(url) as conn:
        for path in files:
            done = postgres15.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, url)
            assert done.returncode == 0, done.stderr
        conn.execute("create schema plpgsql_check")
        conn.execute("create extension plpgsql_check with schema plpgsql_check")
        assert _findings(conn) == []

        conn.execute(_BROKEN)
        broken = _findings(conn)
        assert len(broken) == 1
        assert "no_such_column" in broken[0]
