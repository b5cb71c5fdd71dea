"""`hookline up`: the stack, until a signal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from hookline.process import logs
from hookline.process.signals import stop_on_signals
from hookline.providers.configured_parser import choose_parser
from hookline.settings import ENV_FILE
from hookline.sources import routes
from hookline.stages import Stage
from hookline.standalone.embedded import EmbeddedPostgresError
from hookline.standalone.stack import Stack, running_stack
from hookline.worker.run import Worker

__all__ = ["run"]

# How often `up` looks whether its Postgres still listens, and how long that may take.
_LOOKS_EVERY = 1.0
_ANSWERS_WITHIN = 5.0


async def run(directory: Path, stages: Sequence[Stage] = ()) -> None:
    """`hookline up`: until SIGINT or SIGTERM.

    Raises what `running_stack` raises, and EmbeddedPostgresError when its Postgres has ended.
    """
    logs.configure()
    stopped = stop_on_signals()
    console = Console(highlight=False, markup=False, soft_wrap=True)
    async with running_stack(directory, stages=stages) as up:
        console.print(_summary(up))
        ends = asyncio.create_task(
            up.worker.until(stopped) if up.worker is not None else _set(stopped), name="up"
        )
        while not ends.done():
            await asyncio.wait({ends}, timeout=_LOOKS_EVERY)
            if not ends.done():
                await _require_postgres(up)
        ends.result()
        console.print("Stopping.")


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _require_postgres(up: Stack) -> None:
    # Its process may be a zombie, or its pid another's; its port is closed as soon as it is dead.
    where = urlsplit(up.settings.require_database())
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
    except TimeoutError:
        return  # Busy is not dead.
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL in {up.database_home} has ended, and so does `hookline up`: "
            f"see {up.database_home / 'server.log'}, and start it again."
        ) from error
    writer.close()


def _summary(up: Stack) -> str:
    lines = [
        "Hookline is up. Ctrl-C stops it; its data stays.",
        "",
        f"  webhooks  {up.url}{routes.LLAMAPARSE}",
        f"  parser    {choose_parser(up.settings).sentence}",
        f"  worker    {_work_of(up.worker)}",
        f"  admin     {up.admin_url}/metrics, {up.admin_url}/readyz",
        f"  objects   {up.objects}",
        f"  database  {up.database_home}",
        f"  settings  {up.home / ENV_FILE.name}",
        "",
        "Try in another terminal, in this directory:",
        "",
        "  hookline submit FILE.pdf",
        "  hookline jobs",
        "  hookline doctor",
    ]
    for name in ("DATABASE_URL", "HOOKLINE_STORAGE_URL"):
        if name in os.environ:
            lines += ["", f"{name} is set: where it is, the other commands use that, not this."]
    return "\n".join(lines)


def _work_of(worker: Worker | None) -> str:
    if worker is None:
        return "none, since there is nothing to do for it"
    return f"{', '.join(worker.stages)}; {worker.admin_url}/metrics"
