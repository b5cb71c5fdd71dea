"""What fails around a running receiver and worker: `make bench ARGS=faults`, or by name.

Each fault has a system of its own and a ledger of acknowledged deliveries, which is compared with
the database at the end. Exit code 1: something is not as it should be; the table says what.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from rich.console import Console
from rich.table import Table

from chaos.fork_server import fork_server
from faults.catalogue import FAULTS, run
from faults.lab import Row
from faults.small_disk import NotPossible
from support.temporary import use_memory


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench faults")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FAULTS))
    parser.add_argument("--short", action="store_true", help="the form of the test suite")
    chosen = parser.parse_args(arguments or [])
    if unknown := set(chosen.names) - set(FAULTS):
        sys.exit(f"no such fault: {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    use_memory()
    rows = asyncio.run(_run(chosen.names or list(FAULTS), chosen.short))
    wrong = [name for name, row in rows.items() if row.wrong]
    if wrong:
        sys.exit(f"not as it should be: {', '.join(wrong)}")


async def _run(names: list[str], short: bool) -> dict[str, Row]:
    console, rows = Console(), dict[str, Row]()
    table = Table("fault", "acknowledged", "lost", "stuck", "recovers in", "also")
    async with fork_server() as forks:
        for name in names:
            console.print(f"{name}: {(FAULTS[name].__doc__ or '').strip()}")
            try:
                row = rows[name] = await run(FAULTS[name], forks, short=short)
            except NotPossible as error:
                table.add_row(name, "", "", "", "", f"not run: {error}")
                continue
            recovery = "never" if row.recovery is None else f"{row.recovery:.1f} s"
            also = "; ".join((*row.remarks, *(f"WRONG: {sentence}" for sentence in row.wrong)))
            console.print(f"  {row.acknowledged} acknowledged, {recovery}; {also}", markup=False)
            counts = (row.acknowledged, row.lost, row.stuck)
            table.add_row(name, *map(str, counts), recovery, also)
    console.print(table)
    return rows
