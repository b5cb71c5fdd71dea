"""`hookline work`: a worker, until a signal."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hookline.cli.event_loop import loop_factory
from hookline.cli.exit_codes import WrongUsage
from hookline.process.signals import stop_on_signals
from hookline.settings import ENV_FILE, ConfigurationError, Settings, load

if TYPE_CHECKING:
    from hookline.stages import Stage

__all__ = ["work"]


def work(
    stages: Annotated[
        list[str] | None,
        typer.Option(
            help="Module or .py file with stages of yours; may be repeated."
            " Default: HOOKLINE_STAGES.",
            metavar="MODULE",
        ),
    ] = None,
    concurrency: Annotated[
        list[str] | None,
        typer.Option(
            help="How many jobs of a status to work on at once; may be repeated.",
            metavar="STATUS=N",
        ),
    ] = None,
) -> None:
    """Work on jobs until SIGTERM or SIGINT.

    Handlers under way are then given HOOKLINE_STOP_TIMEOUT to end, and what they do not get done is
    anybody's again; a second signal stops at once. Logs are JSON lines on standard error. The admin
    side takes any free port, which the first log line names, unless HOOKLINE_ADMIN_PORT is in the
    environment.

    It parses, too: with LLAMA_CLOUD_API_KEY by LlamaCloud, else, where liteparse is installed and
    HOOKLINE_LLAMAPARSE_SECRETS set, on this machine; HOOKLINE_PARSER decides otherwise.

    Example: DATABASE_URL=postgresql://worker:password@db.example.com/app
    HOOKLINE_STORAGE_URL=file:///var/lib/hookline/objects hookline work --stages my_stages
    """
    # What the other commands do not need takes longer to import than they take to run.
    from hookline.process import logs
    from hookline.worker.loading import load_stages

    settings = load()
    if "DATABASE_URL" not in os.environ and ENV_FILE.with_name("up.lock").exists():
        raise ConfigurationError(
            f"DATABASE_URL is not set, and that of {ENV_FILE} is an operator's: in this directory"
            " `hookline up` is the worker, too, and takes your stages with --stages or from"
            " HOOKLINE_STAGES."
        )
    # Many workers share a machine, and `hookline up` writes its own receiver's port to the file.
    if "HOOKLINE_ADMIN_PORT" not in os.environ:
        settings = settings.model_copy(update={"admin_port": 0})
    chosen = _numbers(concurrency or [])
    own = load_stages(stages or settings.stages)
    logs.configure()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work_until_signal(settings, own, chosen))


def _numbers(options: list[str]) -> dict[str, int]:
    numbers = {}
    for option in options:
        status, _, number = option.partition("=")
        if not status or not number.isascii() or not number.isdecimal():
            raise WrongUsage(f"--concurrency {option} is wrong: it is STATUS=N, like parsed=8.")
        numbers[status] = int(number)
    return numbers


async def _work_until_signal(
    settings: Settings, own: tuple[Stage, ...], numbers: dict[str, int]
) -> None:
    from hookline.providers.configured_parser import choose_parser, parser_stages
    from hookline.worker.run import working

    stop = stop_on_signals()
    async with parser_stages(settings) as builtin:
        stages = _with_numbers((*builtin.stages, *own), numbers)
        if not stages:
            raise ConfigurationError(
                f"There is no stage to work on. {choose_parser(settings).sentence} For stages of"
                " your own set HOOKLINE_STAGES, for example to my_stages, or name them with"
                " --stages."
            )
        async with working(settings, stages, builtin.periodic) as worker:
            await worker.until(stop)


def _with_numbers(stages: tuple[Stage, ...], numbers: dict[str, int]) -> list[Stage]:
    known = [stage.status for stage in stages]
    for status in numbers:
        if status not in known:
            raise WrongUsage(
                f"--concurrency {status}=...: no stage works on {status}. Stages: "
                f"{', '.join(known) or 'none'}."
            )
    return [
        replace(stage, concurrency=numbers.get(stage.status, stage.concurrency)) for stage in stages
    ]
