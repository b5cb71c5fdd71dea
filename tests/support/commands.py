"""The command line as users run it: the real entry point in a process of its own.

A command that ends by itself is forked from a process that has imported Hookline, unless its
environment has a variable that Python or the C library reads when it starts.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from hashlib import sha256
from pathlib import Path
from pkgutil import iter_modules
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

import psycopg

import hookline.cli
from support.fork_server import ForkServer
from support.servers import ROOT

Done = subprocess.CompletedProcess[str]

_TIMEOUT = 60
# Variables that Python and its libraries read once, as they are imported.
_READ_AT_START = re.compile("PYTHON|LC_|LANG|TZ|LD_|SSLKEYLOGFILE|HOME$").match


@cache
def _fork_server() -> ForkServer:
    """It ends with this process."""
    modules = [module.name for module in iter_modules(hookline.cli.__path__, "hookline.cli.")]
    server = ForkServer("hookline.cli:main", modules)
    atexit.register(server.close)
    return server


class _KilledOnError(subprocess.Popen[str]):
    """In a `with` block, a failed assertion ends the process; Popen alone would wait for ever."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.kill()
        super().__exit__(kind, error, trace)


class Cli:
    """Runs `hookline` with only the environment that a test gives it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: object, **environment: str) -> Done:
        run = self._run if any(map(_READ_AT_START, environment)) else self._fork
        done = run(arguments, environment)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def redirected(self, redirection: str, *arguments: object, **environment: str) -> Done:
        """Run it with a redirection as a shell writes it, such as `>/dev/full`."""
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirection}', "sh", *self._command(arguments)],
            cwd=self.directory,
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def in_bash(self, *arguments: object, **environment: str) -> Done:
        """Run it as a child of bash, and not of whatever started the tests."""
        return subprocess.run(
            ["bash", "-c", '"$@"; exit $?', "bash", *self._command(arguments)],
            cwd=self.directory,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def on_terminal(self, *arguments: object, columns: int, **environment: str) -> list[str]:
        """The lines that it prints on a terminal with so many columns, without colours."""
        master, terminal = os.openpty()
        environment |= {"COLUMNS": str(columns), "TERM": "xterm"}
        with open(os.devnull, "wb") as nothing:
            code = self._forked(arguments, environment, terminal, nothing.fileno())
        os.close(terminal)
        assert code == 0
        printed = b""
        with contextlib.suppress(OSError):  # The end of a terminal that is closed.
            while block := os.read(master, 65536):
                printed += block
        os.close(master)
        return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).splitlines()

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return _KilledOnError(
            self._command(arguments),
            cwd=self.directory,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, arguments: tuple[object, ...], environment: dict[str, str]) -> Done:
        return subprocess.run(
            self._command(arguments),
            cwd=self.directory,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def _fork(self, arguments: tuple[object, ...], environment: dict[str, str]) -> Done:
        with ThreadPoolExecutor(2) as readers:
            pipes = [os.pipe() for _ in range(2)]
            printed = [readers.submit(_read, ours) for ours, _ in pipes]
            with ExitStack() as stack:
                out, err = (stack.enter_context(open(theirs, "wb")) for _, theirs in pipes)
                code = self._forked(arguments, environment, out.fileno(), err.fileno())
        return Done(self._command(arguments), code, *(reader.result() for reader in printed))

    def _forked(
        self, arguments: tuple[object, ...], environment: dict[str, str], out: int, err: int
    ) -> int:
        """Run it with these file descriptors for its output and its errors; its exit code."""
        with open(os.devnull, "rb") as nothing:
            return _fork_server().run(
                list(map(str, arguments)),
                self._environment(environment),
                self.directory,
                (nothing.fileno(), out, err),
                timeout=_TIMEOUT,
            )

    def _command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "hookline", *map(str, arguments)]

    def _environment(self, given: dict[str, str]) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "server"), **given}


def _read(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as stream:
        return stream.read()


def sentence_of(done: Done) -> str:
    """The error of a command that failed: one line on standard error, and no output."""
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("hookline: ")
    return line.removeprefix("hookline: ")


def objects(done: Done) -> list[dict[str, Any]]:
    """The JSON objects of an output with one object a line."""
    return [json.loads(line) for line in done.stdout.splitlines()]


class Database:
    """Makes jobs with the functions of the database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def make_job(self, filename: str = "a.pdf", owner: UUID | None = None) -> UUID:
        [(job_id,)] = self.run(
            "select job_id from upload_pipeline.create_job(owner_id => %(owner)s,"
            " filename => %(filename)s, mime => 'application/pdf', bytes_len => 3,"
            " file_sha256 => %(sha256)s, raw_path => 'storage://raw/a.pdf')",
            owner=owner or uuid4(),
            filename=filename,
            sha256=sha256(b"pdf").hexdigest(),
        )
        assert isinstance(job_id, UUID)
        return job_id

    def fail(self, job_id: UUID, error: str = "PDF_IS_BROKEN") -> None:
        self.run(
            "select upload_pipeline.receive_event(source => 'llamaparse', delivery_id => %(id)s,"
            " body_sha256 => %(sha256)s, event_type => 'failed', code => 'parse_failed',"
            " job_id => %(job_id)s, payload => jsonb_build_object('error', %(error)s::text))",
            id=str(uuid4()),
            sha256=sha256(b"body").hexdigest(),
            job_id=job_id,
            error=error,
        )

    def parse(self, job_id: UUID, text: str = "# Text") -> None:
        self.run(
            "select upload_pipeline.finish_content(c.job_id, c.ordinal)"
            " from upload_pipeline.receive_content(source => 'llamaparse', delivery_id => %(id)s,"
            " body_sha256 => %(sha256)s, event_type => 'parsed', job_id => %(job_id)s,"
            " content => convert_to(%(text)s, 'UTF8')) as c",
            id=str(uuid4()),
            sha256=sha256(b"body").hexdigest(),
            job_id=job_id,
            text=text,
        )

    def confirm(self, job_id: UUID) -> None:
        self.run(
            "select upload_pipeline.confirm_upload(job_id => %(job_id)s, bytes_len => 3,"
            " file_sha256 => %(sha256)s)",
            job_id=job_id,
            sha256=sha256(b"pdf").hexdigest(),
        )

    def make_failed_job(self, filename: str = "broken.pdf") -> UUID:
        job_id = self.make_job(filename)
        self.fail(job_id)
        return job_id
