"""Random calls from eight sessions keep every invariant and lose no acknowledged event."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.races.arguments import (
    ERROR,
    Row,
    cap,
    claim,
    content_delivery,
    event_delivery,
    new_job,
    under_lease,
    upload,
)
from engine.races.sessions import World

# The SQLSTATEs with which a call may be refused. A deadlock (40P01) fails the test. 55P03: on a
# busy machine a call may wait longer than lock_timeout for a lock. It has changed nothing then.
REFUSALS = {"UP001", "UP002", "UP003", "UP004", "UP005", "UP007", "UP009", "UP020", "55P03"}
# What has to happen at least once, or the calls tried too little.
WANTED = (
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
    "roll_up_activity",
)


class RandomCalls:
    """Random calls on a few files, one transaction each. Keeps the events it was told of."""

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
            (1, lambda _: ("purge", {"older_than": "2 minutes", "least_age": "0", "batch": 3})),
            (1, self._erase),
            (1, self._erase_owner),
            (2, self._settle_parked),
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
            (4, lambda _: ("roll_up_activity", {})),
            (2, lambda _: ("recount_statuses", {})),
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
            # A row would be a status with a wrong number of jobs, in the middle of all these calls.
            assert function != "recount_statuses", row
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
        return "receive_event", event_delivery(f"{job_id}-{code}-{rng.randrange(9)}", code, **names)

    def _thin(self, rng: random.Random) -> tuple[str, Row]:
        provider_job = self._provider_job(rng, self._job(rng))
        code = rng.choice(["parse_started", "parse_ready", "parse_failed"])
        return "receive_event", event_delivery(
            f"{provider_job}-{code}", code, parse_job_id=provider_job
        )

    def _content(self, rng: random.Random) -> tuple[str, Row]:
        job_id = self._job(rng)
        content = f"# {rng.randrange(3)}".encode()
        names: Row = {"recognised": rng.random() < 0.8}
        if rng.random() < 0.5:
            names["parse_job_id"] = self._provider_job(rng, job_id)
        if rng.random() < 0.2:
            names["attempt"] = rng.randrange(1, 4)
        return "receive_content", content_delivery(
            f"{job_id}-{content!r}", job_id, content, **names
        )

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
            return function, under_lease(*rng.choice(self.leases[-8:]), **arguments)

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
        return "pause_stage", {"status": "uploaded", "until": until, "reason": "calls"}

    def _settle_parked(self, rng: random.Random) -> tuple[str, Row]:
        job_id = self._job(rng)
        names = {"parse_job_id": self._provider_job(rng, job_id)}
        return "settle_parked", {**names, "job_id": job_id} if rng.random() < 0.5 else names

    def _erase_owner(self, rng: random.Random) -> tuple[str, Row] | None:
        if rng.random() < 0.8:
            return None
        return "erase_owner", {"owner_id": UUID(int=rng.randrange(2))}

    def _erase(self, rng: random.Random) -> tuple[str, Row] | None:
        if not self.documents or rng.random() < 0.5:
            return None
        return "erase_document", {"document_id": rng.choice(self.documents[-8:])}


def test_random_calls_at_once_keep_every_invariant_and_lose_no_acknowledged_event(
    world: World, request: pytest.FixtureRequest
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    # Let the clock run a hundred times faster: the drain waits 30 seconds before it acts.
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
    calls = RandomCalls(world, seed)
    # On a slow machine five seconds are too few for the calls that need others before them.
    for _ in range(6):
        calls.run(threads=8, seconds=5)
        if calls.failure is not None or all(calls.counts[wanted] for wanted in WANTED):
            break
        calls.seed += 8
    print(sorted(calls.counts.items()))  # noqa: T201
    if calls.failure is not None:
        raise calls.failure

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
        for row in calls.applied
        if row["job_id"] in alive and (row["job_id"], row["event_id"]) not in events
    ]
    assert lost == []
    # The sums start at the cap's window, which begins anew if the month ends during the test.
    wrong = world.watcher.execute("""
        select c.owner_id, c.used, sum(coalesce(r.billed, r.reserved))
          from upload_pipeline.credit_caps as c
          left join upload_pipeline.credit_reservations as r
            on r.reserved_at >= c.starts_at and r.provider = c.provider
           and (c.owner_id is null or r.owner_id = c.owner_id)
         group by c.owner_id, c.used, c.starts_at
        having c.used <> coalesce(sum(coalesce(r.billed, r.reserved)), 0)
    """).fetchall()
    assert wrong == []
    for wanted in WANTED:
        assert calls.counts[wanted] > 0, wanted
