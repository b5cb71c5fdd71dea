"""Break one thing at a time, and see whether a test fails: `bench mutants --sample 150`.

It measures the tests: of the SQL, or with `--sources` of the Python that verifies and parses
deliveries. It prints the share of mutants that a test killed, and the survivors.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console

from mutants import python_mutants
from mutants.killing import Killers
from mutants.python_mutants import PythonMutant
from mutants.sql_mutants import Mutant
from support.servers import MAJORS, Server

T = TypeVar("T", Mutant, PythonMutant)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench mutants")
    parser.add_argument("--sources", action="store_true", help="break the Python, not the SQL")
    parser.add_argument("--postgres", type=int, choices=MAJORS, default=18)
    parser.add_argument("--sample", type=int, help="try this many mutants, chosen at random")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", default="", help="mutants whose names match this pattern")
    parser.add_argument("--pgtap", action="store_true", help="pgTAP alone: much faster")
    chosen = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    if chosen.sources:
        found = _sample(python_mutants.of_the_sources(), chosen, console)
        _try(found, python_mutants.killer, console)
        return
    server = Server(chosen.postgres)
    try:
        killers = Killers(server, console.print, with_python=not chosen.pgtap)
        _try(_sample(killers.mutants(), chosen, console), killers.killer, console)
    finally:
        server.close()


def _sample(mutants: list[T], chosen: argparse.Namespace, console: Console) -> list[T]:
    mutants = [mutant for mutant in mutants if re.search(chosen.only, mutant.name)]
    console.print(f"{len(mutants)} mutants, seed {chosen.seed}")
    if chosen.sample is None:
        return mutants
    return random.Random(chosen.seed).sample(mutants, min(chosen.sample, len(mutants)))


def _try(mutants: list[T], killer_of: Callable[[T], str | None], console: Console) -> None:
    counts: Counter[str] = Counter()
    survivors = []
    for mutant in mutants:
        began = time.monotonic()
        try:
            killer = killer_of(mutant)
        except ValueError:
            counts["refused"] += 1
            continue
        counts["survived" if killer is None else "killed"] += 1
        if killer is None:
            survivors.append(mutant.name)
        took = time.monotonic() - began
        console.print(f"{took:5.1f} s {killer or 'SURVIVES'}: {mutant.name}", markup=False)
    console.print(
        f"{counts['killed']} of {counts['killed'] + counts['survived']} mutants are killed;"
        f" {counts['refused']} are not valid SQL"
    )
    for name in survivors:
        console.print(f"survives: {name}", markup=False)
