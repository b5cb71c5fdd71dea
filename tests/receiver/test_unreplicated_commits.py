"""A commit that did not reach the synchronous standby is not acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from support.receiver_process import over_own_postgres
from support.sender import Answer, Sender, Start, event_of
from support.servers import Server


@pytest.fixture
async def without_standby(start: Start, postgres18: Server) -> AsyncIterator[Sender]:
    """A receiver over a Postgres whose synchronous standby is away."""
    async with over_own_postgres(start, postgres18, {"fsync": "off"}) as (_, sender):
        sender.query("set synchronous_commit = local")
        yield sender


def expect_standby(sender: Sender, name: str) -> None:
    sender.query(f"alter system set synchronous_standby_names = '{name}'")
    sender.query("select pg_reload_conf()")


async def send_and_end_the_wait(sender: Sender, event: object, how: str) -> Answer:
    """Send an event, and end its backend's wait for the standby as an administrator may."""
    sending = asyncio.create_task(sender.send_event(event))
    async with asyncio.timeout(30):
        while not sender.query(
            "select case %s when 'cancel' then pg_cancel_backend(pid)"
            " else pg_terminate_backend(pid) end from pg_stat_activity"
            " where usename = 'receiver' and wait_event = 'SyncRep'",
            how,
        ):
            await asyncio.sleep(0.05)
    return await sending


@pytest.mark.parametrize("how", ["cancel", "terminate"])
async def test_a_wait_for_the_standby_that_was_ended_is_503_also_when_sent_again(
    without_standby: Sender, how: str
) -> None:
    sender = without_standby
    job = sender.submitted("p-1")
    event = event_of("p-1")
    expect_standby(sender, "away")
    assert (await send_and_end_the_wait(sender, event, how))[0] == 503
    assert sender.job(job)["status"] == "parse_ready", "Postgres has committed it, here only"
    assert (await send_and_end_the_wait(sender, event, how))[0] == 503

    expect_standby(sender, "")
    status, answer = await sender.send_event(event)
    assert (status, answer["outcome"]) == (200, "duplicate")
