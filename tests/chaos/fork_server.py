"""Starts receivers and workers of a run: a run kills two workers a second."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from support import fork_server as forks

# Everything that a receiver or a worker imports, including late imports.
_IMPORTED: Final = (
    "uvloop",
    "hookline.cli",
    "hookline.process.logs",
    "hookline.receiver.run",
    "hookline.worker.run",
    "hookline.worker.loading",
    "hookline.worker.parsing.submit_stage",
    "hookline.worker.parsing.ask_stage",
    "hookline.worker.parsing.fetch_stage",
    "hookline.worker.parsing.reconcile",
    "hookline.worker.parsing.polling",
    "hookline.worker.announcing.announcer",
    "hookline.providers.configured_parser",
    "hookline.providers.llamacloud.provider",
    "hookline.providers.llamacloud.client",
    "hookline.storage.files",
    "hookline.cli.serve",
    "hookline.cli.work",
    "chaos.shortened_times",
)
WEBHOOK_URL: Final = "CHAOS_WEBHOOK_URL"


class ForkServer:
    """Starts processes that append what they print to a log, and waits for their end."""

    def __init__(self, server: forks.ForkServer) -> None:
        self._server = server

    async def start(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path
    ) -> int:
        """Start `hookline` with these arguments; return its process id."""
        return await asyncio.to_thread(self._start, command, environment, cwd, log)

    async def end(self, pid: int, how: signal.Signals = signal.SIGKILL) -> int:
        """Signal a process and wait for it; return its exit code, or minus the signal number."""
        os.kill(pid, how)
        while (status := self._server.exit_code(pid)) is None:
            await asyncio.sleep(0.02)
        return status

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path
    ) -> int:
        with open(os.devnull, "rb") as nothing, log.open("ab") as appended:
            streams = nothing.fileno(), appended.fileno(), appended.fileno()
            return self._server.start(command, environment, cwd, streams)


@asynccontextmanager
async def fork_server() -> AsyncIterator[ForkServer]:
    """A fork server that has imported everything."""
    server = await asyncio.to_thread(forks.ForkServer, f"{__name__}:run", _IMPORTED)
    try:
        yield ForkServer(server)
    finally:
        server.close()


def run() -> None:
    """Run the usual command line, with shorter times in a run whose environment asks for them."""
    from chaos.shortened_times import shorten_times
    from hookline.cli import main

    if WEBHOOK_URL in os.environ:
        shorten_times(os.environ[WEBHOOK_URL])
    main()
