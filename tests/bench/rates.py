"""The table of a bench that compares rates: each beside ours, as the ratio of the same rounds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

__all__ = ["print_rates"]


def print_rates(
    console: Console, unit: str, rates: Mapping[str, list[float]], ours: str, rounds: int
) -> None:
    """Print the medians, with their least and most. `ours` is the one of `rates` that is ours."""
    table = Table(f"{unit} /s", "hookline / it", "median", "least", "most")
    for name, found in rates.items():
        ratios = [one / other for one, other in zip(rates[ours], found, strict=True)]
        table.add_row(
            name,
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            *(f"{value:.0f}" for value in (statistics.median(found), min(found), max(found))),
        )
    console.print(f"Medians of {rounds} alternating rounds:")
    console.print(table)
