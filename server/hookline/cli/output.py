"""What commands print: tables for people, a JSON object a line for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline.cli.formats import printable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "console",
    "errors",
    "print_json",
    "print_table",
    "say",
    "table_of",
]

# Where nobody looks, lines are as long as what is in them, for grep and cut.
_UNLIMITED = 100_000


def console() -> Console:
    """Standard output."""
    return _console(sys.stdout)


def errors() -> Console:
    """Standard error."""
    return _console(sys.stderr)


def say(sentence: str) -> None:
    """Tell a person something that is no part of the output."""
    sys.stdout.flush()
    sys.stderr.write(f"{sentence}\n")


def print_json(value: DataclassInstance | dict[str, Any]) -> None:
    """One line: ids and paths as text, times as ISO 8601, durations in seconds."""
    content = value if isinstance(value, dict) else asdict(value)
    sys.stdout.write(json.dumps(content, default=_encode) + "\n")
    # Whoever reads it sees each as it is done.
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Columns from left to right; a name that starts with `>` is one of numbers."""
    screen = console()
    with screen.capture() as captured:
        screen.print(table_of(columns, rows))
    # The last column is padded, too.
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """What print_table prints."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(
            name.removeprefix(">"),
            justify="right" if name.startswith(">") else "left",
            overflow="fold",
            # An id that is broken in two cannot be copied.
            no_wrap=name == "job",
        )
    for row in rows:
        table.add_row(*(Text(printable(c)) if isinstance(c, str) else c for c in row))
    return table


def _console(stream: Any) -> Console:
    width = None if stream.isatty() else _UNLIMITED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    return str(value)
