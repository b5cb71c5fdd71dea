"""Each optional pipeline (data only) keeps the same promises as the default one.

Work in the stages that a pipeline or a user adds is claimed, lost, resumed and upgraded like any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from support.pgtap import TESTS, run_file
from support.servers import ROOT, Server

PIPELINES = sorted(path.name for path in (ROOT / "db" / "pipelines").glob("*.sql"))

# These files read from the tables what is legal, so they can test any state machine.
ABOUT_THE_MACHINE = (
    "history/raw_dml_takes_enabled_transitions_and_no_others.sql",
    "history/functions_take_every_legal_step_and_no_others.sql",
    "history/report_never_takes_a_job_out_of_a_status_with_content.sql",
    "history/state_machine_has_no_dead_end.sql",
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
    """A database with a pipeline added twice; the second time must change nothing."""
    with postgres.create(template=postgres.pgtap_template) as url:
        _add(postgres, request.param, url)
        once = _machine(url)
        _add(postgres, request.param, url)
        assert _machine(url) == once, "adding the pipeline again changed it"
        yield url


@pytest.mark.parametrize("name", ABOUT_THE_MACHINE)
def test_state_machine_keeps_its_promises_with_the_pipeline(
    name: str, postgres: Server, with_pipeline: str
) -> None:
    verdict, stderr = run_file(postgres, with_pipeline, TESTS / name)
    assert verdict.passed, "\n".join([*verdict.failures, *verdict.problems, stderr])


def test_every_value_of_the_machine_is_refused_or_works_with_the_rag_pipeline(
    postgres: Server,
) -> None:
    """Each server makes half of the changes."""
    with postgres.create(template=postgres.pgtap_template) as url:
        _add(postgres, "rag.sql", url)
        file = TESTS / "history/every_value_of_the_machine_is_refused_or_works.sql"
        verdict, stderr = run_file(postgres, url, file)
    assert verdict.passed, "\n".join([*verdict.failures, *verdict.problems, stderr])


class Worker:
    """Calls functions, each in its own transaction, at the time that the test sets."""

    def __init__(self, url: str) -> None:
        self.conn: psycopg.Connection[dict[str, Any]] = psycopg.connect(
            url, autocommit=True, row_factory=dict_row
        )

    def at(self, time: str) -> None:
        self.conn.execute(
            "create or replace function upload_pipeline.clock() returns timestamptz"
            f" language sql volatile as $$ select timestamptz '2026-01-01 {time}+00' $$".encode()
        )

    def rows(self, function: str, **arguments: Any) -> list[dict[str, Any]]:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        return self.conn.execute(query.encode(), arguments).fetchall()

    def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        (row,) = self.rows(function, **arguments)
        return row

    def claim(self, status: str) -> dict[str, UUID]:
        job = self.call("claim_jobs", status=status, worker="w")
        return {"job_id": job["job_id"], "lease_token": job["lease_token"]}

    def make_parsed_job(self) -> UUID:
        file = {"bytes_len": 1, "file_sha256": "a" * 64}
        job = self.call(
            "create_job",
            owner_id=UUID(int=1),
            filename="a.pdf",
            mime="application/pdf",
            raw_path="storage://raw/a.pdf",
            **file,
        )
        job_id: UUID = job["job_id"]
        self.call("confirm_upload", job_id=job_id, **file)
        self.call(
            "receive_content",
            source="test",
            delivery_id="d",
            body_sha256="0" * 64,
            event_type="parsed",
            job_id=job_id,
            content=b"# a",
        )
        self.call("finish_content", job_id=job_id, ordinal=1)
        return job_id


@pytest.fixture
def worker(postgres: Server) -> Iterator[Worker]:
    with postgres.create(template=postgres.template) as url:
        _add(postgres, "rag.sql", url)
        worker = Worker(url)
        with worker.conn:
            yield worker
            assert worker.rows("check_integrity") == []


def test_job_goes_through_all_stages_of_the_rag_pipeline(worker: Worker) -> None:
    worker.at("12:00")
    job_id = worker.make_parsed_job()
    for status, *codes in (
        ("parsed", "parse_validated"),
        # One worker keeps its lease from the start of this stage to its end.
        ("parse_validated", "chunking_started", "chunking_completed"),
        ("chunks_stored", "embedding_queued"),
        ("embedding_queued", "embedding_started", "embedding_completed"),
        ("embeddings_stored", "job_completed"),
    ):
        lease = worker.claim(status)
        assert lease["job_id"] == job_id
        for code in codes:
            keep = code != codes[-1]
            done = worker.call("advance_job", code=code, keep_lease=keep, **lease)
    assert done["status"] == "complete"


def test_job_whose_worker_died_in_a_started_stage_is_resumed(worker: Worker) -> None:
    worker.at("12:00")
    worker.make_parsed_job()
    worker.call("advance_job", code="parse_validated", **worker.claim("parsed"))
    lease = worker.claim("parse_validated")
    worker.call("advance_job", code="chunking_started", keep_lease=True, **lease)
    worker.at("12:02")
    assert worker.rows("claim_jobs", status="chunking", worker="x") == []
    # The lease was swept. The job is retried after a backoff, not at its deadline after 30 minutes.
    worker.at("12:02:10")
    lease = worker.claim("chunking")
    assert worker.call("advance_job", code="chunking_completed", **lease)["status"] == (
        "chunks_stored"
    )


def test_stage_of_the_rag_pipeline_fails_with_its_own_status(worker: Worker) -> None:
    worker.at("12:00")
    worker.make_parsed_job()
    worker.call("advance_job", code="parse_validated", **worker.claim("parsed"))
    error = {"error": Jsonb({"code": "x", "error": "x"}), "permanent": True}
    job_id = worker.claim("parse_validated")
    assert worker.call("fail_job", **job_id, **error)["status"] == "failed_chunking"
    retried = worker.call("retry_job", job_id=job_id["job_id"])
    assert retried["status"] == "parse_validated"
