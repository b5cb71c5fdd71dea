"""Random sequences of reservations and bills: what a cap has kept is what its reservations say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.races.arguments import Row, claim, new_job, upload
from support.servers import Server

OWNERS = [UUID(int=1), UUID(int=2), UUID(int=3)]
PERIODS = ["hour", "day", "month"]


class Ledger:
    """One session that spends, and beside it the model: what each reservation costs, and when."""

    def __init__(self, conn: psycopg.Connection[Row], rng: random.Random) -> None:
        self.conn, self.rng = conn, rng
        self.now = datetime(2026, 1, 31, 22, 0, tzinfo=UTC)
        self.files = 0
        self.jobs: list[tuple[UUID, UUID]] = []
        # (job, attempt) -> the amount and the time of each of its reservations, the open one last.
        self.costs: dict[tuple[UUID, int], list[tuple[Decimal, datetime]]] = {}
        self.open: set[tuple[UUID, int]] = set()
        self.owners: dict[UUID, UUID] = {}
        self.done: list[str] = []

    def rows(self, function: str, **arguments: Any) -> list[Row]:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        self.done.append(f"{self.now:%d %H:%M} {function} {arguments}")
        with self.conn.transaction():
            return self.conn.execute(query.encode(), arguments).fetchall()

    def set_clock(self, now: datetime) -> None:
        self.now = now
        self.conn.execute(
            "create or replace function upload_pipeline.clock() returns timestamptz language sql"
            f" volatile as $$ select '{now.isoformat()}'::timestamptz $$".encode()
        )

    def make_job(self) -> None:
        owner = self.rng.randrange(len(OWNERS))
        self.files += 1
        name = f"file {self.files}"
        [made] = self.rows("create_job", **{**new_job(name), "owner_id": OWNERS[owner]})
        self.rows("confirm_upload", job_id=made["job_id"], **upload(name))
        self.claim()

    def claim(self) -> None:
        for job in self.rows("claim_jobs", **claim(lease="1 day", batch=100)):
            self.jobs.append((job["job_id"], job["lease_token"]))
            self.owners[job["job_id"]] = job["owner_id"]

    def reserve(self) -> None:
        if not self.jobs:
            return
        job_id, token = self.rng.choice(self.jobs[-6:])
        again = self.rng.random() < 0.5
        credits_ = Decimal(self.rng.choice(["0", "1.5", "10", "7.25"]))
        try:
            [answer] = self.rows(
                "reserve_credits", job_id=job_id, lease_token=token, credits=credits_, again=again
            )
        except psycopg.Error as error:
            if error.sqlstate not in ("UP001", "UP003", "UP005"):
                raise
            return
        if answer["outcome"] == "duplicate":
            return
        key = job_id, answer["attempt"]
        costs = self.costs.setdefault(key, [])
        if key in self.open:
            [amount, _] = costs.pop()
            credits_ = amount
        assert answer["reserved"] == credits_
        costs.append((credits_, answer["reserved_at"]))
        self.open.add(key)
        for cap in self.caps():
            if cap["owner_id"] in (None, self.owners[job_id]) and cap["scope"] != "each":
                assert cap["used"] <= cap["credits"], cap

    def settle(self) -> None:
        if not self.costs:
            return
        key = self.rng.choice([*self.costs][-8:])
        credits_ = Decimal(self.rng.choice(["0", "3", "12.75"]))
        [answer] = self.rows("settle_credits", job_id=key[0], attempt=key[1], credits=credits_)
        assert answer["settle_credits"] == ("applied" if key in self.open else "duplicate")
        if key in self.open:
            self.open.discard(key)
            [_, at] = self.costs[key].pop()
            self.costs[key].append((credits_, at))

    def set_cap(self) -> None:
        scope = self.rng.choice(["all", "each", "owner"])
        self.rows(
            "set_credit_cap",
            owner_id=self.rng.choice(OWNERS) if scope == "owner" else None,
            period=self.rng.choice(PERIODS),
            credits=self.rng.choice([None, 25, 100, 500, 500]),
            each_owner=scope == "each",
        )

    def retry(self) -> None:
        if self.jobs:
            job_id, _ = self.rng.choice(self.jobs[-6:])
            try:
                self.rows("retry_job", job_id=job_id)
                self.claim()
            except psycopg.Error as error:
                if error.sqlstate != "UP001":
                    raise

    def pass_time(self) -> None:
        steps = [1, 5, 20, 20, 60, 60, 24 * 60, -1]
        self.set_clock(self.now + timedelta(minutes=self.rng.choice(steps)))

    def step(self) -> None:
        acts = [self.make_job, self.reserve, self.settle, self.set_cap, self.retry, self.pass_time]
        self.rng.choices(acts, [3, 8, 5, 2, 1, 3])[0]()

    def caps(self) -> list[Row]:
        return self.conn.execute(
            "select scope, owner_id, period, credits, used, starts_at,"
            " upload_pipeline.sum_credits(owner_id, provider, starts_at) as recounted"
            " from upload_pipeline.credit_caps where scope <> 'each' or owner_id is not null"
        ).fetchall()

    def has_spent_often(self) -> bool:
        return sum(len(costs) for costs in self.costs.values()) > 20

    def check(self) -> None:
        for cap in self.caps():
            expected = sum(
                amount
                for (job_id, _), costs in self.costs.items()
                if cap["owner_id"] in (None, self.owners[job_id])
                for amount, at in costs
                if at >= cap["starts_at"]
            )
            assert cap["used"] == cap["recounted"] == expected, cap


@pytest.fixture
def conn(postgres: Server) -> Iterator[psycopg.Connection[Row]]:
    with (
        postgres.create(template=postgres.template) as url,
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
    ):
        yield conn


def test_what_a_cap_keeps_is_the_sum_of_its_reservations(conn: psycopg.Connection[Row]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    ledger = Ledger(conn, random.Random(seed))
    ledger.set_clock(ledger.now)
    # A small cap refuses nearly everything while it lasts: some sequences take longer.
    for number in range(5000):
        if number >= 300 and ledger.has_spent_often() and ledger.caps():
            return
        ledger.step()
        try:
            ledger.check()
        except AssertionError:
            print("\n".join(ledger.done[-12:]))  # noqa: T201
            raise
    raise AssertionError("5000 steps reserved too little to show anything")
