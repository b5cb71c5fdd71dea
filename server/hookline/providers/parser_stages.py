"""What a parser brings to a worker: its stages, and periodic tasks that run beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hookline.stages import Stage, Tools

__all__ = ["ParserStages", "PeriodicTask"]


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """An async function that the worker repeats. `every` is the pause in seconds, varied by 25%.

    Every worker runs it. So it must work beside itself, by claims that skip what others have
    claimed.
    """

    name: str
    run: Callable[[Tools], Awaitable[object]]
    every: float


@dataclass(frozen=True, slots=True)
class ParserStages:
    """The stages of a parser, and its periodic tasks."""

    stages: tuple[Stage, ...] = ()
    periodic: tuple[PeriodicTask, ...] = ()
