"""Blocking calls run at most so many at a time, and a call that hangs blocks nobody."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from hookline.storage import blocking_calls
from hookline.storage.blocking_calls import BlockingCalls
from hookline.storage.objects import StorageError


async def test_a_timed_out_call_frees_its_place_when_it_ends() -> None:
    calls = BlockingCalls(2)
    release = threading.Event()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await calls.call(release.wait)

    await asyncio.gather(give_up(), give_up())
    with pytest.raises(StorageError, match="still hang"):
        await calls.call(int)
    release.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await asyncio.gather(*(calls.call(int) for _ in range(10))) == [0] * 10
            except StorageError:
                await asyncio.sleep(0.01)
            else:
                break


async def test_calls_wait_for_a_place_and_raise_what_the_function_raised() -> None:
    calls = BlockingCalls(2)
    running = []

    def work() -> int:
        running.append(1)
        time.sleep(0.01)
        return len(running) - len([running.pop()]) + 1

    assert max(await asyncio.gather(*(calls.call(work) for _ in range(10)))) <= 2

    def fail() -> None:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(FileNotFoundError):
        await calls.call(fail)


async def test_calls_one_after_another_share_a_thread_that_ends_when_it_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocking_calls, "_IDLE", 0.05)
    calls = BlockingCalls(2)
    first, second = [await calls.call(threading.current_thread) for _ in range(2)]
    assert first is second
    await asyncio.to_thread(first.join, 10)
    assert not first.is_alive()
    assert await calls.call(threading.current_thread) is not first
