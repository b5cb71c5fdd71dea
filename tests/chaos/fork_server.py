"""Starts `hookline` processes in milliseconds, by forking a process that has imported it.

A run kills two workers a second, and the imports alone take more than a second of a processor. A
forked process runs the usual command line with its own environment, and ends with the fork server.

Requests and answers are lines of JSON: {"start": ["work"], "env": {}, "cwd": "", "log": ""} is
answered {"pid": 1}; {"wait": 1} is answered {"status": -9}, or null while that process runs.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
# Everything that a receiver or a worker imports, including late imports.
_IMPORTED: Final = (
    "uvloop",
    "hookline.cli",
    "hookline.process.logs",
    "hookline.receiver.run",
    "hookline.worker.run",
    "hookline.worker.loading",
    "hookline.providers.configured_parser",
    "hookline.worker.parsing.submit_stage",
    "hookline.worker.parsing.ask_stage",
    "hookline.worker.parsing.fetch_stage",
    "hookline.worker.parsing.reconcile",
    "hookline.worker.parsing.polling",
)
WEBHOOK_URL: Final = "CHAOS_WEBHOOK_URL"


class ForkServer:
    """Asks the fork server to start processes and to wait for their end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def start(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path
    ) -> int:
        """Start `hookline` with these arguments; return its process id."""
        answer = await self._ask(
            {"start": command, "env": environment, "cwd": str(cwd), "log": str(log)}
        )
        return int(answer["pid"])

    async def end(self, pid: int, how: signal.Signals = signal.SIGKILL) -> int:
        """Signal a process and wait for it; return its exit code, or minus the signal number."""
        os.kill(pid, how)
        while (status := (await self._ask({"wait": pid}))["status"]) is None:
            await asyncio.sleep(0.02)
        return int(status)

    async def _ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
            return answer


@asynccontextmanager
async def fork_server() -> AsyncIterator[ForkServer]:
    """A fork server that has imported everything."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaos.fork_server"),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"{}\n"
        yield ForkServer(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _serve() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    _answer({})
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            pid = os.fork()
            if pid == 0:
                _become(request)
            _answer({"pid": pid})
        else:
            ended, status = os.waitpid(request["wait"], os.WNOHANG)
            _answer({"status": os.waitstatus_to_exitcode(status) if ended else None})


def _answer(answer: Mapping[str, object]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _become(request: Mapping[str, Any]) -> NoReturn:
    from hookline.process.logs import flush

    code = 70
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        # Made anew, as at the start of Python: they remember what kind of file they write to.
        sys.stdout, sys.stderr = (
            os.fdopen(number, "w", buffering=1, errors="backslashreplace", closefd=False)
            for number in (1, 2)
        )
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.argv = ["hookline", *request["start"]]

        from chaos.shortened_times import shorten_times
        from hookline.cli import main

        if WEBHOOK_URL in os.environ:
            shorten_times(os.environ[WEBHOOK_URL])
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        flush()
        # Without this the child would run the fork server's own cleanup.
        os._exit(code)


if __name__ == "__main__":
    _serve()
