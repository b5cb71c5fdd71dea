"""Run the stack until a signal, or until its Postgres ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from hookline.process import logs
from hookline.process.signals import stop_on_signals
from hookline.process.traces import tracing
from hookline.settings import ENV_FILE, load
from hookline.stages import Stage
from hookline.standalone.embedded import EmbeddedPostgresError
from hookline.standalone.stack import Stack, running_stack

__all__ = ["run"]

# How often to check that Postgres still listens, and how long one check may take, in seconds.
_CHECK_INTERVAL = 1.0
_CHECK_TIMEOUT = 5.0


async def run(
    directory: Path,
    stages: Sequence[Stage],
    *,
    on_ready: Callable[[Stack], None],
    on_stopping: Callable[[], None],
) -> None:
    """Run the stack of `directory` until SIGINT or SIGTERM.

    `on_ready` is called once it runs, `on_stopping` once the signal has come.

    Raises what `running_stack` raises, and EmbeddedPostgresError when its Postgres has ended.
    """
    logs.configure(load(directory / ENV_FILE).log_format)
    stop = stop_on_signals()
    with tracing():
        async with running_stack(directory, stages=stages) as stack:
            await _run_until(stop, stack, on_ready, on_stopping)


async def _run_until(
    stop: asyncio.Event,
    stack: Stack,
    on_ready: Callable[[Stack], None],
    on_stopping: Callable[[], None],
) -> None:
    on_ready(stack)
    running = asyncio.create_task(
        stack.worker.until(stop) if stack.worker is not None else _wait(stop), name="up"
    )
    while not running.done():
        await asyncio.wait({running}, timeout=_CHECK_INTERVAL)
        if not running.done():
            await _require_postgres(stack)
    running.result()
    on_stopping()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _require_postgres(stack: Stack) -> None:
    # By its port, which closes when it dies. Its process may be a zombie, its pid another process.
    where = urlsplit(stack.settings.require_database())
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
    except TimeoutError:
        return  # It is busy, not dead.
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL in {stack.database_home} has ended, so `hookline up` ends too: see"
            f" {stack.database_home / 'server.log'}, then start `hookline up` again."
        ) from error
    writer.close()
