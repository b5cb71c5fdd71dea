"""Senders who have proven nothing share the memory of bodies, and do not keep it from others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from hookline.receiver import bodies
from support.sender import ENVELOPE_SECRET, Sender, Start, envelope_of, sign
from support.uploads import ROUTE, open_upload

MIB = 2**20


def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@asynccontextmanager
async def _uploads(
    sender: Sender, number: int, size: int, *, peer: str = "127.0.0.1"
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Bodies that arrived except for their last byte."""
    async with AsyncExitStack() as stack:
        readers = []
        for _ in range(number):
            reader, writer = await open_upload(sender, size, b"x" * (size - 1), peer=peer)
            # Bound to the writer: it closes its connection when nobody holds it.
            stack.callback(_abort, writer)
            readers.append(reader)
        charged = number * max(size, bodies._OVERHEAD)
        async with asyncio.timeout(10):
            while await _bodies_in_memory(sender) < charged:
                await asyncio.sleep(0.01)
        yield readers


async def _bodies_in_memory(sender: Sender) -> float:
    async with sender.http.get(sender.admin_url + "/metrics") as response:
        lines = (await response.text()).splitlines()
    name = "hookline_bodies_bytes "
    return float(next(line.split()[1] for line in lines if line.startswith(name)))


def _envelope(sender: Sender, size: int = 100) -> bytes:
    return json.dumps(envelope_of(sender.new_job(), content="x" * size)).encode()


async def test_bodies_in_memory_are_bounded_and_the_next_large_one_is_429(start: Start) -> None:
    async with start(max_body=MIB, body_budget=MIB) as sender:
        envelope = _envelope(sender, 2**17)
        async with (
            _uploads(sender, 1, MIB),
            sender.http.post(
                sender.url + ROUTE,
                data=envelope,
                headers={
                    "Content-Type": "application/json",
                    "X-Webhook-Signature": sign(envelope, ENVELOPE_SECRET),
                },
            ) as response,
        ):
            assert response.status == 429
            assert int(response.headers["Retry-After"]) > 0
        async with asyncio.timeout(10):
            while await _bodies_in_memory(sender) > 0:
                await asyncio.sleep(0.01)
        assert (await sender.send_envelope(envelope))[0] == 200, "the memory is free again"


async def test_the_largest_body_fits_into_a_budget_of_its_size(start: Start) -> None:
    async with start(max_body=MIB, body_budget=MIB) as sender:
        body = _envelope(sender).ljust(MIB)
        assert (await sender.send_envelope(body))[0] == 200


async def test_small_bodies_do_not_wait_for_the_memory_of_large_ones(start: Start) -> None:
    async with start(max_body=MIB, body_budget=MIB) as sender, _uploads(sender, 1, MIB):
        for _ in range(3):
            assert (await sender.send_envelope(_envelope(sender)))[0] == 200


@pytest.mark.parametrize("size", [2**17, 100], ids=["large", "small"])
async def test_a_sender_that_fell_silent_makes_room(
    start: Start, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_MEASURED_OVER", 0.1)
    monkeypatch.setattr(bodies, "_SMALL_BUDGET", 4 * bodies._OVERHEAD)
    async with start(max_body=MIB, body_budget=MIB) as sender:
        number, of = (1, MIB) if size > 2**16 else (4, 2**14)
        async with _uploads(sender, number, of) as (victim, *_):
            envelope = _envelope(sender, size)
            async with asyncio.timeout(10):
                while (await sender.send_envelope(envelope))[0] != 200:
                    await asyncio.sleep(0.05)
            if number == 1:
                assert b" 429 " in await victim.readline(), "its sender may send it again"


async def test_the_peer_with_the_largest_share_makes_room_for_another(start: Start) -> None:
    # The uploads are not slow: nobody has waited for a second.
    async with (
        start(max_body=MIB, body_budget=MIB) as sender,
        _uploads(sender, 4, MIB // 4, peer="127.0.0.2"),
    ):
        assert (await sender.send_envelope(_envelope(sender, 2**17)))[0] == 200


async def test_a_body_is_asked_for_only_when_there_is_room(start: Start) -> None:
    async with start(max_body=MIB, body_budget=MIB) as sender:
        expect = "Expect: 100-continue\r\n"
        async with _uploads(sender, 1, MIB):
            reader, writer = await open_upload(sender, MIB, b"", headers=expect)
            assert (await reader.readline()).startswith(b"HTTP/1.1 429 ")
            writer.transport.abort()
        reader, writer = await open_upload(sender, 2, b"", headers=expect)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.transport.abort()


async def test_a_body_that_says_no_length_is_charged_as_it_arrives(start: Start) -> None:
    async with start(max_body=MIB, body_budget=MIB) as sender:
        envelope = _envelope(sender, 2**17)

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(envelope), 2**14):
                yield envelope[at : at + 2**14]

        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Signature": sign(envelope, ENVELOPE_SECRET),
        }
        async with sender.http.post(sender.url + ROUTE, data=chunks(), headers=headers) as response:
            assert response.status == 200
        async with (
            _uploads(sender, 1, MIB),
            sender.http.post(sender.url + ROUTE, data=chunks(), headers=headers) as response,
        ):
            assert response.status == 429


async def test_a_sender_whose_time_is_over_can_still_be_cut() -> None:
    arrival = bodies._Arrival("127.0.0.1", now=0)

    async def receive() -> None:
        async with asyncio.timeout(0) as arrival.deadline:
            try:
                await asyncio.sleep(60)
            finally:
                # Its task has not ended yet when another body needs the memory.
                arrival.cut(now=0)

    with pytest.raises(TimeoutError):
        await receive()


async def test_a_sender_is_slow_by_what_it_sent_lately() -> None:
    body = bodies._Arrival("127.0.0.1", now=0)
    body.add(b"x" * MIB, now=0.1)
    assert not body.is_slow(now=1.0)
    assert body.is_slow(now=1.2), "silent"
    body.add(b"x", now=1.9)
    body.add(b"x", now=2.8)
    assert not body.is_slow(now=2.9)
    body.add(b"x", now=3.7)
    assert body.is_slow(now=3.8), "a byte now and then"
    body.add(b"x" * MIB, now=4.8)
    assert not body.is_slow(now=5.0), "fast again"
