"""The faults by name, and one run of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos.fork_server import ForkServer
from faults import postgres_faults, process_faults, sender_faults, storage_faults
from faults.lab import Lab, Row
from faults.small_disk import NotPossible

Fault = Callable[[Lab], Awaitable[None]]

FAULTS: dict[str, Fault] = {
    "vanish": postgres_faults.packets_vanish,
    "outage": postgres_faults.outage,
    "hang": postgres_faults.backends_hang,
    "crash": postgres_faults.crash,
    "read-only": postgres_faults.read_only,
    "held-row": postgres_faults.held_row,
    "cancelled-commits": postgres_faults.cancelled_commits,
    "pooler": postgres_faults.pooler_restarts,
    "postgres-disk": postgres_faults.postgres_disk_full,
    "garbage": sender_faults.garbage,
    "body-budget": sender_faults.body_budget,
    "idle": sender_faults.idle_connections,
    "json-bomb": sender_faults.json_bomb,
    "log-gone": process_faults.log_reader_gone,
    "log-stalls": process_faults.log_reader_stalls,
    "log-full": process_faults.log_disk_full,
    "kills": process_faults.kills,
    "clock-ahead": process_faults.clock_jumps,
    "clock-behind": process_faults.clock_jumps_back,
    "storage-fails": storage_faults.storage_fails,
    "storage-hangs": storage_faults.storage_hangs,
    "storage-away": storage_faults.directory_away,
    "storage-full": storage_faults.disk_full,
}


async def run(fault: Fault, forks: ForkServer, *, short: bool) -> Row:
    """Make one fault in a system of its own. Raises NotPossible where it cannot be made."""
    with TemporaryDirectory(prefix="hookline-fault-") as directory:
        lab = Lab(forks, Path(directory), short=short)
        try:
            async with asyncio.timeout(600):
                await fault(lab)
        except NotPossible:
            raise
        except Exception as error:
            lab.row.wrong.append(f"{type(error).__name__}: {str(error).splitlines()[:1]}")
        return lab.row
