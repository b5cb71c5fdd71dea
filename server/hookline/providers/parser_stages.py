"""What a provider gives a worker: the stages that parse, and tasks to run beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hookline.stages import Stage, Tools

__all__ = ["ParserStages", "PeriodicTask"]


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A coroutine and how many seconds lie between two runs, give or take a quarter.

    Every worker runs it, so it has to bear company: claims that skip what others hold.
    """

    name: str
    run: Callable[[Tools], Awaitable[object]]
    every: float


@dataclass(frozen=True, slots=True)
class ParserStages:
    """Stages, and what has to be done beside them."""

    stages: tuple[Stage, ...] = ()
    periodic: tuple[PeriodicTask, ...] = ()
