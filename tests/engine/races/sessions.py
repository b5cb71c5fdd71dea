"""Database sessions that wait for each other in an order that the test chooses.

The first session calls a function and leaves its transaction open. The second session calls, and
pg_blocking_pids shows that it waits for the first. Then the first commits or rolls back.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.races.arguments import Row, claim, event_delivery, new_job, upload
from support.servers import Server

DEADLINE = 10.0


class Session:
    """A connection with an open transaction. A call can run in a thread, so that it may wait."""

    def __init__(self, url: str, watcher: psycopg.Connection[Row]) -> None:
        self.conn = psycopg.connect(url, row_factory=dict_row)
        self._watcher = watcher
        self._thread = ThreadPoolExecutor(1)

    def close(self) -> None:
        self.conn.cancel()
        self._thread.shutdown()
        self.conn.close()

    def call(self, function: str, **arguments: Any) -> Row:
        """Call a function of upload_pipeline by named arguments; return its only row."""
        rows = self.rows(function, **arguments)
        assert len(rows) == 1
        return rows[0]

    def rows(self, function: str, **arguments: Any) -> list[Row]:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        return self.conn.execute(query.encode(), arguments).fetchall()

    def start(self, function: str, **arguments: Any) -> Future[Row]:
        return self._thread.submit(self.call, function, **arguments)

    def blocked(self, function: str, *, by: Session | None, **arguments: Any) -> Future[Row]:
        """Start a call and check that it waits for the session `by`; None means for any session."""
        future = self.start(function, **arguments)
        pid = self.conn.info.backend_pid
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if future.done():
                future.result()
                raise AssertionError(f"{function} did not wait")
            row = self._watcher.execute("select pg_blocking_pids(%s) as pids", [pid]).fetchone()
            pids = row["pids"] if row else []
            if by.conn.info.backend_pid in pids if by else pids:
                return future
            time.sleep(0.005)
        raise AssertionError(f"{function} did not wait for the other session")

    def commit(self) -> None:
        self.conn.commit()

    def rollback(self) -> None:
        self.conn.rollback()


class World:
    """A database with Hookline, its jobs, and the sessions of one test."""

    def __init__(self, server: Server, url: str, stack: ExitStack) -> None:
        self.server, self.url, self._stack = server, url, stack
        self.watcher = stack.enter_context(
            psycopg.connect(url, autocommit=True, row_factory=dict_row)
        )

    def session(self, role: str = "worker") -> Session:
        session = Session(self.server.login(self.url, role), self.watcher)
        self._stack.callback(session.close)
        return session

    def admin(self) -> Session:
        session = Session(self.url, self.watcher)
        self._stack.callback(session.close)
        return session

    def call(self, function: str, **arguments: Any) -> Row:
        """Call a function in a transaction of its own and commit."""
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        row = self.watcher.execute(query.encode(), arguments).fetchone()
        assert row is not None
        return row

    def make_job(self, file: str = "a", *, owner: int = 1, confirmed: bool = True) -> UUID:
        job_id: UUID = self.call("create_job", **new_job(file, owner))["job_id"]
        if confirmed:
            self.call("confirm_upload", job_id=job_id, **upload(file))
        return job_id

    def leased_job(self, file: str = "a", *, seconds: int = 60) -> tuple[UUID, UUID]:
        """Make a job that a worker has claimed; return its id and lease token."""
        job_id = self.make_job(file)
        claimed = self.call("claim_jobs", **claim(worker="holder", lease=f"{seconds} s"))
        assert claimed["job_id"] == job_id
        return job_id, claimed["lease_token"]

    def expire_lease(self, job_id: UUID) -> None:
        """Make the lease on a job end in the past."""
        self.watcher.execute(
            "update upload_pipeline.upload_jobs set leased_until = leased_until - interval '1 day'"
            " where job_id = %s",
            [job_id],
        )

    def status(self, job_id: UUID) -> str:
        return str(
            self.one("select status from upload_pipeline.upload_jobs where job_id = %s", job_id)
        )

    def codes(self, job_id: UUID) -> list[str]:
        query = "select code from upload_pipeline.events where job_id = %s order by version"
        return [row["code"] for row in self.watcher.execute(query, [job_id])]

    def document(self, job_id: UUID) -> UUID:
        found: UUID = self.one(
            "select document_id from upload_pipeline.upload_jobs where job_id = %s", job_id
        )
        return found

    def outcome(self, delivery_id: str) -> str:
        query = "select outcome from upload_pipeline.webhook_deliveries where delivery_id = %s"
        return str(self.one(query, delivery_id))

    def one(self, query: str, *arguments: Any) -> Any:
        row = self.watcher.execute(query.encode(), arguments).fetchone()
        return None if row is None else next(iter(row.values()))


def race(
    first: Session, one: tuple[str, Row], second: Session, two: tuple[str, Row]
) -> tuple[Row, Row]:
    """The first calls, the second waits for it, the first commits. Returns both answers."""
    answer = first.call(one[0], **one[1])
    waiting = second.blocked(two[0], by=first, **two[1])
    first.commit()
    late = waiting.result(DEADLINE)
    second.commit()
    return answer, late


def race_refused(
    first: Session, one: tuple[str, Row], second: Session, two: tuple[str, Row]
) -> tuple[Row, str | None]:
    """Like `race`, but the second fails. Returns the first's answer and the second's SQLSTATE."""
    answer = first.call(one[0], **one[1])
    waiting = second.blocked(two[0], by=first, **two[1])
    first.commit()
    with pytest.raises(psycopg.Error) as raised:
        waiting.result(DEADLINE)
    second.rollback()
    return answer, raised.value.sqlstate


def failed_job(world: World) -> UUID:
    job_id = world.make_job()
    world.call("receive_event", **event_delivery("failure", "parse_failed", job_id=job_id))
    return job_id
