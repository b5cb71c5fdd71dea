"""Failovers of a Patroni cluster under load. Needs Debian's packages patroni and etcd-server."""

from __future__ import annotations

from bench import fault_table
from faults.patroni_failovers import PATRONI_FAILOVERS


def main(arguments: list[str] | None = None) -> None:
    fault_table.main("patroni", PATRONI_FAILOVERS, arguments)
