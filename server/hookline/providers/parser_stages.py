"""What a provider gives a worker: the stages that parse, and tasks to run beside them."""

from __future__ import annotations

from dataclasses import dataclass

from hookline.stages import PeriodicTask, Stage

__all__ = ["ParserStages"]


@dataclass(frozen=True, slots=True)
class ParserStages:
    """Stages, and what has to be done beside them."""

    stages: tuple[Stage, ...] = ()
    periodic: tuple[PeriodicTask, ...] = ()
