"""The drain survives every error, and stops when it is asked to."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from hookline.postgres.engine import Engine
from hookline.postgres.notifier import Notifier
from hookline.postgres.records import ClaimedContent
from hookline.receiver.drain import Drain
from hookline.receiver.metrics import ReceiverMetrics
from hookline.settings import ConfigurationError
from hookline.storage.objects import Storage
from support.sender import LATER, Sender, Start, envelope_of, set_clock
from support.waiting import until


async def test_an_unexpected_error_does_not_end_the_drain(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.receiver.drain._POLL_INTERVAL", 0.05)
    claim = Engine.claim_content
    failed: list[bool] = []

    async def fail_once(self: Engine) -> ClaimedContent | None:
        if not failed:
            failed.append(True)
            raise ValueError("a driver's bug")
        return await claim(self)

    monkeypatch.setattr(Engine, "claim_content", fail_once)
    async with start() as sender:
        await _kept_and_then_drained(sender)
    assert failed


async def _kept_and_then_drained(sender: Sender) -> None:
    job = sender.new_job()
    sender.objects.rename(sender.objects.with_name("gone"))
    assert (await sender.send_envelope(envelope_of(job)))[0] == 500
    sender.objects.with_name("gone").rename(sender.objects)
    set_clock(sender, LATER)
    await until(lambda: sender.job(job)["status"] == "parsed")


async def test_a_stop_waits_for_one_hanging_deletion_and_not_for_the_rest() -> None:
    tried = []

    class Deletions:
        async def claim_content(self) -> None:
            return None

        async def claim_deletions(self, batch: int) -> list[tuple[str, int]]:
            return [(f"storage://parsed/{number}", 1) for number in range(batch)]

    class Hanging:
        async def write(self, path: str, content: bytes) -> None:
            raise AssertionError

        async def read(self, path: str) -> bytes:
            raise AssertionError

        async def sweep(self) -> int:
            return 0

        async def delete(self, path: str) -> None:
            tried.append(path)
            drain.stop()
            await asyncio.Event().wait()

    drain = Drain(
        engine=cast(Engine, Deletions()),
        storage=cast(Storage, Hanging()),
        metrics=ReceiverMetrics(),
        notifier=cast(Notifier, None),
        deadline=0.01,
    )
    async with asyncio.timeout(5):
        await drain.run()
    assert len(tried) == 1


async def test_a_stop_that_fails_half_way_still_closes_the_admin_side(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Drain) -> None:
        # The only error that ends a loop.
        raise ConfigurationError("the drain's end")

    monkeypatch.setattr(Drain, "run", fail)
    with pytest.raises(ConfigurationError):
        async with start() as sender:
            admin = sender.admin_url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*admin)
