"""Every pair of calls in every scene, as tests/engine/pairs describes. It takes most of an hour.

It measures nothing. It prints what it found and ends with exit code 1 if that was anything.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from contextlib import ExitStack

from rich.console import Console

from engine.pairs.calls import CALLS, Call
from engine.pairs.interleavings import Pairs
from engine.pairs.scenes import SCENES
from support.servers import MAJORS, Server


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench pairs")
    parser.add_argument("--postgres", type=int, choices=MAJORS, default=18)
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=[*SCENES])
    parser.add_argument("--sample", type=int, help="try this many pairs, chosen at random")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    chosen = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    pairs = [(name, first, second) for name in chosen.scenes for first in CALLS for second in CALLS]
    if chosen.sample:
        console.print(f"seed {chosen.seed}")
        pairs = random.Random(chosen.seed).sample(pairs, min(chosen.sample, len(pairs)))
        pairs.sort(key=lambda pair: chosen.scenes.index(pair[0]))
    server = Server(chosen.postgres)
    try:
        with server.create(template=server.template) as url, ExitStack() as stack:
            found = _run(Pairs(url, stack), pairs, console)
    finally:
        server.close()
    if found:
        sys.exit(f"{found} interleavings ended otherwise than the calls one after the other")


def _run(runner: Pairs, pairs: list[tuple[str, Call, Call]], console: Console) -> int:
    began, found, of_scene = time.monotonic(), 0, ""
    for name, first, second in pairs:
        if name != of_scene:
            of_scene = name
            console.print(f"{time.monotonic() - began:5.0f} s {runner.runs:6} runs: {name}")
        for finding in runner.findings(runner.stage.scene(name), first, second):
            found += 1
            console.print(str(finding), markup=False)
    console.print(
        f"{len(pairs)} pairs, {runner.runs} interleavings, {found} findings"
        f" in {time.monotonic() - began:.0f} s"
    )
    return found
