"""SIGTERM ends a receiver within its bound, whoever is connected."""

from __future__ import annotations

import asyncio

from support.receiver_process import Spawn
from support.sender import envelope_of

STOP_TIMEOUT = 1
# What deploy/hookline@.service leaves for the rest.
REST = 15
HEAD = (
    b"POST /webhooks/llamaparse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)


async def test_a_stop_ends_in_time_while_strangers_are_connected(spawn: Spawn) -> None:
    async with spawn(HOOKLINE_STOP_TIMEOUT=str(STOP_TIMEOUT)) as (receiver, sender):
        host, port = sender.url.removeprefix("http://").split(":")
        # Silent; in the middle of a header; in the middle of a body.
        said = [b""] * 50 + [b"POST /webhooks/llamaparse HTT"] * 25 + [HEAD + b"{"] * 25
        strangers = []
        for words in said:
            _, writer = await asyncio.open_connection(host, port)
            writer.write(words)
            await writer.drain()
            strangers.append(writer)

        job = sender.new_job()
        assert (await sender.send_envelope(envelope_of(job)))[0] == 200
        receiver.process.terminate()
        async with asyncio.timeout(STOP_TIMEOUT + REST):
            assert await receiver.process.wait() == 0
        for writer in strangers:
            writer.close()
