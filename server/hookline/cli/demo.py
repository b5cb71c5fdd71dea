"""`hookline demo`: one PDF through all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from hookline.cli.event_loop import loop_factory
from hookline.cli.output import console
from hookline.cli.up import Directory

__all__ = ["demo"]


def demo(directory: Directory = Path()) -> None:
    """Take a PDF through all of it: worker, parser, signed webhook, markdown on disk.

    Example: hookline demo
    """
    from hookline.standalone import demo as show

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        raise typer.Exit(runner.run(show.run(directory, console())))
