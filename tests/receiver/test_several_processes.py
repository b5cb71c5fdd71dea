"""HOOKLINE_PROCESSES: several processes on one port are started, watched and stopped as one."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
import structlog

from hookline.receiver.processes import Processes, ProcessNotStarted
from hookline.settings import Settings
from support.receiver_process import Spawn, Spawned
from support.sender import Job, Sender, envelope_of, event_of
from support.waiting import until


def pids(receiver: Spawned) -> dict[int, int]:
    """The newest process in each place."""
    return {line["process"]: line["pid"] for line in receiver.lines("process_started")}


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def get(sender: Sender, path: str) -> str:
    async with sender.http.get(sender.admin_url + path) as response:
        return await response.text()


async def answered(sender: Sender) -> float:
    metrics = await get(sender, "/metrics")
    return sum(float(n) for n in re.findall(r"^hookline_webhooks_total{.*} (.+)$", metrics, re.M))


async def test_a_process_killed_under_load_is_replaced_and_nothing_is_lost(spawn: Spawn) -> None:
    async with spawn(HOOKLINE_PROCESSES="2") as (receiver, sender):
        jobs = [sender.submitted(f"p-{number}") for number in range(200)]
        waiting = iter(range(len(jobs)))
        sums: list[float] = []
        by: list[int] = []
        victim = pids(receiver)[1]

        async def send() -> None:
            # A connection for each delivery, which the kernel gives to one of the processes.
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True)
            ) as http:
                own = Sender(sender.url, sender.admin_url, http, sender.database, sender.objects)
                for number in waiting:
                    while True:
                        try:
                            status, _ = await own.send_event(event_of(f"p-{number}"))
                        except aiohttp.ClientError:
                            continue
                        assert status == 200
                        break
                    if number % 20 == 0:
                        sums.append(await answered(sender))
                    if number == 100:
                        os.kill(victim, signal.SIGKILL)

        await asyncio.gather(*(send() for _ in range(8)))
        statuses = {str(sender.job(job)["status"]) for job in jobs}
        assert statuses == {"parse_ready"}
        assert sender.query("select * from upload_pipeline.check_integrity()") == []
        by = [line["process"] for line in receiver.lines("webhook")]
        assert set(by) == {1, 2}, "both have a share"

        await until(lambda: len(receiver.lines("process_started")) == 3)
        [ended] = receiver.lines("process_ended")
        assert (ended["process"], ended["by"]) == (1, "signal SIGKILL")
        sums.append(await answered(sender))
        assert sums == sorted(sums), "a sum never goes backwards"
        assert "hookline_processes_ended_total 1.0" in await get(sender, "/metrics")
        ready = await sender.http.get(f"{sender.admin_url}/readyz")
        details = await ready.json()
        assert (ready.status, details["fault"], details["warning"]) == (200, None, None)
        assert set(details["processes"]) == {"1", "2"}

        # The end of the parent, however it ends, is the end of all.
        children = pids(receiver).values()
        receiver.process.kill()
        await until(lambda: not any(map(lives, children)))


@asynccontextmanager
async def held_back(sender: Sender) -> AsyncIterator[tuple[list[Job], list[asyncio.Task[Any]]]]:
    """Deliveries in all processes that cannot be finished inside the block."""
    jobs = [sender.new_job() for _ in range(16)]
    with psycopg.connect(sender.database) as barrier:
        # Only finish_content writes an event.
        barrier.execute("lock table upload_pipeline.events in share mode")
        sending = [asyncio.create_task(sender.send_envelope(envelope_of(job))) for job in jobs]
        count = "select count(*) as number from upload_pipeline.contents"
        await until(lambda: sender.one(count)["number"] == len(jobs))
        yield jobs, sending


async def test_a_stop_finishes_the_deliveries_of_all_processes(spawn: Spawn) -> None:
    async with spawn(HOOKLINE_PROCESSES="2") as (receiver, sender):
        async with held_back(sender) as (jobs, sending):
            receiver.process.terminate()
            await until(lambda: len(receiver.lines("stopping")) == 3)
        assert {status for status, _ in await asyncio.gather(*sending)} == {200}
        assert await asyncio.wait_for(receiver.process.wait(), 30) == 0
        assert {str(sender.job(job)["status"]) for job in jobs} == {"parsed"}
        assert {line["process"] for line in receiver.lines("webhook")} == {1, 2}
        assert not any(map(lives, pids(receiver).values()))


async def test_a_second_signal_ends_all_at_once(spawn: Spawn) -> None:
    async with spawn(HOOKLINE_PROCESSES="2") as (receiver, sender):
        async with held_back(sender) as (_, sending):
            receiver.process.terminate()
            await until(lambda: len(receiver.lines("stopping")) == 3)
            receiver.process.terminate()
            assert await asyncio.wait_for(receiver.process.wait(), 20) == -signal.SIGTERM
            await until(lambda: not any(map(lives, pids(receiver).values())))
        answers = await asyncio.gather(*sending, return_exceptions=True)
        assert {type(answer).__name__ for answer in answers} == {"ServerDisconnectedError"}


async def test_a_process_that_the_system_does_not_start_is_tried_again(tmp_path: Path) -> None:
    program, away = tmp_path / "receiver", tmp_path / "away"
    program.write_text("#!/bin/sh\necho\nread line\n")
    program.chmod(0o755)
    processes = Processes(Settings.model_validate({"processes": 2}), [str(program)])
    with structlog.testing.capture_logs() as lines:

        def logged(event: str) -> list[Any]:
            return [line for line in lines if line["event"] == event]

        await processes.start(1)
        try:
            program.rename(away)
            os.kill(logged("process_started")[0]["pid"], signal.SIGKILL)
            await until(lambda: len(logged("process_not_started")) > 0)
            assert logged("process_not_started")[0]["reason"] == "No such file or directory"
            away.rename(program)
            await until(lambda: len(logged("process_started")) == 3)
        finally:
            await processes.stop()
    assert len(logged("process_ended")) == 1


async def test_a_first_process_that_the_system_does_not_start_is_one_sentence(
    tmp_path: Path,
) -> None:
    processes = Processes(Settings.model_validate({"processes": 2}), [str(tmp_path / "receiver")])
    sentence = r"^A process of the receiver could not be started: No such file or directory\.$"
    with pytest.raises(ProcessNotStarted, match=sentence):
        await processes.start(1)
    await processes.stop()
