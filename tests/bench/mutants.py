"""Small faults in the SQL, one at a time, and whether a test fails: `bench mutants --sample 150`.

It measures the tests. It prints the share of mutants that a test killed, and the survivors.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter

from rich.console import Console

from mutants.killing import Killers
from support.servers import MAJORS, Server


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench mutants")
    parser.add_argument("--postgres", type=int, choices=MAJORS, default=18)
    parser.add_argument("--sample", type=int, help="so many mutants, chosen at random")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", default="", help="mutants whose names match this pattern")
    parser.add_argument("--pgtap", action="store_true", help="pgTAP alone: much faster")
    chosen = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    server = Server(chosen.postgres)
    try:
        killers = Killers(server, console.print, with_python=not chosen.pgtap)
        mutants = [mutant for mutant in killers.mutants() if re.search(chosen.only, mutant.name)]
        console.print(f"{len(mutants)} mutants, seed {chosen.seed}")
        if chosen.sample:
            size = min(chosen.sample, len(mutants))
            mutants = random.Random(chosen.seed).sample(mutants, size)
        counts: Counter[str] = Counter()
        survivors = []
        for mutant in mutants:
            began = time.monotonic()
            try:
                killer = killers.killer(mutant)
            except ValueError:
                counts["refused"] += 1
                continue
            counts["survived" if killer is None else "killed"] += 1
            if killer is None:
                survivors.append(mutant.name)
            took = time.monotonic() - began
            console.print(f"{took:5.1f} s {killer or 'SURVIVES'}: {mutant.name}", markup=False)
    finally:
        server.close()
    tried = counts["killed"] + counts["survived"]
    console.print(
        f"{counts['killed']} of {tried} mutants are killed; {counts['refused']} are not valid SQL"
    )
    for name in survivors:
        console.print(f"survives: {name}", markup=False)
