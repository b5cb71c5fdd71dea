"""Hostile requests to a receiver, many more than the suite sends: see `support/fuzz.py`.

Exit code 1: an answer that is not of the table, a traceback or a secret in the log, memory that
grows, or no more webhooks afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

import aiohttp
from rich.console import Console

from bench.memory import receiver_pid
from bench.thin import receiver
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from support.fuzz import fuzz
from support.memory import resident_mib
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Sender, envelope_of

_ROUNDS = 10
# What may stay in free lists and pools after the first round.
_GROWTH_MIB = 48


def main(arguments: list[str]) -> None:
    options = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--at-once", type=int, default=32)
    faults = asyncio.run(_measure(options.parse_args(arguments)))
    sys.exit(bool(faults))


def _log_of(pid: int) -> str:
    return Path(f"/proc/{pid}/fd/2").read_text()


async def _measure(options: argparse.Namespace) -> list[str]:
    console = Console()
    console.print(f"seed {options.seed}, {options.requests} requests, {options.at_once} at once")
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    resident: list[int] = []
    with ThrowawayPostgres(options={}) as postgres:
        url = postgres.start()
        migrate(url)
        with receiver(
            url,
            HOOKLINE_LLAMAPARSE_SECRETS=ENVELOPE_SECRET,
            HOOKLINE_LLAMACLOUD_SECRETS=CLOUD_SECRET,
            HOOKLINE_PUSH_SECRETS=PUSH_SECRET,
            HOOKLINE_READ_TIMEOUT="2",
        ) as port:
            pid = receiver_pid()
            address = f"http://127.0.0.1:{port}"
            async with aiohttp.ClientSession() as http:
                sender = Sender(address, "", http, url, Path())
                jobs = [sender.new_job() for _ in range(50)]
                share = -(-options.requests // _ROUNDS)
                for first in range(0, options.requests, share):
                    count = min(share, options.requests - first)
                    found = await fuzz(
                        port,
                        jobs,
                        seed=options.seed,
                        first=first,
                        count=count,
                        at_once=options.at_once,
                    )
                    statuses += found.statuses
                    faults += found.faults
                    resident.append(resident_mib(pid))
                    console.print(f"{first + count}: {resident[-1]} MiB, {len(faults)} faults")
                answer = await sender.send_envelope(envelope_of(sender.new_job()))
                sender.close()
            log = _log_of(pid)
    if answer[0] != 200:
        faults.append(f"a proven webhook is answered {answer[0]}")
    if resident[-1] - resident[0] > _GROWTH_MIB:
        faults.append(f"memory grows: {resident} MiB")
    secrets = (ENVELOPE_SECRET, CLOUD_SECRET, PUSH_SECRET, "/webhooks/llamaparse/01")
    for word in ("Traceback", *secrets):
        faults += [f"the log holds {word!r}: {line}" for line in log.splitlines() if word in line]
    console.print(f"answers: {dict(sorted(statuses.items()))}")
    console.print(f"memory: {resident} MiB; lines of log: {log.count(chr(10))}")
    for fault in faults[:50]:
        console.print(f"FAULT {fault}", markup=False)
    console.print(f"{len(faults)} faults")
    return faults
