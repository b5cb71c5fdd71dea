"""A disk that never answers holds up nothing but what wants to be written to it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from hookline.storage.blocking_calls import BlockingCalls
from hookline.storage.objects import StorageError
from support.receiver_process import Spawn
from support.sender import envelope_of


async def test_neither_signatures_nor_the_stop_wait_for_a_disk_that_hangs(
    spawn: Spawn, tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging"
    hanging.mkdir()
    (hanging / "sitecustomize.py").write_text(
        "import os, time\nos.fsync = lambda descriptor: time.sleep(3600)\n"
    )
    environment = {
        "PYTHONPATH": os.pathsep.join([str(hanging), *sys.path]),
        "HOOKLINE_STORAGE_DEADLINE": "1",
    }
    async with spawn(**environment) as (receiver, sender):
        # More than asyncio's own executor would have threads.
        jobs = [sender.new_job() for _ in range(40)]
        answers = await asyncio.gather(*(sender.send_envelope(envelope_of(job)) for job in jobs))
        assert {status for status, _ in answers} == {500}

        async with asyncio.timeout(5):
            large = envelope_of(jobs[0], content="x" * 2**17)
            assert (await sender.send_envelope(large, secret="a-wrong-secret"))[0] == 401
            assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 500

        kept = receiver.lines("webhook")
        assert "still hang" in kept[-1]["reason"], "said at once, not after the deadline"
        assert {line["outcome"] for line in kept if line["http"] == 500} == {"kept"}
        assert {line.get("job_id") for line in kept} >= {str(job.job_id) for job in jobs}

        receiver.process.terminate()
        async with asyncio.timeout(10):
            assert await receiver.process.wait() == 0


async def test_a_call_that_ends_after_it_was_given_up_frees_its_place() -> None:
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
