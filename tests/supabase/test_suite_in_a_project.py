"""The pgTAP files in a Supabase project, as `supabase test db` runs them there."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from support.pgtap import pg_prove
from support.servers import ROLES
from support.supabase_project import SupabaseLike

TESTS = Path("supabase/tests")

# What `postgres` may not do, there as little as here.
NEEDS_A_SUPERUSER = {
    "claim_reads_few_rows_more_than_its_batch": "fills the tables with their triggers off",
    "check_integrity_finds_a_disabled_guard": "switches the triggers of foreign keys off",
    "operators_actions_are_written_down_with_login_and_reason": "becomes another login",
    "types_of_a_caller_are_never_used": "becomes a role that is no member of anything",
    "guards_work_in_replica_mode": "sets session_replication_role",
    "initial_status_moves_within_one_transaction": "sets session_replication_role",
}


@pytest.mark.long
def test_every_file_passes_in_a_project(supabase15: SupabaseLike) -> None:
    """As `postgres`, once it is in the roles that the files become; the rest as the superuser."""
    ours = ", ".join(f"hookline_{role}" for role in ROLES)
    with supabase15.project() as url:
        supabase15.install(url)
        supabase15.as_superuser(url, "create extension pgtap with schema extensions")
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f"grant {ours} to postgres".encode())
        done = pg_prove(supabase15, url, TESTS)
        refused = set(re.findall(r"(?m)^supabase/tests/\w+/(\w+)\.sql +\(Wstat", done.stdout))
        rest = [path for name in NEEDS_A_SUPERUSER for path in TESTS.glob(f"*/{name}.sql")]
        again = pg_prove(supabase15, supabase15.superuser_url(url), *rest)
    assert "Files=" in done.stdout, done.stdout
    assert refused == NEEDS_A_SUPERUSER.keys(), done.stdout
    assert again.returncode == 0, again.stdout
