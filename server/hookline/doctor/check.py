"""One row of the report of `hookline doctor`, and how a check says what it could not look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "State", "count"]

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the report."""

    name: str
    state: State
    sentence: str


def count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
