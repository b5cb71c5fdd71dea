"""Starts `hookline` processes in milliseconds, by forking a process that has imported it.

The imports take half a second of a processor, which is most of what a short command takes. A
forked process has the arguments, the environment, the directory and the streams that it is given,
ends as Python ends, and dies with the fork server.

Requests and answers are lines of JSON over a socket: {"start": ["jobs"], "env": {}, "cwd": ""}
comes with three file descriptors and is answered {"pid": 1}; {"wait": 1} is answered
{"status": -9}, or null while that process runs.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
_MOST_OF_A_REQUEST: Final = 2**16


class ForkServer:
    """A process that has imported `modules`, and whose copies call a function.

    `main` is that function, as `module:name`.
    """

    def __init__(self, main: str, modules: Sequence[str]) -> None:
        self._turn = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), main, *modules],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._answers = self._socket.makefile("rb")
        assert self._answers.readline() == b"{}\n"

    def close(self) -> None:
        """End it and the processes that it has started."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._socket.close()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path,
        streams: tuple[int, int, int],
    ) -> int:
        """Start a process; return its id. The streams are the file descriptors of 0, 1 and 2."""
        request = {"start": arguments, "env": environment, "cwd": str(cwd)}
        return int(self._ask(request, streams)["pid"])

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path,
        streams: tuple[int, int, int],
        *,
        timeout: float,
    ) -> int:
        """Start a process and wait for its end; return its exit code.

        Raises TimeoutExpired after `timeout` in seconds, and kills it.
        """
        pid = self.start(arguments, environment, cwd, streams)
        code = self.wait(pid, timeout)
        if code is None:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(["hookline", *arguments], timeout)
        return code

    def wait(self, pid: int, timeout: float) -> int | None:
        """Wait for the end of a process; return its exit code, or None after `timeout` seconds."""
        latest = time.monotonic() + timeout
        while (code := self.exit_code(pid)) is None and (left := latest - time.monotonic()) > 0:
            _wait_for_end(pid, left)
        return code

    def exit_code(self, pid: int) -> int | None:
        """Its exit code, or minus the number of the signal that ended it. None: it runs."""
        status = self._ask({"wait": pid}, ())["status"]
        return None if status is None else int(status)

    def _ask(self, request: Mapping[str, object], descriptors: Sequence[int]) -> dict[str, Any]:
        line = json.dumps(request).encode() + b"\n"
        with self._turn:
            sent = socket.send_fds(self._socket, [line], descriptors)
            self._socket.sendall(line[sent:])
            answer: dict[str, Any] = json.loads(self._answers.readline())
            return answer


def _wait_for_end(pid: int, seconds: float) -> None:
    """Return when a process has ended, and at the latest after so many seconds."""
    if sys.platform != "linux":
        time.sleep(min(seconds, 0.01))
        return
    # It is not reaped before `exit_code` asks for it, so the number is still its own.
    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


def _serve(channel: socket.socket) -> dict[str, Any]:
    """Answer requests until the other end closes. In a forked process: return its request."""
    # For Ctrl-C on the terminal of the tests, which end the server themselves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel.sendall(b"{}\n")
    while True:
        line, descriptors, _, _ = socket.recv_fds(channel, _MOST_OF_A_REQUEST, 3)
        if not line:
            sys.exit()
        while not line.endswith(b"\n"):
            line += channel.recv(_MOST_OF_A_REQUEST)
        request = json.loads(line)
        if "start" in request:
            pid = os.fork()
            if pid == 0:
                channel.close()
                for number, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                return dict(request)
            for descriptor in descriptors:
                os.close(descriptor)
            answer: dict[str, int | None] = {"pid": pid}
        else:
            ended, status = os.waitpid(request["wait"], os.WNOHANG)
            answer = {"status": os.waitstatus_to_exitcode(status) if ended else None}
        channel.sendall(json.dumps(answer).encode() + b"\n")


def _become(request: Mapping[str, Any]) -> None:
    """Make this process what `python -m hookline` would be."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["hookline", *request["start"]]
    # Made anew: they remember what kind of file they write to.
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(
        2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _end_as(main: Callable[[], object]) -> NoReturn:
    """Call a function, and end as Python would, but leave the modules where they are.

    To take them down touches, and so copies, every page that the fork server has filled: half of
    the time of a short command.
    """
    code: object = None
    try:
        main()
    except SystemExit as error:
        code = error.code
    threading._shutdown()  # type: ignore[attr-defined]  # Waits for threads that are no daemons.
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    number, function, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    module, _, name = function.partition(":")
    main = getattr(importlib.import_module(module), name)
    gc.freeze()
    _become(_serve(socket.socket(fileno=int(number))))
    _end_as(main)
