"""Whatever the package of a provider does, each call ends by the limit of the worker."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from hookline.providers.client import ParseJob, ProviderClient, Result, Submission
from hookline.providers.errors import Unanswered
from hookline.providers.options import NO_OPTIONS
from hookline.worker.parsing.limited_client import LimitedClient

CALLS: dict[str, list[Any]] = {
    "prepare": [None],
    "discard": ["h"],
    "submit": [None],
    "ask": ["p"],
    "fetch": ["p"],
    "artifacts": ["p", []],
    "ask_many": [["p"]],
    "find": [None],
    "cancel": ["p"],
    "delete": ["p"],
}


class Client(ProviderClient):
    name = "acme"
    settings = "ACME_KEY"
    event_types = MappingProxyType({"done": "d", "failed": "f", "cancelled": "c"})
    polled = False

    def cost(self, pages: int, options: Mapping[str, object] = NO_OPTIONS) -> Decimal:
        return Decimal(pages)

    async def submit(self, submission: Submission) -> ParseJob:
        raise NotImplementedError

    async def ask(self, parse_job_id: str) -> ParseJob:
        raise NotImplementedError

    async def fetch(self, parse_job_id: str) -> Result:
        raise NotImplementedError


async def never_ends(*given: Any) -> Any:
    await asyncio.Event().wait()


async def resists_its_end(*given: Any) -> Any:
    ended = asyncio.get_running_loop().time() + 0.05
    while (left := ended - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


async def cancels_itself(*given: Any) -> Any:
    raise asyncio.CancelledError


def test_every_coroutine_of_a_client_is_limited() -> None:
    of_a_client = dict(inspect.getmembers(ProviderClient, inspect.iscoroutinefunction))
    assert set(of_a_client) == set(CALLS) <= set(vars(LimitedClient))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("behaviour", [never_ends, resists_its_end, cancels_itself])
async def test_a_call_ends(name: str, behaviour: Any) -> None:
    client = Client()
    setattr(client, name, behaviour)
    with pytest.raises(Unanswered) as raised:
        await getattr(LimitedClient(client, 0.01), name)(*CALLS[name])
    assert raised.value.sent


async def test_who_gives_up_a_call_ends_it() -> None:
    ended = asyncio.Event()

    async def waits(*given: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    client = Client()
    setattr(client, "ask", waits)  # noqa: B010 - as the others
    asking = asyncio.create_task(LimitedClient(client, 60).ask("p"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(ended.wait(), 5)
