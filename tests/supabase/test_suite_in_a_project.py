"""pg_prove in a Supabase project, as `supabase test db` runs it there.

All files of tests/db run in a project on Postgres 15: see tests/support/pgtap.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from support.pgtap import NEEDS_A_SUPERUSER, pg_prove
from support.supabase_project import SupabaseLike

TESTS = Path("supabase/tests")


def test_files_pass_in_a_project_except_those_that_need_a_superuser(
    supabase15: SupabaseLike,
) -> None:
    needs = [path for name in NEEDS_A_SUPERUSER for path in TESTS.glob(f"*/{name}.sql")]
    url = supabase15.as_postgres(supabase15.pgtap_scratch)
    done = pg_prove(supabase15, url, TESTS / "roles", TESTS / "credits", *needs)
    refused = set(re.findall(r"(?m)^supabase/tests/\w+/(\w+)\.sql +\(Wstat", done.stdout))
    assert "Files=" in done.stdout, done.stdout
    assert refused == NEEDS_A_SUPERUSER.keys(), done.stdout
