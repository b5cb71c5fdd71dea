"""Deliveries that share a statement do not harm or delay each other, and none waits for a timer."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from uuid import UUID

import psycopg
import pytest
import structlog

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, InvalidArgument, Unavailable, UnknownJob
from hookline.postgres.records import Receipt
from hookline.process.gathering import Gathering
from hookline.receiver.busy_jobs import BusyJobs
from hookline.receiver.gathering import Gatherer
from support.sender import Start, event_of

Delivery = tuple[str, str, Notice]


class Calls(Engine):
    """Postgres as the gatherer sees it: a test decides when a statement ends, and how."""

    def __init__(self) -> None:
        self.statements: list[tuple[list[str], asyncio.Future[None]]] = []
        self.alone: list[str] = []
        self.errors: dict[str, DatabaseError] = {}
        self.unreadable: set[str] = set()

    async def receive_events(self, deliveries: Sequence[Delivery]) -> list[Receipt | DatabaseError]:
        ids = [notice.delivery_id for _, _, notice in deliveries]
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.statements.append((ids, end))
        await end
        if self.unreadable.intersection(ids):
            raise InvalidArgument("a value cannot be stored")
        return [self.errors.get(name) or receipt_of(name) for name in ids]

    async def receive_event(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        self.alone.append(notice.delivery_id)
        return receipt_of(notice.delivery_id)

    def sent(self) -> list[list[str]]:
        return [ids for ids, _ in self.statements]

    async def end(self, number: int, error: Exception | None = None) -> None:
        if error is None:
            self.statements[number][1].set_result(None)
        else:
            self.statements[number][1].set_exception(error)
        await settle()


def receipt_of(delivery_id: str) -> Receipt:
    return Receipt("applied", UUID(int=int(delivery_id)), None, "parsed", 2, None, None, None)


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


class Receiving:
    """A gatherer, and the deliveries that were given to it, by number."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.gatherer = Gatherer(self.calls, BusyJobs(), connections=8)

    async def give(self, *numbers: int) -> list[asyncio.Task[Receipt]]:
        tasks = [
            asyncio.create_task(self.gatherer.receive("s", "0", Notice(str(n), "e", "parse_ready")))
            for n in numbers
        ]
        await settle()
        return tasks


async def test_one_delivery_alone_is_sent_at_once() -> None:
    receiving = Receiving()
    (task,) = await receiving.give(1)
    assert receiving.calls.sent() == [["1"]]
    await receiving.calls.end(0)
    assert (await task).job_id == UUID(int=1)


async def test_what_arrives_while_two_statements_are_under_way_goes_into_the_next() -> None:
    receiving = Receiving()
    tasks = [task for n in (1, 2, 3, 4) for task in await receiving.give(n)]
    assert receiving.calls.sent() == [["1"], ["2"]]
    await receiving.calls.end(1)
    assert receiving.calls.sent() == [["1"], ["2"], ["3", "4"]]
    await receiving.calls.end(0)
    await receiving.calls.end(2)
    assert [(await task).job_id for task in tasks] == [UUID(int=n) for n in (1, 2, 3, 4)]
    # Nothing is left behind: the next one alone is sent at once again.
    await receiving.give(5)
    assert receiving.calls.sent()[3:] == [["5"]]


async def test_a_statement_has_64_deliveries_at_most() -> None:
    receiving = Receiving()
    await receiving.give(*range(150))
    assert [len(ids) for ids in receiving.calls.sent()] == [64, 64]
    await receiving.calls.end(0)
    assert [len(ids) for ids in receiving.calls.sent()] == [64, 64, 22]


async def test_delivery_whose_sender_has_gone_is_not_sent_and_harms_nobody() -> None:
    receiving = Receiving()
    first, second = await receiving.give(1) + await receiving.give(2)
    gone, other = await receiving.give(3, 4)
    gone.cancel()
    first.cancel()
    await settle()
    await receiving.calls.end(0)
    assert receiving.calls.sent() == [["1"], ["2"], ["4"]]
    await receiving.calls.end(1)
    await receiving.calls.end(2)
    assert (await second).outcome == (await other).outcome == "applied"


async def test_statement_has_the_log_fields_of_no_delivery() -> None:
    fields: list[dict[str, object]] = []

    async def send(calls: Sequence[int]) -> list[int]:
        fields.append(structlog.contextvars.get_contextvars())
        return list(calls)

    gathering = Gathering[int, int](send)
    with structlog.contextvars.bound_contextvars(job_id="one"):
        assert await gathering.send(1) == 1
    assert fields == [{}]


async def test_lost_connection_answers_nobody_with_success() -> None:
    receiving = Receiving()
    tasks = await receiving.give(1, 2, 3)
    await receiving.calls.end(0, Unavailable("OperationalError"))
    for task in tasks:
        with pytest.raises(Unavailable):
            await task
    assert receiving.calls.sent() == [["1", "2", "3"]], "nobody knows whether it was committed"


async def test_delivery_that_spoils_the_whole_statement_fails_alone() -> None:
    receiving = Receiving()
    receiving.calls.unreadable.add("2")
    tasks = await receiving.give(1, 2, 3)
    for number in range(4):
        await receiving.calls.end(number)
    assert receiving.calls.sent() == [["1", "2", "3"], ["1"], ["2"], ["3"]]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Receipt, InvalidArgument, Receipt]


async def test_refused_delivery_gets_its_error_and_a_held_one_waits_alone() -> None:
    receiving = Receiving()
    receiving.calls.errors = {
        "1": UnknownJob("unknown job", sqlstate="UP001"),
        "2": Unavailable("another session holds the job", sqlstate="55P03"),
    }
    tasks = await receiving.give(1, 2, 3)
    await receiving.calls.end(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [UnknownJob, Receipt, Receipt]
    assert receiving.calls.alone == ["2"]


async def test_held_job_delays_none_of_64_others(start: Start) -> None:
    async with start() as sender:
        held = sender.submitted("held")
        for n in range(64):
            sender.submitted(f"other-{n}")
        with psycopg.connect(sender.database) as forgotten:
            forgotten.execute(
                "select from upload_pipeline.upload_jobs where job_id = %s for update",
                [held.job_id],
            )
            seconds: list[float] = []

            async def send(name: str) -> int:
                began = time.perf_counter()
                status, _ = await sender.send_event(event_of(name))
                seconds.append(time.perf_counter() - began)
                return status

            waiting = asyncio.create_task(sender.send_event(event_of("held")))
            statuses = await asyncio.gather(*(send(f"other-{n}") for n in range(64)))
            assert set(statuses) == {200}
            assert not waiting.done(), "all this while the held one waits"
            p99 = statistics.quantiles(seconds, n=100)[98]
            print(f"p99 of the others: {p99 * 1000:.0f} ms")  # noqa: T201 - shown with -s
            assert (await waiting)[0] == 503
        assert (await sender.send_event(event_of("held")))[0] in (200, 503)
