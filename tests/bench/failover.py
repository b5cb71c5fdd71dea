"""Failovers to a standby, with a ledger as `bench faults` has, and a control that loses."""

from __future__ import annotations

from bench import fault_table
from faults.failovers import FAILOVERS


def main(arguments: list[str] | None = None) -> None:
    fault_table.main("failover", FAILOVERS, arguments)
