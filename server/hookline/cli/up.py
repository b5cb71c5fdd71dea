"""`hookline up`: all of it on this machine, without any account."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hookline.cli.event_loop import loop_factory
from hookline.settings import ENV_FILE, load

__all__ = ["Directory", "up"]

Directory = Annotated[
    Path,
    typer.Option(file_okay=False, help="The project: what is kept is in .hookline/ there."),
]


def up(
    directory: Directory = Path(),
    stages: Annotated[
        list[str] | None,
        typer.Option(
            help="Module or .py file with stages of yours; may be repeated."
            " Default: HOOKLINE_STAGES.",
            metavar="MODULE",
        ),
    ] = None,
) -> None:
    """Run a private Postgres, file storage, the receiver and a worker, until Ctrl-C.

    What it keeps is in .hookline/ (for root, the database is in /var/lib/hookline/); the other
    commands find it there, without any environment. With LLAMA_CLOUD_API_KEY documents are parsed
    by LlamaCloud, else on this machine.

    Example: hookline up
    """
    from hookline.standalone import up as standalone
    from hookline.worker.loading import load_stages

    own = load_stages(stages or load(directory / ENV_FILE).stages)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(standalone.run(directory, own))
