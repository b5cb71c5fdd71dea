"""Failovers of a Patroni cluster under load, with `synchronous_mode_strict` and, once, without."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from signal import SIGKILL

from faults.lab import Lab, System
from faults.patroni_cluster import TIMES, PatroniCluster, running_cluster

# The leader's key expires after ttl. Then a follower has to notice, be promoted, and be found.
_WITHIN = TIMES["ttl"] + 2.0 * TIMES["loop_wait"] + 15


async def switch_over(lab: Lab) -> None:
    """`patronictl switchover` to the synchronous standby, twice."""
    async with _system(lab, synchronous=True) as (cluster, system):
        for _ in range(2):
            await asyncio.to_thread(cluster.switch_over)
            await _follow(lab, system)
            await asyncio.to_thread(cluster.wait_until_whole)


async def leader_killed(lab: Lab) -> None:
    """The leader's Patroni and Postgres are killed (-9), twice, and come back as a standby."""
    async with _system(lab, synchronous=True) as (cluster, system):
        for _ in range(2):
            leader = await asyncio.to_thread(cluster.leader)
            assert leader is not None
            await asyncio.to_thread(leader.kill)
            await _follow(lab, system)
            leader.start()
            await asyncio.to_thread(cluster.wait_until_whole)


async def synchronous_standby_behind(lab: Lab) -> None:
    """No standby receives WAL for 5 s, and then the leader is killed (-9)."""
    async with _system(lab, synchronous=True) as (cluster, system):
        await _fall_behind(lab, cluster, system)


async def asynchronous_standby_behind(lab: Lab) -> None:
    """Control: the same without synchronous_mode."""
    async with _system(lab, synchronous=False, loses=True) as (cluster, system):
        await _fall_behind(lab, cluster, system)


async def _fall_behind(lab: Lab, cluster: PatroniCluster, system: System) -> None:
    leader = await asyncio.to_thread(cluster.leader)
    assert leader is not None
    stopped = await asyncio.to_thread(cluster.stop_receiving)
    before = len(system.ledger.acknowledged)
    await asyncio.sleep(5)
    meanwhile = len(system.ledger.acknowledged) - before
    lab.row.remarks.append(f"{meanwhile} acknowledged without a standby")
    await asyncio.to_thread(leader.kill)
    # What they had not read yet is gone with them.
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)
    await _follow(lab, system)


async def _follow(lab: Lab, system: System) -> None:
    """The fault has happened: note when the next delivery was acknowledged."""
    system.end()
    recovery = await system.recovery(seconds=_WITHIN + 30)
    lab.row.remarks.append("never" if recovery is None else f"{recovery:.1f} s")


@asynccontextmanager
async def _system(
    lab: Lab, *, synchronous: bool, loses: bool = False
) -> AsyncIterator[tuple[PatroniCluster, System]]:
    with running_cluster(synchronous=synchronous) as cluster:
        async with lab.system(
            cluster.url, recovers_within=_WITHIN, settle=120, jobs=2000, loses=loses
        ) as system:
            yield cluster, system
            deadline = time.monotonic() + 120
            while await asyncio.to_thread(cluster.leader) is None:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.5)


PATRONI_FAILOVERS = {
    "switch-over": switch_over,
    "killed": leader_killed,
    "behind": synchronous_standby_behind,
    "behind-asynchronous": asynchronous_standby_behind,
}
