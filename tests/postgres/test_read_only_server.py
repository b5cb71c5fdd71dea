"""After a failover, connections to a read-only server are closed within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.errors import ReadOnlyServer
from hookline.postgres.pool import open_pool
from support.failover import Failover

SIZE = 4


@pytest.fixture
def failover(database: str) -> Failover:
    return Failover(database)


async def receive_event(engine: Engine) -> object:
    notice = Notice("msg-1", "parse.success", code="parse_ready", parse_job_id="p-1")
    return await engine.receive_events([("llamacloud", "0" * 64, notice)])


@pytest.mark.parametrize("call", [Engine.claim_content, receive_event])
async def test_all_connections_of_a_pool_are_renewed_after_one_call_was_refused(
    failover: Failover, login: Callable[[str], str], call: Callable[[Engine], Awaitable[object]]
) -> None:
    async with open_pool(
        login("ingest"), size=SIZE, prepare_threshold=5, name="hookline-test"
    ) as pool:
        await pool.resize(SIZE, SIZE)
        await pool.wait()
        engine = Engine(pool)
        with pytest.raises(ReadOnlyServer):
            await call(engine)
        failover.end()
        await asyncio.sleep(1)
        refused = 0
        for _ in range(3):
            answers = await asyncio.gather(
                *(engine.claim_content() for _ in range(4 * SIZE)), return_exceptions=True
            )
            refused = sum(isinstance(answer, ReadOnlyServer) for answer in answers)
            if not refused:
                break
            await asyncio.sleep(1)
        assert not refused
