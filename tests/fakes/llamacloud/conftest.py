"""A customer of the imitation and a receiver of its webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from fakes.llamacloud.customer import FAST, Customer, customer_of
from fakes.llamacloud.receiver import Receiver
from fakes.llamacloud.server import LlamaCloud


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    async with customer_of(LlamaCloud(seed=7, pace=FAST)) as customer:
        yield customer
