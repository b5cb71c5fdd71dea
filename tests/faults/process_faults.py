"""Faults of Hookline's own processes: their logs, their ends, and the clock."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp

from faults.lab import Lab, System
from faults.postgres_faults import running_postgres


async def log_reader_gone(lab: Lab) -> None:
    """The log is a pipe whose reader is gone (EPIPE)."""
    pipe, reader = _pipe(lab)
    async with running_postgres() as postgres, lab.system(postgres.url, log=pipe) as system:
        os.close(reader)
        await _deliver(lab, system)


async def log_reader_stalls(lab: Lab) -> None:
    """The log is a pipe whose reader has stopped reading, so that a write would wait for ever."""
    pipe, reader = _pipe(lab)
    try:
        async with (
            running_postgres() as postgres,
            lab.system(postgres.url, log=pipe, per_second=20, jobs=800) as system,
        ):
            # A pipe takes 64 KiB, the lines of some 130 deliveries.
            await _deliver(lab, system, count=400)
    finally:
        os.close(reader)


async def log_disk_full(lab: Lab) -> None:
    """The log's disk is full (ENOSPC)."""
    full = Path("/dev/full")
    async with running_postgres() as postgres, lab.system(postgres.url, log=full) as system:
        await _deliver(lab, system)


def _pipe(lab: Lab) -> tuple[Path, int]:
    """A named pipe, and the descriptor of its reader, without which nobody could open it."""
    pipe = lab.directory / "log"
    os.mkfifo(pipe)
    return pipe, os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)


async def _deliver(lab: Lab, system: System, count: int = 20) -> None:
    system.begin()
    system.end()
    await system.ledger.reach(count, seconds=lab.seconds(60, 20))
    silence = system.longest_silence()
    lab.row.expect(silence < 5, f"waited {silence:.1f} s at most")
    async with aiohttp.ClientSession() as http, http.get(f"{system.url}/readyz") as response:
        lab.row.remarks.append(f"/readyz {response.status}")


async def kills(lab: Lab) -> None:
    """The receiver and the worker are killed (-9) again and again."""
    async with running_postgres() as postgres:
        async with lab.system(postgres.url, settle=90) as system:
            times = int(lab.seconds(30, 3))
            for _ in range(times):
                for program in (system.receiver, system.worker):
                    await program.end()
                    await program.start()
                await system.ledger.reach(3)
            await system.receiver.end()
            await system.receiver.start()
            system.end()
        lab.row.remarks.append(f"each {times} times")


async def clock_jumps(lab: Lab) -> None:
    """The database's clock is two days ahead for a while; a worker dies meanwhile."""
    async with running_postgres() as postgres, lab.system(postgres.url, settle=90) as system:
        _set_clock(system, "2 days")
        await system.ledger.reach(20)
        # What it has claimed is under a lease that ends in two days.
        await system.worker.end()
        await system.ledger.reach(20)
        _set_clock(system, "0")
        system.end()
        await system.worker.start()


async def clock_jumps_back(lab: Lab) -> None:
    """The database's clock is a day behind for a while."""
    async with running_postgres() as postgres, lab.system(postgres.url, settle=90) as system:
        _set_clock(system, "-1 day")
        await system.ledger.reach(40)
        _set_clock(system, "0")
        system.end()


def _set_clock(system: System, ahead: str) -> None:
    system.query(
        "create or replace function upload_pipeline.clock() returns timestamptz language sql"
        f" volatile as $$ select clock_timestamp() + interval '{ahead}' $$"
    )
