"""`hookline up`: the whole stack on this machine, without any account."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hookline.cli.event_loop import loop_factory
from hookline.cli.output import print_line
from hookline.settings import ENV_FILE, load

if TYPE_CHECKING:
    from hookline.standalone.stack import Stack
    from hookline.worker.run import Worker

__all__ = ["Directory", "up"]

Directory = Annotated[
    Path,
    typer.Option(
        file_okay=False,
        help="The project. Its data is in .hookline/ of this directory.",
        show_default="the current directory",
    ),
]


def up(
    directory: Directory = Path(),
    stages: Annotated[
        list[str] | None,
        typer.Option(
            help="Module or .py file with stages of your own. May be repeated.",
            metavar="MODULE",
            show_default="HOOKLINE_STAGES",
        ),
    ] = None,
) -> None:
    """Run a private Postgres, file storage, the receiver and a worker, until Ctrl-C.

    All data is in .hookline/ (when root runs it, the database is in /var/lib/hookline/). The other
    commands find it there and need no settings. Documents are parsed by LlamaCloud if
    LLAMA_CLOUD_API_KEY is set, else on this machine.

    Example: hookline up
    """
    from hookline.standalone.up import run
    from hookline.worker.loading import load_stages

    own = load_stages(stages or load(directory.absolute() / ENV_FILE).stages)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(directory, own, on_ready=_print_summary, on_stopping=_print_stopping))


def _print_summary(stack: Stack) -> None:
    from hookline.providers.configured_parser import choose_parser
    from hookline.sources import routes

    lines = [
        "Hookline is up. Ctrl-C stops it; its data stays.",
        "",
        f"  webhooks  {stack.url}{routes.LLAMAPARSE}",
        f"  parser    {choose_parser(stack.settings).sentence}",
        f"  worker    {_describe(stack.worker)}",
        f"  dashboard {stack.admin_url}/",
        f"  admin     {stack.admin_url}/metrics, {stack.admin_url}/readyz",
        f"  objects   {stack.objects}",
        f"  database  {stack.database_home}",
        f"  settings  {stack.home / ENV_FILE.name}",
        "",
        "Try in another terminal, in this directory:",
        "",
        "  hookline submit FILE.pdf",
        "  hookline jobs",
        "  hookline doctor",
    ]
    for name in ("DATABASE_URL", "HOOKLINE_STORAGE_URL"):
        if name in os.environ:
            lines += [
                "",
                f"{name} is set here. Where it is set, the other commands use it and not this"
                " `hookline up`.",
            ]
    print_line("\n".join(lines))


def _print_stopping() -> None:
    print_line("Stopping.")


def _describe(worker: Worker | None) -> str:
    if worker is None:
        return "none: no status has a stage"
    return f"{', '.join(worker.stages)}; {worker.admin_url}/metrics"
