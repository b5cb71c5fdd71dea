"""Workers with the worker's login. The tests of a file share a database, which takes longer to make
than they take to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.servers import Server
from support.workplace import Workplace


@pytest.fixture(scope="module")
def shared_database(postgres18: Server) -> Iterator[str]:
    with postgres18.create(template=postgres18.template) as url:
        yield url


@pytest.fixture
def workplace(postgres18: Server, shared_database: str, tmp_path: Path) -> Iterator[Workplace]:
    """A workplace whose stages are as installed. Unfinished jobs are cancelled at its end."""
    login = postgres18.login(shared_database, "worker")
    with closing(Workplace(shared_database, login, tmp_path)) as made:
        yield made
        made.query(
            "update upload_pipeline.statuses set retry_base = default, max_tries = default,"
            " paused_until = null, paused_because = null, paused_by = null"
        )
        made.query(
            "with unfinished as materialized ("
            " select job_id from upload_pipeline.upload_jobs where not terminal)"
            " select upload_pipeline.cancel_job(job_id) from unfinished"
        )
