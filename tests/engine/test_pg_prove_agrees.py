"""pg_prove, pgTAP's own runner, and our pytest collector agree on which files pass.

Here both run small invented files. tests/supabase lets pg_prove run some files of tests/db.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.pgtap import pg_prove, run_file
from support.servers import Server

# One file for each way in which a file can end, and whether it passes.
FILES = {
    "passes": ("begin; select plan(2); select pass('a'); select ok(true); %s", True),
    "plans_last": ("begin; select * from no_plan(); select pass('a'); %s", True),
    "fails": ("begin; select plan(2); select pass('a'); select fail('b'); %s", False),
    "fails_as_todo": (
        "begin; select plan(1); select todo('later', 1); select fail('b'); %s",
        True,
    ),
    "passes_as_todo": (
        "begin; select plan(1); select todo('later', 1); select pass('b'); %s",
        True,
    ),
    "skips": ("begin; select plan(1); select skip('no need', 1); %s", True),
    "has_a_number_sign_in_a_name": (
        "begin; select plan(1); select fail('job #7 # TODO is not a directive'); %s",
        False,
    ),
    "runs_too_few": ("begin; select plan(2); select pass('a'); %s", False),
    "runs_too_many": ("begin; select plan(1); select pass('a'); select pass('b'); %s", False),
    "has_no_plan": ("begin; select 1; %s", False),
    "is_empty": ("", False),
    "plans_nothing": ("select '1..0 # SKIP nothing here';", True),
    "plans_twice": ("select '1..1'; select '1..1'; select 'ok 1';", False),
    "plans_in_the_middle": ("select 'ok 1'; select '1..2'; select 'ok 2';", False),
    "counts_wrongly": ("select '1..2'; select 'ok 1'; select 'ok 3';", False),
    "prints_other_rows": ("begin; select plan(1); select 42; select pass('a'); %s", True),
    "has_an_sql_error": ("begin; select plan(1); select pass('a'); select 1/0; %s", False),
    "has_an_sql_error_after_all": (
        "begin; select plan(1); select pass('a'); select * from finish(); rollback; select 1/0;",
        False,
    ),
    "bails_out": ("begin; select plan(1); select 'Bail out! no use'; select pass('a'); %s", False),
    "has_a_failure_inside_a_subtest_that_passes": (
        "select '1..1'; select '    not ok 1 - a'; select '    1..1'; select 'ok 1 - b';",
        True,
    ),
    "has_an_escaped_number_sign": (r"select '1..1'; select 'not ok 1 - a \# TODO b';", False),
}


@pytest.fixture(scope="module")
def clone(postgres15: Server) -> Iterator[str]:
    with postgres15.create(template=postgres15.pgtap_template) as url:
        yield url


@pytest.mark.parametrize("name", FILES)
def test_both_runners_give_a_file_the_same_verdict(
    name: str, postgres15: Server, clone: str, tmp_path: Path
) -> None:
    text, passes = FILES[name]
    path = tmp_path / f"{name}.sql"
    path.write_text(text.replace("%s", "select * from finish(); rollback;"))
    reference = pg_prove(postgres15, clone, path)
    ours, _ = run_file(postgres15, clone, path)
    assert (ours.passed, reference.returncode == 0) == (passes, passes), reference.stdout
