"""A limit that stands in Python and in SQL is the same, or leaves room for the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import annotated_types
import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.races.arguments import claim, content_delivery, new_job, under_lease, upload
from hookline.providers import artifacts
from hookline.receiver import drain
from hookline.settings import ConfigurationError, Settings
from hookline.stages import Failed
from hookline.stages.registry import Stage
from hookline.worker import completion
from hookline.worker.parsing import requests
from support.servers import Server

INVALID = "UP006"


class Database:
    """One session whose work is undone at the end."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn

    def one(self, query: str, *arguments: object) -> Any:
        row = self.conn.execute(query.encode(), arguments).fetchone()
        return row[0] if row else None

    def call(self, function: str, returned: str, **arguments: object) -> Any:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select {returned} from upload_pipeline.{function}({named}) as answer"  # noqa: S608
        row = self.conn.execute(query.encode(), arguments).fetchone()
        return row[0] if row else None

    def accepts(self, function: str, **arguments: object) -> bool:
        try:
            with self.conn.transaction():
                self.call(function, "1", **arguments)
        except psycopg.Error as error:
            if error.sqlstate != INVALID:
                raise
            return False
        return True

    def leased_job(self) -> tuple[UUID, UUID]:
        job_id = self.call("create_job", "job_id", **new_job("a"))
        self.call("confirm_upload", "1", job_id=job_id, **upload("a"))
        return job_id, self.call("claim_jobs", "lease_token", **claim())


@pytest.fixture
def database(postgres18: Server) -> Iterator[Database]:
    with (
        postgres18.create(template=postgres18.template) as url,
        psycopg.connect(url) as conn,
    ):
        yield Database(conn)


def bounds(setting: str) -> tuple[Any, Any]:
    """The least and the greatest value of a number among the settings, or of a text's length."""
    low = high = None
    for limit in Settings.model_fields[setting].metadata:
        if isinstance(limit, annotated_types.Ge):
            low = limit.ge
        if isinstance(limit, annotated_types.Le):
            high = limit.le
        if isinstance(limit, annotated_types.MinLen):
            low = limit.min_length
        if isinstance(limit, annotated_types.MaxLen):
            high = limit.max_length
    return low, high


def around(least: float, greatest: float) -> list[tuple[Any, bool]]:
    """The bounds and their neighbours outside, each with whether it is accepted."""
    return [(least - 1, False), (least, True), (greatest, True), (greatest + 1, False)]


def test_artifacts_are_limited_alike(database: Database) -> None:
    job_id, lease_token = database.leased_job()

    def accepted(count: int, name: str = "") -> bool:
        made = [
            {"kind": "k", "name": f"{name}{n}", "sha256": "a" * 64, "bytes": 1, "extension": "png"}
            for n in range(count)
        ]
        lease = under_lease(job_id, lease_token, artifacts=Jsonb(made))
        return database.accepts("receive_artifacts", **lease)

    assert not accepted(artifacts.MOST + 1)
    assert accepted(1, "n" * (artifacts.LONGEST_NAME - 1))
    assert not accepted(1, "n" * artifacts.LONGEST_NAME)


def test_a_worker_ends_a_request_to_a_provider_before_its_claim_ends(database: Database) -> None:
    database.conn.execute(
        "insert into upload_pipeline.provider_requests (provider, parse_job_id, kind)"
        " values ('acme', 'p', 'delete')"
    )
    database.call("claim_provider_requests", "1", provider="acme")
    lease = database.one(
        "select run_after - upload_pipeline.clock() from upload_pipeline.provider_requests"
    )
    assert timedelta(seconds=requests.SENT_WITHIN + 30) < lease


def test_the_drain_ends_its_deletions_before_its_claim_on_them_ends(database: Database) -> None:
    database.one(
        "insert into upload_pipeline.deletions (path, run_after)"
        " values ('storage://raw/a', upload_pipeline.clock()) returning true"
    )
    assert database.call("claim_deletions", "path") == "storage://raw/a"
    claimed_for = database.one(
        "select claimed_until - upload_pipeline.clock() from upload_pipeline.deletions"
    ).total_seconds()
    _, longest_call = bounds("storage_deadline")
    # One call of the storage fits, and a request that is carried out late has ten seconds.
    assert longest_call <= drain._DELETE_WITHIN <= claimed_for - 10


def test_receiver_and_drain_write_content_before_anyone_else_tries_or_deletes(
    database: Database,
) -> None:
    job_id, _ = database.leased_job()
    database.call("receive_content", "1", **content_delivery("d", job_id, b"# a"))
    pause = "select run_after - received_at from upload_pipeline.contents"
    again = "select run_after - upload_pipeline.clock() from upload_pipeline.contents"
    _, longest_call = bounds("storage_deadline")
    assert timedelta(seconds=longest_call) < database.one(pause)
    database.one(
        "update upload_pipeline.contents set run_after = upload_pipeline.clock() returning 1"
    )
    assert database.call("claim_contents", "path")
    assert timedelta(seconds=longest_call) < database.one(again)
    document_id = database.call("create_job", "document_id", **new_job("a"))
    database.call("erase_document", "1", document_id=document_id)
    deletion = "select min(run_after) - upload_pipeline.clock() from upload_pipeline.deletions"
    assert timedelta(seconds=2 * longest_call) < database.one(deletion)


def test_lease_has_the_same_bounds_in_the_settings_the_stages_and_the_engine(
    database: Database,
) -> None:
    job_id, token = database.leased_job()
    for seconds, right in around(*bounds("lease")):
        lease = timedelta(seconds=seconds)
        assert database.accepts("claim_jobs", **{**claim(), "lease": lease}) is right
        assert database.accepts("heartbeat", **under_lease(job_id, token, lease=lease)) is right
        assert stage_is_right(lease_seconds=seconds) is right


def test_concurrency_of_a_stage_is_at_most_the_batch_of_a_claim(database: Database) -> None:
    for count, right in around(1, 1000):
        assert database.accepts("claim_jobs", **{**claim(), "batch": count}) is right
        assert stage_is_right(concurrency=count) is right


def stage_is_right(**options: Any) -> bool:
    async def handler(job: object, tools: object) -> str:
        return "done"

    try:
        Stage("parsed", handler, **options)
    except ConfigurationError:
        return False
    return True


def test_name_of_a_worker_has_the_same_bounds_in_the_settings_and_the_engine(
    database: Database,
) -> None:
    for length, right in around(*bounds("worker_name")):
        assert database.accepts("claim_jobs", **{**claim(), "worker": "w" * length}) is right


@pytest.mark.parametrize("character", ["\x01", "\U0001f600", '"', "\ud800"])
def test_longest_error_of_a_worker_can_be_stored(database: Database, character: str) -> None:
    job_id, token = database.leased_job()
    error = completion._error_argument(Failed(character * 200, character * 20_000))
    assert len(json.dumps(error)) > completion._LONGEST_TEXT
    assert database.accepts("fail_job", **under_lease(job_id, token, error=Jsonb(error)))


def test_longest_reason_of_a_pause_is_that_of_pause_stage(database: Database) -> None:
    until = database.one("select upload_pipeline.clock() + interval '1 hour'")
    for length, right in around(1, completion._LONGEST_REASON):
        arguments = {"status": "uploaded", "until": until, "reason": "r" * length}
        assert database.accepts("pause_stage", **arguments) is right


def test_an_unanswered_submission_is_looked_for_until_its_reservation_is_claimed(
    database: Database,
) -> None:
    """Reconcile takes a job that the provider does not list for one that was never submitted."""
    job_id, token = database.leased_job()
    database.call("reserve_credits", "1", **under_lease(job_id, token, credits=1))
    open_for = database.one(
        "select check_after - reserved_at from upload_pipeline.credit_reservations"
    )
    _, longest_grace = bounds("submit_grace")
    assert timedelta(seconds=longest_grace) <= open_for
