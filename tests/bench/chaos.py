"""The chaos test for many documents: processes are killed, every fault occurs.

It measures nothing. It prints what happened and ends with exit code 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
from uuid import UUID

from rich.console import Console

from chaos.report import report
from chaos.run import Plan, run

_JOB_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench chaos")
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    chosen = parser.parse_args(arguments or [])
    console = Console(soft_wrap=True)
    console.print(f"seed {chosen.seed}")
    plan = Plan(chosen.documents, chosen.seed, seconds=60 + chosen.documents)
    outcome = asyncio.run(run(plan, progress=console.print))
    console.print(report(outcome))
    for sentence in outcome.broken:
        console.print(sentence, markup=False)
    for job_id in dict.fromkeys(_JOB_ID.findall("\n".join(outcome.broken))):
        if UUID(job_id) in outcome.state.events:
            console.print(f"\n{job_id}")
            for line in outcome.state.explain(job_id):
                console.print(line, markup=False)
    if outcome.broken:
        sys.exit(f"{len(outcome.broken)} promises were broken with seed {chosen.seed}")
