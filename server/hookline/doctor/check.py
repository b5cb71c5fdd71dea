"""One row of the report of `hookline doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "State", "count"]

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was checked, the result, and a sentence that says what to do."""

    name: str
    state: State
    sentence: str


def count(number: int, word: str, plural: str | None = None) -> str:
    """A number and its noun: 1 job, 1,000 jobs."""
    return f"{number:,} {word if number == 1 else plural or f'{word}s'}"
