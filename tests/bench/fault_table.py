"""Runs faults one after the other, and prints a table of the results."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from chaos.fork_server import fork_server
from faults.catalogue import Fault, run
from faults.small_disk import NotPossible
from support.temporary import use_memory


def main(bench: str, faults: Mapping[str, Fault], arguments: list[str] | None) -> None:
    """Run the faults that the arguments name, else all. Exits with 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog=f"bench {bench}")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(faults))
    parser.add_argument("--short", action="store_true", help="faults that last seconds only")
    chosen = parser.parse_args(arguments or [])
    if unknown := set(chosen.names) - set(faults):
        sys.exit(f"no such fault: {', '.join(unknown)}; there are: {', '.join(faults)}")
    use_memory()
    # The imitation of a storage is cut off on purpose.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    names = chosen.names or list(faults)
    if wrong := asyncio.run(_run({name: faults[name] for name in names}, chosen.short)):
        sys.exit(f"not as it should be: {', '.join(wrong)}")


async def _run(faults: Mapping[str, Fault], short: bool) -> list[str]:
    """Print a table. Returns the names of the faults that broke a promise."""
    # In a file or a pipe a line has no end; on a terminal a narrow table would be unreadable.
    console, wrong = Console(width=160, soft_wrap=True), list[str]()
    table = Table("fault", "acknowledged", "lost", "stuck", "recovers in", "also")
    async with fork_server() as forks:
        for name, fault in faults.items():
            console.print(f"{name}: {(fault.__doc__ or '').strip()}")
            try:
                row = await run(fault, forks, short=short)
            except NotPossible as error:
                table.add_row(name, "", "", "", "", f"not run: {error}")
                continue
            recovery = "never" if row.recovery is None else f"{row.recovery:.1f} s"
            also = "; ".join((*row.remarks, *(f"WRONG: {sentence}" for sentence in row.wrong)))
            console.print(f"  {row.acknowledged} acknowledged, {recovery}; {also}", markup=False)
            counts = (row.acknowledged, row.lost, row.stuck)
            table.add_row(name, *map(str, counts), recovery, also)
            if row.wrong:
                wrong.append(name)
    console.print(table)
    return wrong
