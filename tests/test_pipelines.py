"""The optional pipelines are data, and what the tests say of the machine holds for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pgtap import TESTS, run_file
from servers import ROOT, Server

PIPELINES = sorted(path.name for path in (ROOT / "db" / "pipelines").glob("*.sql"))

# These ask the tables what is legal, so they judge any machine.
ABOUT_THE_MACHINE = (
    "every_step_of_the_machine_is_legal_or_refused.sql",
    "the_functions_take_every_legal_step_and_no_other.sql",
    "the_machine_has_no_dead_end.sql",
)


def _machine(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(
            "select from_status, to_status, event_type, enabled "
            "from upload_pipeline.transitions order by 1, 2, 3"
        ).fetchall()


def _add(server: Server, pipeline: str, url: str) -> None:
    path = f"db/pipelines/{pipeline}"
    done = server.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, url)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=PIPELINES)
def with_pipeline(request: pytest.FixtureRequest, postgres: Server) -> Iterator[str]:
    """A database with a pipeline added to it, as the pipeline's file says how."""
    with postgres.create(template=postgres.pgtap_template) as url:
        _add(postgres, request.param, url)
        once = _machine(url)
        _add(postgres, request.param, url)
        assert _machine(url) == once, "the second time changes nothing"
        yield url


@pytest.mark.parametrize("name", ABOUT_THE_MACHINE)
def test_the_machine_keeps_its_promises_with(
    name: str, postgres: Server, with_pipeline: str
) -> None:
    verdict, stderr = run_file(postgres, with_pipeline, TESTS / name)
    assert verdict.passed, "\n".join([*verdict.failures, *verdict.problems, stderr])
