"""`hookline serve`: run the receiver until a signal."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from typing import Annotated

import structlog
import typer

from hookline.cli.event_loop import loop_factory
from hookline.cli.exit_codes import FAILED, WrongUsage
from hookline.cli.output import say
from hookline.process.signals import stop_on_signals
from hookline.settings import Settings, load

__all__ = ["serve"]


def serve(
    process: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Receive webhooks until SIGTERM or SIGINT.

    After the first signal it finishes the deliveries that have arrived, within
    HOOKLINE_STOP_TIMEOUT. A second signal stops it at once. Logs go to standard error. With
    HOOKLINE_DASHBOARD_DATABASE_URL, the dashboard is on its admin side. With HOOKLINE_PROCESSES,
    several processes share its port.

    Example: DATABASE_URL=postgresql://receiver:password@db.example.com/app
    HOOKLINE_STORAGE_URL=file:///var/lib/hookline/objects
    HOOKLINE_LLAMAPARSE_SECRETS=a-long-random-secret hookline serve
    """
    # Imported here: the other commands do not need it, and the import takes longer than they do.
    from hookline.process import logs
    from hookline.process.traces import tracing
    from hookline.receiver.processes import ProcessEnded, ProcessNotStarted

    if process is not None and not _is_pipe(0):
        raise WrongUsage(
            "--process is only for what `hookline serve` starts itself: set HOOKLINE_PROCESSES."
        )
    settings = load()
    logs.configure(settings.log_format)
    if process is not None:
        run = _receive_beside_others(settings, process)
    elif settings.processes > 1:
        run = _receive_in_processes(settings)
    else:
        run = _receive_until_signal(settings)
    with tracing(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        try:
            runner.run(run)
        except ProcessNotStarted as error:
            say(f"hookline: {error}")
            raise typer.Exit(FAILED) from error
        except ProcessEnded as error:
            # A process with an exit code has said why.
            if error.code < 0:
                say(f"hookline: {error}")
            raise typer.Exit(error.code if error.code > 0 else FAILED) from error


def _is_pipe(descriptor: int) -> bool:
    # uvloop makes pipes of sockets.
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


async def _receive_until_signal(settings: Settings) -> None:
    from hookline.dashboard.run import beside_receiver
    from hookline.receiver.run import receiving

    stop = stop_on_signals()
    async with beside_receiver(settings) as dashboard, receiving(settings, dashboard):
        await stop.wait()


async def _receive_in_processes(settings: Settings) -> None:
    from hookline.dashboard.run import beside_receiver
    from hookline.receiver.processes import Processes, receiving_in_processes

    processes = Processes(settings, [sys.executable, "-m", "hookline", "serve", "--process"])
    stop = stop_on_signals(at_second=processes.kill)
    async with (
        beside_receiver(settings) as dashboard,
        receiving_in_processes(settings, processes, dashboard),
    ):
        await stop.wait()


async def _receive_beside_others(settings: Settings, process: int) -> None:
    from hookline.receiver.one_of_several import receive_beside_others

    structlog.contextvars.bind_contextvars(process=process)
    await receive_beside_others(settings, stop_on_signals())
