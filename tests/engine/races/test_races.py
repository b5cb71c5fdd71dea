"""Two sessions at once: whoever comes second sees what the first did, and nothing is done twice.

The interleaving is held by open transactions: one session calls and does not commit, the other
calls and is seen to wait for it (pg_blocking_pids), then the first commits.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from support.servers import Server

Row = dict[str, Any]
DEADLINE = 10.0


def sha(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


class Session:
    """A connection whose transaction is open until `commit`; a call may run in the background."""

    def __init__(self, url: str, watcher: psycopg.Connection[Row]) -> None:
        self.conn = psycopg.connect(url, row_factory=dict_row)
        self._watcher = watcher
        self._thread = ThreadPoolExecutor(1)

    def close(self) -> None:
        self.conn.cancel()
        self._thread.shutdown()
        self.conn.close()

    def call(self, function: str, **arguments: Any) -> Row:
        """The single row of a function of upload_pipeline, by named arguments."""
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
        """Start a call and see it wait for another session, None for any."""
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
        raise AssertionError(f"{function} does not wait for the other session")

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

    def do(self, function: str, **arguments: Any) -> Row:
        """A call of its own, committed."""
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        row = self.watcher.execute(query.encode(), arguments).fetchone()
        assert row is not None
        return row

    def job(self, file: str = "a", *, confirmed: bool = True) -> UUID:
        job_id: UUID = self.do("create_job", **new_job(file))["job_id"]
        if confirmed:
            self.do("confirm_upload", job_id=job_id, **upload(file))
        return job_id

    def lease(self, file: str = "a", *, seconds: int = 60) -> tuple[UUID, UUID]:
        """A job and the token under which a worker holds it."""
        job_id = self.job(file)
        claimed = self.do("claim_jobs", **claim(worker="holder", lease=f"{seconds} s"))
        assert claimed["job_id"] == job_id
        return job_id, claimed["lease_token"]

    def pass_by(self, job_id: UUID) -> None:
        """The lease on a job has run out."""
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


def new_job(file: str, owner: int = 1) -> Row:
    return {
        "owner_id": UUID(int=owner),
        "filename": f"{file}.pdf",
        "mime": "application/pdf",
        **upload(file),
        "raw_path": f"storage://raw/{owner}/{file}.pdf",
    }


def upload(file: str) -> Row:
    return {"bytes_len": len(file), "file_sha256": sha(file)}


def told(delivery_id: str, code: str, **arguments: Any) -> Row:
    """The arguments of receive_event."""
    return {
        "source": "llamaparse",
        "delivery_id": delivery_id,
        "body_sha256": sha(delivery_id),
        "event_type": code,
        "code": code,
        **arguments,
    }


def brought(delivery_id: str, job_id: UUID, content: bytes, **arguments: Any) -> Row:
    """The arguments of receive_content."""
    return {
        "source": "llamaparse",
        "delivery_id": delivery_id,
        "body_sha256": sha(delivery_id),
        "event_type": "parsed",
        "job_id": job_id,
        "content": content,
        **arguments,
    }


ERROR = Jsonb({"code": "boom", "error": "It broke."})


def claim(status: str = "uploaded", **arguments: Any) -> Row:
    """The arguments of claim_jobs."""
    return {"status": status, "worker": "w", "batch": 10, "lease": "60 s", **arguments}


def held(job_id: UUID, token: UUID, **arguments: Any) -> Row:
    """The arguments of a call under a lease."""
    return {"job_id": job_id, "lease_token": token, **arguments}


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    with postgres.create(template=postgres.template) as url, ExitStack() as stack:
        world = World(postgres, url, stack)
        yield world
        assert (
            world.watcher.execute("select * from upload_pipeline.check_integrity()").fetchall()
            == []
        )


def race(
    first: Session, one: tuple[str, Row], second: Session, two: tuple[str, Row]
) -> tuple[Row, Row]:
    """The first calls, the second waits for it, the first commits: what each was answered."""
    answer = first.call(one[0], **one[1])
    waiting = second.blocked(two[0], by=first, **two[1])
    first.commit()
    late = waiting.result(DEADLINE)
    second.commit()
    return answer, late


def refused(
    first: Session, one: tuple[str, Row], second: Session, two: tuple[str, Row]
) -> tuple[Row, str | None]:
    """As `race`, where the second is answered with an error: its SQLSTATE."""
    answer = first.call(one[0], **one[1])
    waiting = second.blocked(two[0], by=first, **two[1])
    first.commit()
    with pytest.raises(psycopg.Error) as raised:
        waiting.result(DEADLINE)
    second.rollback()
    return answer, raised.value.sqlstate


def test_a_delivery_that_parks_is_applied_by_the_submission_that_waited_for_it(
    world: World,
) -> None:
    job_id = world.job()
    parked, recorded = race(
        world.session(),
        ("receive_event", told("d1", "parse_ready", parse_job_id="p1")),
        world.session(),
        ("record_submission", {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}),
    )
    assert (parked["outcome"], recorded["outcome"]) == ("parked", "applied")
    assert recorded["status"] == world.status(job_id) == "parse_ready"
    assert world.outcome("d1") == "applied"
    assert world.codes(job_id)[2:] == ["parse_submitted", "parse_ready"]


def test_a_delivery_that_waited_for_the_submission_finds_its_job(world: World) -> None:
    job_id = world.job()
    _, late = race(
        world.session(),
        ("record_submission", {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}),
        world.session(),
        ("receive_event", told("d1", "parse_ready", parse_job_id="p1")),
    )
    assert (late["outcome"], late["status"]) == ("applied", "parse_ready")
    assert world.outcome("d1") == "applied"


def test_a_submission_that_is_rolled_back_leaves_the_delivery_parked(world: World) -> None:
    job_id = world.job()
    submitting, hook = world.session(), world.session()
    submitting.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    waiting = hook.blocked(
        "receive_event", by=submitting, **told("d1", "parse_ready", parse_job_id="p1")
    )
    submitting.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "parked"
    hook.commit()
    again = world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    assert again["status"] == "parse_ready"


@pytest.mark.parametrize("named_by", ["job_id", "parse_job_id"])
def test_the_same_delivery_twice_at_once_counts_once(world: World, named_by: str) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    name = {"job_id": job_id} if named_by == "job_id" else {"parse_job_id": "p1"}
    delivery = told("d1", "parse_failed", **name)
    one, two = race(
        world.session(), ("receive_event", delivery), world.session(), ("receive_event", delivery)
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert world.codes(job_id).count("parse_failed") == 1
    assert world.one("select times_seen from upload_pipeline.webhook_deliveries") == 2


def test_the_same_delivery_twice_at_once_is_applied_by_the_second_if_the_first_fails(
    world: World,
) -> None:
    job_id = world.job()
    first, second = world.session(), world.session()
    delivery = told("d1", "parse_failed", job_id=job_id)
    first.call("receive_event", **delivery)
    waiting = second.blocked("receive_event", by=first, **delivery)
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()
    assert world.codes(job_id).count("parse_failed") == 1


def test_the_same_delivery_parked_twice_at_once_is_one(world: World) -> None:
    delivery = told("d1", "parse_ready", parse_job_id="p1")
    one, two = race(
        world.session(), ("receive_event", delivery), world.session(), ("receive_event", delivery)
    )
    assert (one["outcome"], two["outcome"]) == ("parked", "parked")
    assert world.one("select times_seen from upload_pipeline.webhook_deliveries") == 2


def test_the_same_delivery_id_for_two_jobs_at_once_is_a_conflict(world: World) -> None:
    one, other = world.job("a"), world.job("b")
    _, state = refused(
        world.session(),
        ("receive_event", told("d1", "parse_failed", job_id=one)),
        world.session(),
        ("receive_event", told("d1", "parse_failed", job_id=other)),
    )
    assert state == "UP007"
    assert world.status(other) == "uploaded"


def test_of_two_successes_at_once_one_is_applied(world: World) -> None:
    job_id = world.job()
    one, two = race(
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=job_id)),
        world.session(),
        ("receive_event", told("d2", "parse_ready", job_id=job_id)),
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "stale")
    assert world.codes(job_id).count("parse_ready") == 1


def test_of_two_contents_at_once_each_has_its_path_and_one_is_applied(world: World) -> None:
    job_id = world.job()
    one, two = race(
        world.session(),
        ("receive_content", brought("d1", job_id, b"one")),
        world.session(),
        ("receive_content", brought("d2", job_id, b"two")),
    )
    assert (one["outcome"], two["outcome"]) == ("kept", "kept")
    assert one["path"] != two["path"]

    one, two = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 2}),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert (one["outcome"], two["outcome"]) == ("applied", "stale")
    assert world.outcome("d2") == "applied"
    assert world.outcome("d1") == "stale"


def test_the_same_content_twice_at_once_shares_its_path(world: World) -> None:
    job_id = world.job()
    one, two = race(
        world.session(),
        ("receive_content", brought("d1", job_id, b"one")),
        world.session(),
        ("receive_content", brought("d2", job_id, b"one")),
    )
    assert (one["path"], one["ordinal"]) == (two["path"], two["ordinal"])


def test_a_failure_that_waited_for_content_does_not_cost_the_content(world: World) -> None:
    job_id = world.job()
    kept, failed = race(
        world.session(),
        ("receive_content", brought("d1", job_id, b"# a")),
        world.session(),
        ("receive_event", told("d2", "parse_failed", job_id=job_id)),
    )
    assert (kept["outcome"], failed["outcome"]) == ("kept", "applied")
    assert world.do("finish_content", job_id=job_id, ordinal=1)["outcome"] == "applied"
    assert world.status(job_id) == "parsed"


def test_a_failure_that_waited_for_the_end_of_content_is_stale(world: World) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    _, failed = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session(),
        ("receive_event", told("d2", "parse_failed", job_id=job_id)),
    )
    assert failed["outcome"] == "stale"
    assert world.status(job_id) == "parsed"


def test_the_end_of_content_that_waited_for_a_failure_rescues_the_job(world: World) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    _, finished = race(
        world.session(),
        ("receive_event", told("d2", "parse_failed", job_id=job_id)),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert finished["outcome"] == "applied"
    assert world.codes(job_id)[2:] == ["parse_failed", "parse_completed"]


def test_content_that_waited_for_a_cancel_is_stale(world: World) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    _, finished = race(
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert (finished["outcome"], finished["status"]) == ("stale", "cancelled")


def test_a_cancel_that_waited_for_content_ends_a_parsed_job(world: World) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    finished, cancelled = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
    )
    assert (finished["outcome"], cancelled["status"]) == ("applied", "cancelled")
    assert world.codes(job_id)[2:] == ["parse_completed", "job_cancelled"]


def test_content_that_is_finished_twice_at_once_counts_once(world: World) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    finish = ("finish_content", {"job_id": job_id, "ordinal": 1})
    one, two = race(world.session(), finish, world.session(), finish)
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert world.codes(job_id).count("parse_completed") == 1


def test_a_job_that_is_made_twice_at_once_is_one(world: World) -> None:
    create = ("create_job", new_job("a"))
    one, two = race(world.session("operator"), create, world.session("operator"), create)
    assert (one["outcome"], two["outcome"]) == ("applied", "duplicate")
    assert one["job_id"] == two["job_id"]


def test_a_job_whose_twin_was_not_made_after_all_is_made(world: World) -> None:
    first, second = world.session("operator"), world.session("operator")
    first.call("create_job", **new_job("a"))
    waiting = second.blocked("create_job", by=first, **new_job("a"))
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()


def test_a_job_whose_twin_finishes_at_that_moment_is_made(world: World) -> None:
    """Between the insert that met the unfinished job and the look at it, that job is cancelled."""
    job_id = world.job()
    world.watcher.execute("""
        create function public.wait() returns trigger language plpgsql security definer
        as $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$
    """)
    world.watcher.execute(
        "create trigger wait after insert on upload_pipeline.upload_jobs "
        "for each statement execute function public.wait()"
    )
    holder, creator = world.admin(), world.session("operator")
    holder.conn.execute("select pg_advisory_xact_lock(1)")
    waiting = creator.blocked("create_job", by=holder, **new_job("a"))
    holder.call("cancel_job", job_id=job_id)
    holder.commit()
    made = waiting.result(DEADLINE)
    creator.commit()
    assert made["outcome"] == "applied"
    assert made["job_id"] not in (None, job_id)


def _failed_job(world: World) -> UUID:
    job_id = world.job()
    world.do("receive_event", **told("failure", "parse_failed", job_id=job_id))
    return job_id


def test_a_rescue_that_waited_for_a_newer_job_is_stale(world: World) -> None:
    failed = _failed_job(world)
    made, rescue = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=failed)),
    )
    assert (made["outcome"], rescue["outcome"]) == ("applied", "stale")
    assert world.status(failed) == "failed_parse"


def test_a_rescue_succeeds_if_the_newer_job_is_not_made_after_all(world: World) -> None:
    failed = _failed_job(world)
    operator, hook = world.session("operator"), world.session()
    operator.call("create_job", **new_job("a"))
    waiting = hook.blocked("receive_event", by=operator, **told("d1", "parse_ready", job_id=failed))
    operator.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    hook.commit()


def test_content_that_waited_for_a_newer_job_is_stale(world: World) -> None:
    failed = _failed_job(world)
    world.do("receive_content", **brought("d1", failed, b"# a"))
    _, finished = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session(),
        ("finish_content", {"job_id": failed, "ordinal": 1}),
    )
    assert (finished["outcome"], finished["status"]) == ("stale", "failed_parse")


def test_a_new_job_that_waited_for_a_rescue_is_the_rescued_one(world: World) -> None:
    failed = _failed_job(world)
    rescue, made = race(
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=failed)),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    assert (rescue["outcome"], made["outcome"]) == ("applied", "duplicate")
    assert (made["job_id"], made["status"]) == (failed, "parse_ready")


def test_a_retry_that_waited_for_a_newer_job_is_refused(world: World) -> None:
    failed = _failed_job(world)
    _, state = refused(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session("operator"),
        ("retry_job", {"job_id": failed}),
    )
    assert state == "UP009"


@pytest.mark.parametrize("code", ["parse_ready", "parse_failed"])
def test_a_webhook_that_waited_for_a_retry_is_of_an_earlier_attempt(
    world: World, code: str
) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    _, late = race(
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
        world.session(),
        ("receive_event", told("d1", code, parse_job_id="p1")),
    )
    assert (late["outcome"], late["status"]) == ("stale", "uploaded")


def test_a_retry_that_waited_for_a_success_retries_it_nevertheless(world: World) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    success, retried = race(
        world.session(),
        ("receive_event", told("d1", "parse_ready", parse_job_id="p1")),
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
    )
    assert (success["outcome"], retried["outcome"]) == ("applied", "applied")
    assert world.codes(job_id)[3:] == ["parse_ready", "job_retried"]


def test_a_retry_that_waited_for_the_end_of_content_does_not_lose_it(world: World) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    world.do("receive_content", **brought("d1", job_id, b"# a", parse_job_id="p1"))
    _, retried = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("retry_job", {"job_id": job_id}),
    )
    assert (retried["outcome"], retried["status"]) == ("applied", "parsed")
    assert world.one("select parsed_path from upload_pipeline.upload_jobs") is not None


def _document(world: World, job_id: UUID) -> Row:
    query = "select document_id from upload_pipeline.upload_jobs where job_id = %s"
    return {"document_id": world.one(query, job_id)}


def test_an_erasure_that_waited_for_content_erases_its_object_too(world: World) -> None:
    job_id = world.job()
    kept, erased = race(
        world.session(),
        ("receive_content", brought("d1", job_id, b"# a")),
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
    )
    assert erased == {"jobs": 1, "objects": 2}
    paths = world.watcher.execute("select path from upload_pipeline.deletions").fetchall()
    assert kept["path"] in [row["path"] for row in paths]
    assert world.one("select count(*) from upload_pipeline.contents") == 0


def test_an_erasure_that_waited_for_the_end_of_content_erases_its_object_too(
    world: World,
) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    finished, erased = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
    )
    assert (finished["outcome"], erased["objects"]) == ("applied", 2)


@pytest.mark.parametrize("call", ["receive_content", "finish_content", "receive_event"])
def test_what_waited_for_an_erasure_finds_its_job_unknown(world: World, call: str) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    arguments = {
        "receive_content": brought("d2", job_id, b"# a"),
        "finish_content": {"job_id": job_id, "ordinal": 1},
        "receive_event": told("d2", "parse_failed", job_id=job_id),
    }
    _, state = refused(
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
        world.session(),
        (call, arguments[call]),
    )
    assert state == "UP001"
    assert world.one("select count(*) from upload_pipeline.contents") == 0


def test_a_thin_event_that_waited_for_an_erasure_is_parked(world: World) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    _, late = race(
        world.session("operator"),
        ("erase_document", _document(world, job_id)),
        world.session(),
        ("receive_event", told("d1", "parse_ready", parse_job_id="p1")),
    )
    assert late["outcome"] == "parked"


def test_two_documents_of_one_raw_file_erased_at_once_do_not_leave_it(world: World) -> None:
    shared = {"raw_path": "storage://raw/shared.pdf"}
    ada = world.do("create_job", **{**new_job("a", owner=1), **shared})
    bob = world.do("create_job", **{**new_job("a", owner=2), **shared})
    one, two = race(
        world.session("operator"),
        ("erase_document", {"document_id": ada["document_id"]}),
        world.session("operator"),
        ("erase_document", {"document_id": bob["document_id"]}),
    )
    assert (one["objects"], two["objects"]) == (0, 1)


def test_an_erasure_and_a_submission_with_parked_deliveries_do_not_wait_for_each_other(
    world: World,
) -> None:
    """The second write of a job's row in one transaction locks its document, to check the key."""
    job_id = world.job()
    world.do("receive_event", **told("d1", "parse_ready", parse_job_id="p1"))
    dba, worker, operator = world.admin(), world.session(), world.session("operator")
    dba.conn.execute(
        "select from upload_pipeline.upload_jobs where job_id = %s for no key update", [job_id]
    )
    submission = {"job_id": job_id, "attempt": 1, "parse_job_id": "p1"}
    recorded = worker.blocked("record_submission", by=dba, **submission)
    erased = operator.blocked("erase_document", by=None, **_document(world, job_id))
    dba.commit()
    assert recorded.result(DEADLINE)["status"] == "parse_ready"
    worker.commit()
    assert erased.result(DEADLINE)["jobs"] == 1
    operator.commit()


def test_a_new_job_that_waited_for_an_erasure_has_a_new_document(world: World) -> None:
    job_id = world.job()
    document = _document(world, job_id)
    _, made = race(
        world.session("operator"),
        ("erase_document", document),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    assert made["outcome"] == "applied"
    assert made["document_id"] != document["document_id"]


def test_a_webhook_that_waited_for_a_purge_finds_its_job_unknown(world: World) -> None:
    job_id = _failed_job(world)
    _, state = refused(
        world.session("operator"),
        ("purge", {"older_than": "0"}),
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=job_id)),
    )
    assert state == "UP001"


def test_a_thin_event_that_waited_for_a_purge_is_parked(world: World) -> None:
    job_id = world.job()
    world.do("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    world.do("cancel_job", job_id=job_id)
    purged, late = race(
        world.session("operator"),
        ("purge", {"older_than": "0"}),
        world.session(),
        ("receive_event", told("d1", "parse_ready", parse_job_id="p1")),
    )
    assert (purged["jobs"], late["outcome"]) == (1, "parked")


def test_a_purge_passes_by_a_job_that_is_being_rescued(world: World) -> None:
    job_id = _failed_job(world)
    hook, operator = world.session(), world.session("operator")
    hook.call("receive_event", **told("d1", "parse_ready", job_id=job_id))
    assert operator.start("purge", older_than="0").result(DEADLINE)["jobs"] == 0
    operator.commit()
    hook.commit()
    assert world.status(job_id) == "parse_ready"


def test_the_end_of_content_that_waited_for_a_redelivery_counts_once(world: World) -> None:
    job_id = world.job()
    content = brought("d1", job_id, b"# a")
    world.do("receive_content", **content)
    again, finished = race(
        world.session(),
        ("receive_content", content),
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
    )
    assert (again["outcome"], finished["outcome"]) == ("kept", "applied")
    late = world.do("finish_content", job_id=job_id, ordinal=1)
    assert late["outcome"] == "duplicate"
    assert world.codes(job_id).count("parse_completed") == 1


def test_a_redelivery_that_waited_for_the_end_of_content_is_a_duplicate(world: World) -> None:
    job_id = world.job()
    content = brought("d1", job_id, b"# a")
    world.do("receive_content", **content)
    _, again = race(
        world.session(),
        ("finish_content", {"job_id": job_id, "ordinal": 1}),
        world.session(),
        ("receive_content", content),
    )
    assert again["outcome"] == "duplicate"
    assert world.one("select count(*) from upload_pipeline.contents where content is not null") == 0


def test_the_drain_passes_by_content_that_another_has_in_hand(world: World) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"one"))
    world.do("receive_content", **brought("d2", job_id, b"two"))
    world.watcher.execute(
        "update upload_pipeline.contents set run_after = run_after - '1 h'::interval"
    )
    first, second = world.session("ingest"), world.session("ingest")
    one = first.rows("claim_contents", batch=1)
    two = second.rows("claim_contents", batch=10)
    assert [len(one), len(two)] == [1, 1]
    assert one[0]["ordinal"] != two[0]["ordinal"]
    first.commit()
    second.commit()


def test_a_webhook_that_waited_for_the_confirmation_moves_the_job(world: World) -> None:
    job_id = world.job(confirmed=False)
    confirmed, told_later = race(
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
        world.session(),
        ("receive_event", told("d1", "parse_started", job_id=job_id)),
    )
    assert (confirmed["outcome"], told_later["outcome"]) == ("applied", "applied")
    assert world.one("select upload_confirmed from upload_pipeline.upload_jobs") is True


def test_a_confirmation_that_waited_for_a_webhook_is_kept(world: World) -> None:
    job_id = world.job(confirmed=False)
    _, confirmed = race(
        world.session(),
        ("receive_event", told("d1", "parse_started", job_id=job_id)),
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
    )
    assert (confirmed["outcome"], confirmed["status"]) == ("stale", "parse_queued")
    assert world.one("select upload_confirmed from upload_pipeline.upload_jobs") is True


def test_a_job_made_while_its_upload_is_confirmed_knows_it(world: World) -> None:
    job_id = world.job(confirmed=False)
    world.do("cancel_job", job_id=job_id)
    _, made = race(
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
        world.session("operator"),
        ("create_job", new_job("a")),
    )
    query = "select upload_confirmed from upload_pipeline.upload_jobs where job_id = %s"
    assert world.one(query, made["job_id"]) is True


def test_a_confirmation_that_waited_for_a_new_job_reaches_it(world: World) -> None:
    job_id = world.job(confirmed=False)
    world.do("cancel_job", job_id=job_id)
    made, _ = race(
        world.session("operator"),
        ("create_job", new_job("a")),
        world.session("operator"),
        ("confirm_upload", {"job_id": job_id, **upload("a")}),
    )
    query = "select upload_confirmed from upload_pipeline.upload_jobs where job_id = %s"
    assert world.one(query, made["job_id"]) is True


def test_a_confirmation_and_the_rescue_of_an_older_job_do_not_wait_for_each_other(
    world: World,
) -> None:
    """A rescue waits, in the unique index, for whoever writes the newer job's row."""
    older = world.job(confirmed=False)
    world.do("receive_event", **told("failure", "parse_failed", job_id=older))
    newer = world.job(confirmed=False)
    # The confirmation comes to the older job's row last.
    world.watcher.execute(
        "update upload_pipeline.upload_jobs set run_after = run_after + interval '1 s' "
        "where job_id = %s",
        [older],
    )
    hook, operator = world.session(), world.session("operator")
    assert (
        hook.call("receive_event", **told("d1", "parse_started", job_id=older))["outcome"]
        == "stale"
    )
    waiting = operator.blocked("confirm_upload", by=hook, job_id=newer, **upload("a"))
    assert (
        hook.call("receive_event", **told("d2", "parse_ready", job_id=older))["outcome"] == "stale"
    )
    hook.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    operator.commit()


@pytest.mark.parametrize("call", ["receive_event", "receive_content", "finish_content"])
def test_a_transaction_that_a_dba_left_open_does_not_stop_the_endpoint(
    world: World, call: str
) -> None:
    job_id = world.job()
    world.do("receive_content", **brought("d1", job_id, b"# a"))
    dba, endpoint = world.admin(), world.session("ingest")
    dba.conn.execute(
        "update upload_pipeline.upload_jobs set run_after = run_after where job_id = %s", [job_id]
    )
    before = _everything(world)
    arguments = {
        "receive_event": told("d2", "parse_failed", job_id=job_id, parse_job_id="p1"),
        "receive_content": brought("d2", job_id, b"# b", parse_job_id="p1"),
        "finish_content": {"job_id": job_id, "ordinal": 1},
    }
    started = time.monotonic()
    waiting = endpoint.blocked(call, by=dba, **arguments[call])
    with pytest.raises(psycopg.errors.LockNotAvailable):
        waiting.result(DEADLINE)
    assert 1.9 < time.monotonic() - started < 4
    endpoint.rollback()
    dba.rollback()
    assert _everything(world) == before
    assert endpoint.call(call, **arguments[call])["outcome"] in ("applied", "kept")
    endpoint.commit()


def _everything(world: World) -> list[list[Row]]:
    tables = ("upload_jobs", "events", "contents", "webhook_deliveries", "provider_jobs")
    return [
        world.watcher.execute(
            f"select * from upload_pipeline.{table} order by 1, 2".encode()  # noqa: S608 - ours
        ).fetchall()
        for table in tables
    ]


def test_a_provider_job_recorded_for_two_jobs_at_once_is_the_firsts(world: World) -> None:
    one, other = world.job("a"), world.job("b")
    _, state = refused(
        world.session(),
        ("record_submission", {"job_id": one, "attempt": 1, "parse_job_id": "p1"}),
        world.session(),
        ("record_submission", {"job_id": other, "attempt": 1, "parse_job_id": "p1"}),
    )
    assert state == "UP004"
    assert world.status(other) == "uploaded"


def test_a_provider_job_that_two_webhooks_claim_at_once_is_the_firsts(world: World) -> None:
    one, other = world.job("a"), world.job("b")
    _, state = refused(
        world.session(),
        ("receive_content", brought("d1", one, b"# a", parse_job_id="p1")),
        world.session(),
        ("receive_event", told("d2", "parse_failed", job_id=other, parse_job_id="p1")),
    )
    assert state == "UP004"


def test_an_event_is_never_earlier_than_the_one_it_waited_for(world: World) -> None:
    job_id = world.job()
    first, second = world.session(), world.session()
    first.call("receive_event", **told("d1", "parse_started", job_id=job_id))
    # The second transaction begins, and with it its now(), before the first event's successor.
    second.conn.execute("select now()")
    waiting = second.blocked("receive_event", by=first, **told("d2", "parse_ready", job_id=job_id))
    first.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    began = second.conn.execute("select now() as began").fetchone()
    second.commit()
    query = "select ts from upload_pipeline.events where job_id = %s order by version"
    times = [row["ts"] for row in world.watcher.execute(query, [job_id])]
    assert times == sorted(times)
    assert began is not None
    assert times[-1] > began["began"]


def test_two_claims_at_once_never_take_the_same_job(world: World) -> None:
    jobs = {world.job(file) for file in "abcd"}
    first, second = world.session(), world.session()
    one = first.rows("claim_jobs", **claim(batch=2))
    two = second.rows("claim_jobs", **claim())
    first.commit()
    second.commit()
    taken = [row["job_id"] for row in one + two]
    assert (len(one), len(two)) == (2, 2)
    assert sorted(taken) == sorted(jobs)


def test_a_claim_that_is_rolled_back_leaves_its_jobs_to_the_next(world: World) -> None:
    job_id = world.job()
    first, second = world.session(), world.session()
    assert first.call("claim_jobs", **claim())["job_id"] == job_id
    assert second.rows("claim_jobs", **claim()) == []
    first.rollback()
    assert second.call("claim_jobs", **claim())["job_id"] == job_id


def test_a_lease_that_ran_out_is_swept_once_by_two_claims(world: World) -> None:
    job_id, _ = world.lease()
    world.pass_by(job_id)
    first, second = world.session(), world.session()
    assert first.rows("claim_jobs", **claim()) == []
    # Does not wait for the first, and takes neither its job nor the lease that it is taking back.
    assert second.rows("claim_jobs", **claim()) == []
    second.commit()
    first.commit()
    assert world.codes(job_id)[2:] == ["lease_expired"]


def test_a_claim_passes_by_a_lease_that_is_being_prolonged(world: World) -> None:
    job_id, token = world.lease()
    world.pass_by(job_id)
    worker, other = world.session(), world.session()
    worker.call("heartbeat", **held(job_id, token))
    assert other.rows("claim_jobs", **claim()) == []
    worker.commit()
    assert other.rows("claim_jobs", **claim()) == []
    other.commit()
    assert "lease_expired" not in world.codes(job_id)
    world.do("heartbeat", **held(job_id, token))


@pytest.mark.parametrize("call", ["heartbeat", "advance_job", "fail_job", "reserve_credits"])
def test_what_waited_for_the_sweep_of_its_lease_is_refused(world: World, call: str) -> None:
    job_id, token = world.lease()
    world.pass_by(job_id)
    arguments: dict[str, Row] = {
        "advance_job": {"code": "parse_started", "keep_lease": True},
        "fail_job": {"error": ERROR},
        "reserve_credits": {"credits": 1},
    }
    sweeping, worker = world.session(), world.session()
    assert sweeping.rows("claim_jobs", **claim()) == []
    waiting = worker.blocked(call, by=sweeping, **held(job_id, token, **arguments.get(call, {})))
    sweeping.commit()
    with pytest.raises(psycopg.Error) as raised:
        waiting.result(DEADLINE)
    worker.rollback()
    assert raised.value.sqlstate == "UP003"
    assert world.codes(job_id)[2:] == ["lease_expired"]


def test_a_step_that_waited_for_a_webhook_is_refused(world: World) -> None:
    job_id, token = world.lease()
    _, state = refused(
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=job_id)),
        world.session(),
        ("advance_job", held(job_id, token, code="parse_started", keep_lease=True)),
    )
    assert state == "UP003"
    assert world.codes(job_id)[2:] == ["parse_ready"]


def test_a_webhook_that_waited_for_a_step_goes_on_from_there_and_ends_the_lease(
    world: World,
) -> None:
    job_id, token = world.lease()
    _, late = race(
        world.session(),
        ("advance_job", held(job_id, token, code="parse_started", keep_lease=True)),
        world.session(),
        ("receive_event", told("d1", "parse_ready", job_id=job_id)),
    )
    assert (late["outcome"], late["status"]) == ("applied", "parse_ready")
    assert world.one("select lease_token from upload_pipeline.upload_jobs") is None
    with pytest.raises(psycopg.Error) as raised:
        world.do("heartbeat", **held(job_id, token))
    assert raised.value.sqlstate == "UP003"


def test_a_failure_that_waited_for_a_cancel_is_refused(world: World) -> None:
    job_id, token = world.lease()
    _, state = refused(
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
        world.session(),
        ("fail_job", held(job_id, token, error=ERROR, permanent=True)),
    )
    assert state == "UP003"
    assert world.status(job_id) == "cancelled"


def test_a_cancel_that_waited_for_a_failure_takes_it_out_of_the_dead_letters(world: World) -> None:
    job_id, token = world.lease()
    failed, cancelled = race(
        world.session(),
        ("fail_job", held(job_id, token, error=ERROR, permanent=True)),
        world.session("operator"),
        ("cancel_job", {"job_id": job_id}),
    )
    assert (failed["status"], cancelled["status"]) == ("failed_parse", "cancelled")
    assert world.one("select count(*) from upload_pipeline.failed_jobs") == 0


def test_a_submission_that_waited_for_a_claim_ends_its_lease(world: World) -> None:
    job_id = world.job()
    worker = world.session()
    token = worker.call("claim_jobs", **claim())["lease_token"]
    submitting = world.session()
    waiting = submitting.blocked(
        "record_submission", by=worker, job_id=job_id, attempt=1, parse_job_id="p1"
    )
    worker.commit()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    submitting.commit()
    with pytest.raises(psycopg.Error) as raised:
        worker.call("heartbeat", **held(job_id, token))
    assert raised.value.sqlstate == "UP003"


def test_a_claim_passes_by_a_job_that_is_being_submitted(world: World) -> None:
    job_id = world.job()
    submitting, worker = world.session(), world.session()
    submitting.call("record_submission", job_id=job_id, attempt=1, parse_job_id="p1")
    assert worker.rows("claim_jobs", **claim()) == []
    submitting.commit()
    assert worker.rows("claim_jobs", **claim()) == []


def test_neither_a_pause_nor_a_claim_waits_for_the_other(world: World) -> None:
    for file in "ab":
        world.job(file)
    operator, worker = world.session("operator"), world.session()
    until = datetime.now(UTC) + timedelta(days=1)
    worker.call("claim_jobs", **claim(batch=1))
    operator.call("pause_stage", status="uploaded", until=until, reason="spent")
    # Not committed: nobody knows of it yet.
    worker.call("claim_jobs", **claim(batch=1))
    worker.rollback()
    operator.commit()
    assert worker.rows("claim_jobs", **claim()) == []


@pytest.mark.parametrize("keep_lease", [False, True])
def test_a_step_that_waited_for_an_erasure_finds_its_job_unknown(
    world: World, keep_lease: bool
) -> None:
    job_id, token = world.lease()
    _, state = refused(
        world.session("operator"),
        ("erase_document", {"document_id": world.document(job_id)}),
        world.session(),
        ("advance_job", held(job_id, token, code="parse_started", keep_lease=keep_lease)),
    )
    assert state == "UP001"


@pytest.mark.parametrize("keep_lease", [False, True])
def test_an_erasure_that_waited_for_a_step_erases_what_it_wrote(
    world: World, keep_lease: bool
) -> None:
    job_id, token = world.lease()
    _, erased = race(
        world.session(),
        ("advance_job", held(job_id, token, code="parse_started", keep_lease=keep_lease)),
        world.session("operator"),
        ("erase_document", {"document_id": world.document(job_id)}),
    )
    assert erased["jobs"] == 1
    assert world.one("select count(*) from upload_pipeline.events") == 0


def test_a_claim_passes_by_a_job_that_is_being_erased(world: World) -> None:
    job_id = world.job()
    operator, worker = world.session("operator"), world.session()
    operator.call("erase_document", document_id=world.document(job_id))
    assert worker.rows("claim_jobs", **claim()) == []
    operator.commit()


def test_an_erasure_and_a_step_that_keeps_its_lease_do_not_wait_for_each_other(
    world: World,
) -> None:
    """The second write of a job's row locks its document: that lock has to come first."""
    job_id, token = world.lease()
    # Whoever locks the job first waits here, so that the other has come in between.
    dba, worker, operator = world.admin(), world.session(), world.session("operator")
    dba.conn.execute("select from upload_pipeline.upload_jobs for update")
    step = worker.blocked(
        "advance_job", by=dba, **held(job_id, token, code="parse_started", keep_lease=True)
    )
    erasing = operator.blocked("erase_document", by=None, document_id=world.document(job_id))
    dba.commit()
    assert step.result(DEADLINE)["outcome"] == "applied"
    worker.commit()
    assert erasing.result(DEADLINE)["jobs"] == 1
    operator.commit()


def test_what_is_parked_for_a_document_that_is_being_erased_stays(world: World) -> None:
    job_id = world.job()
    world.do("receive_event", **told("d1", "parse_ready", parse_job_id="p1"))
    world.watcher.execute(
        "insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)"
        " values ('p1', %s, 1)",
        [job_id],
    )
    _, applied = race(
        world.session("operator"),
        ("erase_document", {"document_id": world.document(job_id)}),
        world.session(),
        ("apply_parked", {}),
    )
    assert applied["apply_parked"] == "p1"
    assert world.outcome("d1") == "parked"


def cap(most: int | None) -> Row:
    """The arguments of set_credit_cap: so much a month for all owners."""
    return {"owner_id": None, "period": "month", "credits": most}


def used(world: World) -> Any:
    return world.one("select used from upload_pipeline.credit_status")


def two_leases(world: World) -> tuple[Row, Row]:
    one, other = world.lease("a"), world.lease("b")
    return held(*one, credits=6), held(*other, credits=6)


def test_two_reservations_at_once_do_not_exceed_a_cap(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    _, state = refused(
        world.session(), ("reserve_credits", one), world.session(), ("reserve_credits", other)
    )
    assert state == "UP005"
    assert used(world) == 6


def test_a_reservation_that_waited_for_one_that_is_not_made_has_its_credits(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    first, second = world.session(), world.session()
    first.call("reserve_credits", **one)
    waiting = second.blocked("reserve_credits", by=first, **other)
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()
    assert used(world) == 6


def test_a_reservation_that_waited_for_a_settlement_has_what_it_gives_back(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    world.do("reserve_credits", **one)
    settled, reserved = race(
        world.session(),
        ("settle_credits", {"job_id": one["job_id"], "attempt": 1, "credits": 4}),
        world.session(),
        ("reserve_credits", other),
    )
    assert (settled["settle_credits"], reserved["outcome"]) == ("applied", "applied")
    assert used(world) == 10


def test_a_reservation_is_settled_once_by_two_at_once(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, _ = two_leases(world)
    world.do("reserve_credits", **one)
    settle = ("settle_credits", {"job_id": one["job_id"], "attempt": 1, "credits": 1})
    first, second = race(world.session(), settle, world.session(), settle)
    assert (first["settle_credits"], second["settle_credits"]) == ("applied", "duplicate")
    assert used(world) == 1


def test_a_cap_that_waited_for_a_reservation_counts_it(world: World) -> None:
    one, _ = two_leases(world)
    race(
        world.session(),
        ("reserve_credits", one),
        world.session("operator"),
        ("set_credit_cap", cap(10)),
    )
    assert used(world) == 6


def test_a_reservation_that_waited_for_a_cap_keeps_to_it(world: World) -> None:
    one, _ = two_leases(world)
    _, state = refused(
        world.session("operator"),
        ("set_credit_cap", cap(5)),
        world.session(),
        ("reserve_credits", one),
    )
    assert state == "UP005"
    assert used(world) == 0


@pytest.mark.parametrize("call", ["reserve_credits", "settle_credits"])
def test_a_change_of_a_cap_and_who_spends_do_not_wait_for_each_other(
    world: World, call: str
) -> None:
    """Both want the cap at once: whoever writes reservations has to be past that by then."""
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    world.do("reserve_credits", **one)
    arguments = {
        "reserve_credits": other | {"credits": 1},
        "settle_credits": {"job_id": one["job_id"], "attempt": 1, "credits": 1},
    }
    dba, worker, operator = world.admin(), world.session(), world.session("operator")
    dba.conn.execute("select from upload_pipeline.credit_caps for update")
    spending = worker.blocked(call, by=dba, **arguments[call])
    changing = operator.blocked("set_credit_cap", by=None, **cap(5))
    dba.commit()
    spending.result(DEADLINE)
    worker.commit()
    changing.result(DEADLINE)
    operator.commit()
    assert used(world) == (7 if call == "reserve_credits" else 1)


# What a call may be refused with, whatever happened before it; never a deadlock (40P01).
REFUSALS = {"UP001", "UP002", "UP003", "UP004", "UP005", "UP007", "UP009"}


class Chaos:
    """Random calls over few files, each a transaction; what was acknowledged is remembered."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed
        self.jobs: list[UUID] = []
        self.documents: list[UUID] = []
        self.leases: list[tuple[UUID, UUID]] = []
        self.applied: list[Row] = []
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self, threads: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        workers = [
            threading.Thread(target=self._thread, args=(random.Random(self.seed + n), until))
            for n in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _thread(self, rng: random.Random, until: float) -> None:
        try:
            with psycopg.connect(self.world.url, autocommit=True, row_factory=dict_row) as conn:
                while time.monotonic() < until and self.failure is None:
                    self._step(conn, rng)
        except BaseException as failure:  # raised again by the test
            self.failure = failure

    def _step(self, conn: psycopg.Connection[Row], rng: random.Random) -> None:
        choices: list[tuple[int, Callable[[random.Random], tuple[str, Row] | None]]] = [
            (6, self._create),
            (4, self._confirm),
            (12, self._event),
            (8, self._thin),
            (12, self._content),
            (10, self._finish),
            (8, self._submission),
            (3, lambda _: ("claim_contents", {"batch": 3})),
            (2, lambda _: ("claim_deletions", {"batch": 3})),
            (4, self._on_job("retry_job")),
            (2, self._on_job("cancel_job")),
            (2, self._on_job("release_job")),
            (2, self._decide),
            (1, lambda _: ("purge", {"older_than": "0", "batch": 3})),
            (1, self._erase),
            (16, self._claim),
            (4, self._under_lease("heartbeat", lease=f"{rng.randrange(1, 90)} s")),
            (1, self._under_lease("release_lease")),
            (8, self._advance),
            (3, self._under_lease("fail_job", error=ERROR, start_over=rng.random() < 0.5)),
            (1, self._under_lease("fail_job", error=ERROR, permanent=True)),
            (2, self._under_lease("defer_job", error=ERROR)),
            (8, self._under_lease("reserve_credits", credits=9, again=rng.random() < 0.5)),
            (4, self._settlement),
            (1, lambda _: ("claim_reservations", {"batch": 3})),
            (1, self._cap),
            (1, self._pause),
            (1, lambda _: ("resume_stage", {"status": "uploaded"})),
            (1, lambda _: ("apply_parked", {})),
        ]
        make = rng.choices([c[1] for c in choices], [c[0] for c in choices])[0]
        call = make(rng)
        if call is None:
            return
        function, arguments = call
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        try:
            rows = conn.execute(query.encode(), arguments).fetchall()
        except psycopg.Error as error:
            if error.sqlstate not in REFUSALS:
                raise
            self.counts[f"{function} {error.sqlstate}"] += 1
            return
        for row in rows:
            self.counts[f"{function} {row.get('outcome', '')}".rstrip()] += 1
            if function == "create_job":
                assert row["job_id"] is not None
                self.jobs.append(row["job_id"])
                self.documents.append(row["document_id"])
            if function == "claim_jobs":
                self.leases.append((row["job_id"], row["lease_token"]))
            if row.get("event_id") is not None:
                self.applied.append(row)
            if function == "claim_contents":
                arguments = {"job_id": row["job_id"], "ordinal": row["ordinal"]}
                self._settle(conn, "finish_content", arguments)

    def _settle(self, conn: psycopg.Connection[Row], function: str, arguments: Row) -> None:
        try:
            row = conn.execute(
                f"select * from upload_pipeline.{function}(%(job_id)s, %(ordinal)s)".encode(),  # noqa: S608
                arguments,
            ).fetchone()
        except psycopg.Error as error:
            if error.sqlstate not in REFUSALS:
                raise
            return
        if row and row["event_id"] is not None:
            self.applied.append(row)

    def _job(self, rng: random.Random) -> UUID:
        return rng.choice(self.jobs[-8:]) if self.jobs else uuid4()

    def _provider_job(self, rng: random.Random, job_id: UUID) -> str:
        return f"{job_id}-{rng.randrange(3)}"

    def _create(self, rng: random.Random) -> tuple[str, Row]:
        return "create_job", new_job(rng.choice("abc"), owner=rng.randrange(2))

    def _confirm(self, rng: random.Random) -> tuple[str, Row]:
        return "confirm_upload", {"job_id": self._job(rng), **upload(rng.choice("abc"))}

    def _event(self, rng: random.Random) -> tuple[str, Row]:
        job_id = self._job(rng)
        code = rng.choice(["parse_started", "parse_ready", "parse_failed", "parse_cancelled"])
        names: Row = {"job_id": job_id}
        if rng.random() < 0.5:
            names["parse_job_id"] = self._provider_job(rng, job_id)
        if rng.random() < 0.2:
            names["attempt"] = rng.randrange(1, 4)
        return "receive_event", told(f"{job_id}-{code}-{rng.randrange(9)}", code, **names)

    def _thin(self, rng: random.Random) -> tuple[str, Row]:
        provider_job = self._provider_job(rng, self._job(rng))
        code = rng.choice(["parse_started", "parse_ready", "parse_failed"])
        return "receive_event", told(f"{provider_job}-{code}", code, parse_job_id=provider_job)

    def _content(self, rng: random.Random) -> tuple[str, Row]:
        job_id = self._job(rng)
        content = f"# {rng.randrange(3)}".encode()
        names: Row = {"recognised": rng.random() < 0.8}
        if rng.random() < 0.5:
            names["parse_job_id"] = self._provider_job(rng, job_id)
        return "receive_content", brought(f"{job_id}-{content!r}", job_id, content, **names)

    def _finish(self, rng: random.Random) -> tuple[str, Row]:
        return "finish_content", {"job_id": self._job(rng), "ordinal": rng.randrange(1, 5)}

    def _decide(self, rng: random.Random) -> tuple[str, Row]:
        content = {"job_id": self._job(rng), "ordinal": rng.randrange(1, 5)}
        if rng.random() < 0.5:
            return "discard_content", content
        return "accept_content", {**content, "markdown": f"# {rng.randrange(5)}".encode()}

    def _submission(self, rng: random.Random) -> tuple[str, Row]:
        job_id = self._job(rng)
        attempt = rng.randrange(1, 3)
        provider_job = self._provider_job(rng, job_id)
        arguments = {"job_id": job_id, "attempt": attempt, "parse_job_id": provider_job}
        return "record_submission", arguments

    def _on_job(self, function: str) -> Callable[[random.Random], tuple[str, Row]]:
        return lambda rng: (function, {"job_id": self._job(rng)})

    def _claim(self, rng: random.Random) -> tuple[str, Row]:
        status = rng.choice(["uploaded", "parse_queued", "parse_ready", "parsed"])
        return "claim_jobs", claim(status, batch=3, lease=f"{rng.randrange(1, 90)} s")

    def _under_lease(
        self, function: str, **arguments: Any
    ) -> Callable[[random.Random], tuple[str, Row] | None]:
        def make(rng: random.Random) -> tuple[str, Row] | None:
            if not self.leases:
                return None
            return function, held(*rng.choice(self.leases[-8:]), **arguments)

        return make

    def _advance(self, rng: random.Random) -> tuple[str, Row] | None:
        codes = ["parse_started", "parse_ready", "parse_truncated", "parse_completed"]
        code = rng.choice([*codes, "job_completed"])
        return self._under_lease("advance_job", code=code, keep_lease=rng.random() < 0.6)(rng)

    def _settlement(self, rng: random.Random) -> tuple[str, Row]:
        arguments = {"attempt": rng.randrange(1, 3), "credits": rng.randrange(20)}
        return "settle_credits", {"job_id": self._job(rng), **arguments}

    def _cap(self, rng: random.Random) -> tuple[str, Row]:
        owner = rng.choice([None, UUID(int=0), UUID(int=1)])
        most = rng.choice([None, 50, 500, 5000, 5000])
        return "set_credit_cap", {**cap(most), "owner_id": owner}

    def _pause(self, rng: random.Random) -> tuple[str, Row]:
        until = datetime.now(UTC) + timedelta(seconds=rng.randrange(60))
        return "pause_stage", {"status": "uploaded", "until": until, "reason": "chaos"}

    def _erase(self, rng: random.Random) -> tuple[str, Row] | None:
        if not self.documents or rng.random() < 0.5:
            return None
        return "erase_document", {"document_id": rng.choice(self.documents[-8:])}


def test_random_calls_at_once_leave_every_invariant_and_every_acknowledged_event(
    world: World, request: pytest.FixtureRequest
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    # A hundred times faster, so that the drain has its turn: its 30 seconds pass in 0.3.
    world.watcher.execute("""
        do $do$
        begin
          execute format(
            'create or replace function upload_pipeline.clock() returns timestamptz '
            'language sql volatile as %L',
            format(
              'select clock_timestamp() + (clock_timestamp() - %L::timestamptz) * 99',
              clock_timestamp()
            )
          );
        end;
        $do$
    """)
    chaos = Chaos(world, seed)
    chaos.run(threads=8, seconds=5)
    print(sorted(chaos.counts.items()))  # noqa: T201
    if chaos.failure is not None:
        raise chaos.failure

    alive = {
        row["job_id"]
        for row in world.watcher.execute("select job_id from upload_pipeline.upload_jobs")
    }
    events = {
        (row["job_id"], row["event_id"])
        for row in world.watcher.execute("select job_id, event_id from upload_pipeline.events")
    }
    lost = [
        row
        for row in chaos.applied
        if row["job_id"] in alive and (row["job_id"], row["event_id"]) not in events
    ]
    assert lost == []
    # A month is longer than the test, but for its end: then the caps have begun anew.
    wrong = world.watcher.execute("""
        select c.owner_id, c.used, sum(coalesce(r.billed, r.reserved))
          from upload_pipeline.credit_caps as c
          left join upload_pipeline.credit_reservations as r
            on r.reserved_at >= c.starts_at and r.owner_id = coalesce(c.owner_id, r.owner_id)
         group by c.owner_id, c.used, c.starts_at
        having c.used <> coalesce(sum(coalesce(r.billed, r.reserved)), 0)
    """).fetchall()
    assert wrong == []
    for wanted in (
        "receive_event applied",
        "finish_content applied",
        "record_submission applied",
        "claim_contents",
        "claim_jobs",
        "heartbeat",
        "advance_job applied",
        "fail_job applied",
        "reserve_credits applied",
        "settle_credits",
    ):
        assert chaos.counts[wanted] > 0, wanted
