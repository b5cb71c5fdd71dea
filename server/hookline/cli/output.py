"""What commands print: lines and tables for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline.cli.formats import printable
from hookline.cli.standard_streams import OutputLost

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "console",
    "errors",
    "fitted_table",
    "print_json",
    "print_line",
    "print_rows",
    "print_table",
    "say",
    "table_of",
]

# Output that goes to a file or a pipe is not wrapped: grep and cut get whole lines.
_UNLIMITED = 100_000
# What Rich puts between two columns.
_GAP = "  "


def console() -> Console:
    """Standard output."""
    return _console(sys.stdout)


def errors() -> Console:
    """Standard error."""
    return _console(sys.stderr)


def say(sentence: str) -> None:
    """Tell a person something on standard error, apart from the command's output."""
    with suppress(OutputLost):
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.write(f"{sentence}\n")


def print_line(text: str) -> None:
    """Print text on standard output, at once: the reader may be a program that waits for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(value: DataclassInstance | dict[str, Any]) -> None:
    """Print one line, at once: ids and paths as text, times as ISO 8601, durations in seconds."""
    content = value if isinstance(value, dict) else asdict(value)
    print_line(json.dumps(content, default=_encode))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print columns from left to right. A name that starts with `>` has numbers, right-aligned."""
    screen = console()
    with screen.capture() as captured:
        screen.print(table_of(columns, rows))
    # Rich pads the last column, too.
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def print_rows(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, cut: Collection[str] = ()
) -> None:
    """Print columns as print_table does. A terminal gets one line a row.

    There the last column is cut at the edge of the terminal, and the columns named in `cut` at a
    fifth of its width.
    """
    screen = console()
    if screen.is_terminal:
        at_most = dict.fromkeys(cut, screen.width // 5)
        screen.print(fitted_table(columns, rows, screen.width, at_most=at_most))
    else:
        print_table(columns, rows)


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """The table that print_table prints."""
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


def fitted_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    width: int,
    *,
    at_most: Mapping[str, int],
) -> Table:
    """A table of one line a row, in `width` columns. The last one and those `at_most` are cut."""
    cells = [[Text(printable(c)) if isinstance(c, str) else c for c in row] for row in rows]
    names = [name.removeprefix(">") for name in columns]
    widths = [
        min(max([len(name), *(row[n].cell_len for row in cells)]), at_most.get(name, width))
        for n, name in enumerate(names)
    ]
    widths[-1] = max(len(names[-1]), width - sum(widths[:-1]) - len(_GAP) * (len(names) - 1))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, name, size in zip(columns, names, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", width=size)
    for row in cells:
        table.add_row(*row)
    return table


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else _UNLIMITED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
