"""The end of what a server or a program said, for an error message."""

from __future__ import annotations

from pathlib import Path

__all__ = ["end_of_log", "last_lines"]

_TAIL_LINES = 12


def last_lines(text: str) -> str:
    """Return the end of a program's output, for an error message."""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])


def end_of_log(log: Path) -> str:
    """Return the end of a server's log, or why there is none."""
    try:
        return last_lines(log.read_text(errors="replace")) or "(the log is empty)"
    except OSError as error:
        return f"(no log: {error.strerror})"
