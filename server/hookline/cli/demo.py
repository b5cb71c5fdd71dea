"""`hookline demo`: process one PDF with every part of Hookline."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from hookline.cli.event_loop import loop_factory
from hookline.cli.exit_codes import FAILED
from hookline.cli.formats import duration
from hookline.cli.output import console
from hookline.cli.timeline import print_timeline
from hookline.cli.up import Directory

if TYPE_CHECKING:
    from hookline.standalone.demo import Outcome, Step

__all__ = ["demo"]

_FIRST_LINES = 5
_LONGEST_LINE = 96


def demo(directory: Directory = Path()) -> None:
    """Process a PDF with every part: worker, parser, signed webhook, markdown on disk.

    It needs no account and sends nothing to another machine. It uses the `hookline up` that runs in
    the directory, or starts one for as long as it needs it.

    Example: hookline demo
    """
    from hookline.standalone.demo import run

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        if not runner.run(run(directory, on_step=_print_step, on_outcome=_print_outcome)):
            raise typer.Exit(FAILED)


def _print_step(step: Step) -> None:
    mark = Text("✓", style="green") if step.holds else Text("✗", style="bold red")
    line = Text(f" {step.sentence:<56} {duration(step.seconds):>8}  ")
    console().print(Text.assemble(mark, line, Text(step.result, style="dim")))


def _print_outcome(outcome: Outcome) -> None:
    screen = console()
    screen.print(Text(f"\nThe markdown: {_relative(outcome.markdown)}", style="bold"))
    for line in outcome.markdown.read_text(encoding="utf-8").splitlines()[:_FIRST_LINES]:
        cut = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
        screen.print(Text(f"  {cut}", style="dim"))

    screen.print(Text("\nThe receiver's answer to the repeated webhook:", style="bold"))
    for name, value in outcome.answer.body.items():
        screen.print(Text(f"  {name}: {json.dumps(value)}"))

    screen.print(Text("\nThe job's timeline:", style="bold"))
    print_timeline(outcome.timeline)
    screen.print()


def _relative(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
