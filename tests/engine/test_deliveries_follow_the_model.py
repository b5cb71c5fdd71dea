"""receive_events, receive_event and a small model agree, however deliveries are put into calls."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from engine.delivery_model import CODES, Delivery, Job, Model
from engine.races.arguments import Row, event_delivery, new_job, sha, upload
from support.servers import Server

NAMES = ("plain", "sent", "retried", "failed", "newer")
PROVIDER_JOBS = ("of sent", "of retried, first", "of retried", "of failed", "new", "other")

DELIVERIES = st.builds(
    Delivery,
    delivery_id=st.sampled_from(["d1", "d2", "d3", "d4"]),
    event_type=st.sampled_from(["x", "y"]),
    body=st.sampled_from(["a", "b"]),
    code=st.sampled_from([*CODES, *CODES, None, "job_created"]),
    job=st.sampled_from([None, None, *NAMES, "nobody"]),
    document=st.sampled_from([None, None, None, "plain", "sent", "failed"]),
    parse_job_id=st.sampled_from([None, *PROVIDER_JOBS]),
)
CALLS = st.lists(st.lists(DELIVERIES, min_size=1, max_size=6), min_size=1, max_size=5)

_PLURAL = b"""
select a.* from upload_pipeline.receive_events(array(
  select d from json_populate_recordset(null::upload_pipeline.delivery, %s::json) as d)) as a
"""


class World:
    """A database with the jobs of NAMES; each example is rolled back."""

    def __init__(self, conn: psycopg.Connection[Row]) -> None:
        self.conn = conn
        self.ids = {"nobody": UUID(int=0)}
        for name in ("plain", "sent", "retried", "failed"):
            self.ids[name] = self.do("create_job", **new_job(name))["job_id"]
            self.do("confirm_upload", job_id=self.ids[name], **upload(name))
        self.submit("sent", 1, "of sent")
        self.submit("retried", 1, "of retried, first")
        self.do("retry_job", job_id=self.ids["retried"])
        self.submit("retried", 2, "of retried")
        self.do("receive_event", **event_delivery("0", "parse_failed", job_id=self.ids["failed"]))
        self.do("record_submission", **self.submission("failed", 1, "of failed"))
        self.ids["newer"] = self.do("create_job", **new_job("failed"))["job_id"]

    def do(self, function: str, **arguments: Any) -> Row:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        row = self.conn.execute(query.encode(), arguments).fetchone()
        assert row is not None
        return row

    def submission(self, name: str, attempt: int, parse_job_id: str) -> Row:
        return {"job_id": self.ids[name], "attempt": attempt, "parse_job_id": parse_job_id}

    def submit(self, name: str, attempt: int, parse_job_id: str) -> None:
        self.do("record_submission", **self.submission(name, attempt, parse_job_id))

    def job(self, name: str) -> Row:
        row = self.conn.execute(
            "select document_id, status, version, attempt from upload_pipeline.upload_jobs"
            " where job_id = %s",
            [self.ids[name]],
        ).fetchone()
        assert row is not None
        return row

    def model(self) -> Model:
        jobs = {}
        for name in NAMES:
            row = self.job(name)
            jobs[name] = Job(str(row["document_id"]), row["status"], row["version"], row["attempt"])
        names = {job_id: name for name, job_id in self.ids.items()}
        rows = self.conn.execute(
            "select parse_job_id, job_id, attempt from upload_pipeline.provider_jobs"
        ).fetchall()
        links = {row["parse_job_id"]: (names[row["job_id"]], row["attempt"]) for row in rows}
        return Model(jobs, links)

    def arguments(self, d: Delivery) -> Row:
        return {
            "source": "llamaparse",
            "delivery_id": d.delivery_id,
            "body_sha256": sha(d.body),
            "event_type": d.event_type,
            "code": d.code,
            "job_id": str(self.ids[d.job]) if d.job else None,
            "document_id": str(self.job(d.document)["document_id"]) if d.document else None,
            "parse_job_id": d.parse_job_id,
        }

    def one_by_one(self, call: list[Delivery]) -> list[tuple[str, Any, Any]]:
        return [self.alone(d) for d in call]

    def alone(self, d: Delivery) -> tuple[str, Any, Any]:
        try:
            with self.conn.transaction():
                row = self.do("receive_event", **self.arguments(d))
        except psycopg.Error as error:
            return error.sqlstate or "", None, None
        return row["outcome"], row["status"], row["version"]

    def together(self, call: list[Delivery]) -> list[tuple[str, Any, Any]]:
        rows = [{**self.arguments(d), "payload": {}} for d in call]
        answers = self.conn.execute(_PLURAL, [psycopg.types.json.Json(rows)]).fetchall()
        assert [row["number"] for row in answers] == [*range(1, len(call) + 1)]
        for row in answers:
            assert (row["outcome"] is None) == (row["sqlstate"] is not None) == bool(row["hint"])
        return [
            (row["outcome"] or row["sqlstate"], row["status"], row["version"]) for row in answers
        ]

    def state(self) -> Any:
        names: dict[UUID | None, str | None] = {job: name for name, job in self.ids.items()}
        rows = self.conn.execute(
            "select delivery_id, outcome, job_id, times_seen"
            " from upload_pipeline.webhook_deliveries where delivery_id <> '0' order by 1"
        ).fetchall()
        model = self.model()
        violations = self.conn.execute("select * from upload_pipeline.check_integrity()").fetchall()
        self.conn.execute("set constraints all immediate")
        self.conn.execute("set constraints all deferred")
        assert violations == []
        return (
            [
                (r["delivery_id"], r["outcome"], names.get(r["job_id"]), r["times_seen"])
                for r in rows
            ],
            model.jobs,
            model.links,
        )


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    with (
        postgres.create(template=postgres.template) as url,
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
    ):
        yield World(conn)


def test_receive_events_receive_event_and_the_model_agree_on_every_split(world: World) -> None:
    """Hypothesis prints the example that fails, and how to run it again."""
    fresh = world.model()

    @settings(
        max_examples=40,
        deadline=None,
        print_blob=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(CALLS)
    def agree(calls: list[list[Delivery]]) -> None:
        model = copy.deepcopy(fresh)
        wanted = [[model.deliver(d) for d in call] for call in calls]
        state = (
            sorted((name, s.outcome, s.job, s.times) for name, s in model.seen.items()),
            model.jobs,
            model.links,
        )
        for way in (world.one_by_one, world.together):
            with world.conn.transaction(force_rollback=True):
                assert [way(call) for call in calls] == wanted, way.__name__
                assert world.state() == state, way.__name__
        with world.conn.transaction(force_rollback=True):
            every = [d for call in calls for d in call]
            assert world.together(every) == [answer for call in wanted for answer in call]
            assert world.state() == state

    agree()
