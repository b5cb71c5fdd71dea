"""The last lines of a server's log or a program's output, for an error message."""

from __future__ import annotations

from pathlib import Path

__all__ = ["end_of_log", "last_lines"]

_LINES = 12


def last_lines(text: str) -> str:
    """The last lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-_LINES:])


def end_of_log(log: Path) -> str:
    """The last lines of a server's log, or the reason why there are none."""
    try:
        return last_lines(log.read_text(errors="replace")) or "(the log is empty)"
    except OSError as error:
        return f"(no log: {error.strerror})"
