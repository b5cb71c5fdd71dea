"""Failovers from a Postgres 15 to its standby, under load. DATABASE_URL names both servers.

A synchronous standby loses nothing that was acknowledged. `asynchronous_standby_behind` is the
control: the same fault, and what was acknowledged meanwhile is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from faults.lab import Lab, System
from support.standby import Pair, running_pair

# Seconds in which every part has to find the new primary.
_WITHIN = 15.0


async def switch_over(lab: Lab) -> None:
    """Planned: the primary is shut down, its synchronous standby promoted, and back again."""
    async with _system(lab, synchronous=True) as (pair, system):
        for _ in range(int(lab.seconds(4, 1))):
            await asyncio.to_thread(pair.switch_over)
            await _all_parts_follow(lab, system, pair)
            await asyncio.to_thread(pair.wait_until_streaming)


async def primary_killed(lab: Lab) -> None:
    """The primary is killed (-9), and its synchronous standby promoted."""
    async with _system(lab, synchronous=True) as (pair, system):
        await asyncio.to_thread(pair.fail_over)
        await _all_parts_follow(lab, system, pair)


async def synchronous_standby_behind(lab: Lab) -> None:
    """The synchronous standby is away for a while, and then the primary is killed (-9)."""
    async with _system(lab, synchronous=True) as (pair, system):
        await _fall_behind(lab, system, pair)


async def asynchronous_standby_behind(lab: Lab) -> None:
    """Control: the standby is asynchronous and away for a while; then the primary is killed."""
    async with _system(lab, synchronous=False, loses=True) as (pair, system):
        await _fall_behind(lab, system, pair)


async def _fall_behind(lab: Lab, system: System, pair: Pair) -> None:
    await asyncio.to_thread(pair.wait_until_streaming)
    await asyncio.to_thread(pair.standby.kill)
    before = len(system.ledger.acknowledged)
    await asyncio.sleep(lab.seconds(20, 3))
    meanwhile = len(system.ledger.acknowledged) - before
    await asyncio.to_thread(pair.fail_over)
    lab.row.remarks.append(f"{meanwhile} acknowledged without the standby")
    await _all_parts_follow(lab, system, pair)


@asynccontextmanager
async def _system(
    lab: Lab, *, synchronous: bool, loses: bool = False
) -> AsyncIterator[tuple[Pair, System]]:
    with running_pair() as pair:
        if synchronous:
            pair.be_synchronous()
        async with lab.system(
            pair.primary.url,
            connect=pair.at,
            recovers_within=_WITHIN,
            loses=loses,
        ) as system:
            yield pair, system


async def _all_parts_follow(lab: Lab, system: System, pair: Pair) -> None:
    """Use the new primary from here on. Wait for the receiver, the worker and its listener."""
    system.database = pair.primary.url
    system.end()
    began = time.monotonic()
    missing = {"a delivery", "/readyz", "hookline-worker", "hookline-listener"}
    found: list[str] = []
    async with aiohttp.ClientSession() as http:
        while missing and time.monotonic() < began + 4 * _WITHIN:
            now = {
                # Without version, start and name of the process.
                str(name).partition(" ")[0]
                for (name,) in await asyncio.to_thread(
                    system.query, "select application_name from pg_stat_activity"
                )
            }
            async with http.get(f"{system.url}/readyz") as response:
                if response.status == 200:
                    now.add("/readyz")
            if await system.recovery(seconds=0.1) is not None:
                now.add("a delivery")
            for part in missing & now:
                found.append(f"{part} {time.monotonic() - began:.1f} s")
            missing -= now
            await asyncio.sleep(0.05)
    in_time = not missing and time.monotonic() < began + _WITHIN
    lab.row.expect(in_time, ", ".join((*found, *(f"{part} never" for part in missing))))


FAILOVERS = {
    "switch-over": switch_over,
    "killed": primary_killed,
    "behind": synchronous_standby_behind,
    "behind-asynchronous": asynchronous_standby_behind,
}
