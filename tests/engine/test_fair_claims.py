"""A short form of `make bench ARGS=fairness`: an owner does not wait for the jobs of another."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from bench.fairness import fill, wait_for_turn

GREEDY = "'00000000-0000-0000-0000-000000000001'::uuid"
AN_HOUR_AGO = "upload_pipeline.clock() - interval '1 hour'"
TOMORROW = "upload_pipeline.clock() + interval '1 day'"


@pytest.mark.parametrize("batch", [1, 10])
def test_first_job_of_an_owner_waits_for_one_turn_of_another(database: str, batch: int) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection, GREEDY, 2000, AN_HOUR_AGO)
        # From any place in the ring.
        waited = [wait_for_turn(connection, batch, UUID(int=n << 120)) for n in range(0, 256, 17)]
    assert max(one.claims for one in waited) <= 2


def test_a_turn_reads_few_rows_of_another_owner(database: str) -> None:
    """Also if the statistics were made when only one owner had jobs."""
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection, GREEDY, 2000, AN_HOUR_AGO)
        connection.execute("analyze")
        with connection.transaction():
            wait_for_turn(connection, 1, UUID(int=2))
            row = connection.execute(
                "select sum(seq_tup_read + idx_tup_fetch)::integer"
                " from pg_stat_xact_user_tables where relname = 'upload_jobs'"
            ).fetchone()
    assert row is not None
    assert row[0] < 60


def test_owners_whose_jobs_are_not_due_delay_nobody(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection, GREEDY, 2000, AN_HOUR_AGO)
        fill(connection, "gen_random_uuid()", 1000, TOMORROW)
        waited = [wait_for_turn(connection, 1, UUID(int=n << 120)) for n in range(0, 256, 51)]
    assert max(one.claims for one in waited) <= 2


def test_owner_who_waited_for_a_later_time_has_a_turn_when_it_comes(database: str) -> None:
    """Also behind many jobs of another owner whose time has come before."""
    with psycopg.connect(database, autocommit=True) as connection:
        fill(connection, GREEDY, 2000, AN_HOUR_AGO)
        connection.execute("update upload_pipeline.upload_jobs set scheduled = true")
        fill(connection, f"'{UUID(int=2)}'::uuid", 1, AN_HOUR_AGO)
        connection.execute(
            "update upload_pipeline.upload_jobs set scheduled = true where owner_id = %s",
            [UUID(int=2)],
        )
        claims = 0
        after: UUID | None = None
        while after != UUID(int=2):
            row = connection.execute(
                "select owner_id from upload_pipeline.claim_jobs('uploaded', 'w', after => %s)",
                [after],
            ).fetchone()
            assert row is not None
            after, claims = row[0], claims + 1
    # Each claim stages 50 jobs, the oldest first.
    assert claims <= 2000 / 50 + 2
