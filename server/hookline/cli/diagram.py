"""`hookline diagram`: the state machine of a database as a Mermaid diagram."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hookline.postgres.connecting import connected
from hookline.postgres.views import Status, Transition, Views
from hookline.settings import Settings, load

__all__ = ["diagram", "draw"]

_CLASSES = {
    "failed": "fill:#fde0dc,stroke:#b3261e,color:#000",
    "terminal": "fill:#e6e6e6,stroke:#555,color:#000",
    "claimable": "fill:#dcecfd,stroke:#1e5fb3,color:#000",
}


def diagram(
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also draw steps that keep the status, and disabled steps."),
    ] = False,
) -> None:
    """Print the statuses and steps in the database as a Mermaid state diagram.

    Example: hookline diagram > states.mmd
    """
    statuses, transitions = asyncio.run(_read(load()))
    sys.stdout.write(draw(statuses, transitions, everything=everything))


def draw(
    statuses: Sequence[Status], transitions: Sequence[Transition], *, everything: bool = False
) -> str:
    """A Mermaid stateDiagram-v2. The text does not depend on the order of the rows.

    One arrow stands for all steps between two statuses, and is labelled with their event types.
    `everything` adds steps that keep the status, and disabled ones, which are marked as such.
    """
    lines = ["stateDiagram-v2"]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    lines += [f"  [*] --> {s.status}" for s in _by_name(statuses) if s.initial]
    lines += [f"  {arrow}" for arrow in _arrows(transitions, everything)]
    lines += [f"  {s.status} --> [*]" for s in _by_name(statuses) if s.terminal and not s.failed]
    for name in _CLASSES:
        if those := [s.status for s in _by_name(statuses) if _class_of(s) == name]:
            lines.append(f"  class {','.join(those)} {name}")
    return "\n".join(lines) + "\n"


def _arrows(transitions: Sequence[Transition], everything: bool) -> list[str]:
    labels: dict[tuple[str, str], set[str]] = {}
    for step in transitions:
        if everything or (step.enabled and step.from_status != step.to_status):
            label = step.event_type if step.enabled else f"{step.event_type} (disabled)"
            labels.setdefault((step.from_status, step.to_status), set()).add(label)
    return [
        f"{origin} --> {target}: {', '.join(sorted(words))}"
        for (origin, target), words in sorted(labels.items())
    ]


def _class_of(status: Status) -> str | None:
    return next((name for name in _CLASSES if getattr(status, name)), None)


def _by_name(statuses: Sequence[Status]) -> list[Status]:
    return sorted(statuses, key=lambda status: status.status)


async def _read(settings: Settings) -> tuple[list[Status], list[Transition]]:
    async with connected(settings) as pool:
        views = Views(pool)
        return await views.statuses(), await views.transitions()
