"""`hookline work`: run a worker until a signal."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hookline.cli.event_loop import loop_factory
from hookline.cli.exit_codes import WrongUsage
from hookline.process.signals import stop_on_signals
from hookline.settings import ConfigurationError, Settings, find_env_file, load

if TYPE_CHECKING:
    from hookline.stages import Stage

__all__ = ["work"]


def work(
    stages: Annotated[
        list[str] | None,
        typer.Option(
            help="Module or .py file with stages of your own. May be repeated.",
            metavar="MODULE",
            show_default="HOOKLINE_STAGES",
        ),
    ] = None,
    concurrency: Annotated[
        list[str] | None,
        typer.Option(
            help="Work on N jobs of this status at once. May be repeated.",
            metavar="STATUS=N",
            show_default="what each stage declares",
        ),
    ] = None,
) -> None:
    """Work on jobs until SIGTERM or SIGINT.

    After the first signal, handlers have HOOKLINE_STOP_TIMEOUT to end. Then they are cancelled, and
    other workers may take their jobs. A second signal stops it at once. Logs go to standard error.
    The admin side (metrics, readiness) listens on any free port unless HOOKLINE_ADMIN_PORT is set;
    the first log line names the port.

    The worker also parses documents: with LlamaCloud if LLAMA_CLOUD_API_KEY is set, else on this
    machine if liteparse is installed and HOOKLINE_LLAMAPARSE_SECRETS is set. HOOKLINE_PARSER
    overrides this; it may name several parsers.

    Example: DATABASE_URL=postgresql://worker:password@db.example.com/app
    HOOKLINE_STORAGE_URL=file:///var/lib/hookline/objects hookline work --stages my_stages
    """
    # Imported here: the other commands do not need it, and the import takes longer than they do.
    from hookline.process import logs
    from hookline.process.traces import tracing
    from hookline.worker.loading import load_stages

    settings = load()
    env_file = find_env_file()
    if "DATABASE_URL" not in os.environ and env_file.with_name("up.lock").exists():
        raise ConfigurationError(
            f"DATABASE_URL is not set, and the one in {env_file} is the operator's, which may not"
            " work on jobs. In this directory `hookline up` also runs the worker: give it your"
            " stages with --stages or HOOKLINE_STAGES."
        )
    # Many workers share a machine, and the port in the file is the receiver's of `hookline up`.
    if "HOOKLINE_ADMIN_PORT" not in os.environ:
        settings = settings.model_copy(update={"admin_port": 0})
    chosen = _numbers(concurrency or [])
    own = load_stages(stages or settings.stages)
    logs.configure(settings.log_format)
    with tracing(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work_until_signal(settings, own, chosen))


def _numbers(options: list[str]) -> dict[str, int]:
    numbers = {}
    for option in options:
        status, _, number = option.partition("=")
        if not status or not number.isascii() or not number.isdecimal():
            raise WrongUsage(f"--concurrency {option} is wrong. A right value: parsed=8.")
        numbers[status] = int(number)
    return numbers


async def _work_until_signal(
    settings: Settings, own: tuple[Stage, ...], numbers: dict[str, int]
) -> None:
    from hookline.providers.configured_parser import choose_parser
    from hookline.worker.parsing.configured_stages import parser_stages
    from hookline.worker.run import working

    stop = stop_on_signals()
    async with parser_stages(settings) as parser:
        stages = _with_numbers((*parser.stages, *own), numbers)
        if not stages:
            raise ConfigurationError(
                f"There is no stage to run. {choose_parser(settings).sentence} To run stages of"
                " your own, set HOOKLINE_STAGES, for example to my_stages, or use --stages."
            )
        async with working(settings, stages, parser.periodic) as worker:
            await worker.until(stop)


def _with_numbers(stages: tuple[Stage, ...], numbers: dict[str, int]) -> list[Stage]:
    known = list(dict.fromkeys(stage.status for stage in stages))
    for status in numbers:
        if status not in known:
            raise WrongUsage(
                f"--concurrency {status}=...: no stage works on {status}. Stages: "
                f"{', '.join(known) or 'none'}."
            )
    return [
        replace(stage, concurrency=numbers.get(stage.status, stage.concurrency)) for stage in stages
    ]
