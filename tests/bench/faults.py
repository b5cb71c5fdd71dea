"""What fails around a running receiver and worker: `make bench ARGS=faults`, or by name.

Each fault has a system of its own and a ledger of acknowledged deliveries, which is compared with
the database at the end. Exit code 1: something is not as it should be; the table says what.
"""

from __future__ import annotations

from bench import fault_table
from faults.catalogue import FAULTS


def main(arguments: list[str] | None = None) -> None:
    fault_table.main("faults", FAULTS, arguments)
