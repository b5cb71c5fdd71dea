"""The PostgreSQL of one project: it keeps its data, and every process that starts it shares it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from hookline.standalone.embedded.account import Account
from hookline.standalone.embedded.address import (
    data_directory_at,
    free_port,
    new_password,
    superuser_url,
)
from hookline.standalone.embedded.errors import EmbeddedPostgresError
from hookline.standalone.embedded.programs import Programs
from hookline.standalone.embedded.server_log import end_of_log
from hookline.standalone.embedded.server_process import StartedInBlock, spawn
from hookline.standalone.file_errors import file_errors_as

ROOT_STATE = Path("/var/lib/hookline")

# How long a running server may take to answer, and for how long a start is tried again, in seconds.
_ANSWER_TIMEOUT = 30.0
_START_TIMEOUT = 5.0
_POLL_INTERVAL = 0.02
_STOP_TIMEOUT = 30


class _PidFile(NamedTuple):
    pid: int
    port: int


class ProjectPostgres(StartedInBlock):
    """The PostgreSQL of one project directory (its `.hookline`), on a free port of 127.0.0.1.

    `home` holds all of it: `data_dir`, `log`, the superuser's password (0600) and two lock files.
    It is `directory`/postgres. Root may not run PostgreSQL, and the account that may cannot enter
    root's directories: for root it is /var/lib/hookline/<project>-<hash of the directory's path>.

    The server survives a kill -9 of the process that started it, and the next start joins it. A
    shared file lock counts its users; the kernel takes it back from dead processes. The last user
    that stops it stops the server.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self.home = _home(self._directory)
        self.data_dir = self.home / "data"
        self.log = self.home / "server.log"
        self._password_file = self.home / "password"
        self._url: str | None = None
        self._use: int | None = None

    @property
    def url(self) -> str:
        """The superuser's libpq URL. Raises EmbeddedPostgresError before `start`."""
        if self._url is None:
            raise EmbeddedPostgresError(f"The PostgreSQL of {self._directory} was not started.")
        return self._url

    def start(self) -> str:
        """Start the server, or join the one that runs on this data, and return its URL.

        The first start creates the database and takes about 1 s, later ones 0.1 s. Waits while
        another process starts or stops the same directory. Raises EmbeddedPostgresError.
        """
        with file_errors_as(EmbeddedPostgresError, self.home):
            self._make_home()
            with self._locked():
                self._url = self._join() or self._launch()
                if self._use is None:
                    self._use = os.open(self.home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
                    fcntl.flock(self._use, fcntl.LOCK_SH)
        return self._url

    def stop(self) -> None:
        """Stop using the server, and stop it unless another process still uses it.

        Open connections end. Does nothing without a start. Raises EmbeddedPostgresError.
        """
        if self._use is None:
            return
        with file_errors_as(EmbeddedPostgresError, self.home), self._locked():
            use, self._use, self._url = self._use, None, None
            try:
                if _is_last(use) and self._join() is not None:
                    Programs.find().run(
                        *("pg_ctl", "stop", "-D", self.data_dir),
                        *("-m", "fast", "-w", "-t", str(_STOP_TIMEOUT), "-s"),
                    )
            finally:
                os.close(use)

    close = stop

    def _make_home(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if self.home.is_relative_to(self._directory):
            self.home.mkdir(mode=0o700, exist_ok=True)
            return
        if (self._directory / "postgres").exists():
            raise EmbeddedPostgresError(
                f"{self._directory / 'postgres'} holds a database made by another user: "
                "run hookline as that user, not as root."
            )
        for path in (self.home.parent, self.home):
            path.mkdir(exist_ok=True)
            # Despite the umask: the account that runs the server must get through.
            path.chmod(0o755)
        (self.home / "project").write_text(f"{self._directory}\n")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # The wait has an end: the process that holds the lock runs programs with a timeout.
        with open(self.home / "start.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _join(self) -> str | None:
        """The URL of the server that runs on our data, None if none runs.

        Removes the pid file of a server that is dead. Raises EmbeddedPostgresError for a server
        that runs but cannot be used.
        """
        deadline = time.monotonic() + _ANSWER_TIMEOUT
        while (found := self._read_pid_file()) is not None:
            url = superuser_url(found.port, self._password_file.read_text())
            try:
                if data_directory_at(url) == self.data_dir:
                    return url
                answer = "another server answers there"
            except psycopg.OperationalError as error:
                answer = str(error)
            if not self._is_postmaster(found.pid):
                # PostgreSQL would believe this pid although another process has it by now. Without
                # the file, it still detects a backend of the dead server, by its shared memory.
                (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
                return None
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The PostgreSQL of {self.data_dir} (process {found.pid}) runs, but cannot be "
                    f"used on port {found.port}: {answer}\n{end_of_log(self.log)}"
                )
            time.sleep(_POLL_INTERVAL)
        return None

    def _read_pid_file(self) -> _PidFile | None:
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
            return _PidFile(pid=int(lines[0]), port=int(lines[3]))
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _is_postmaster(self, pid: int) -> bool:
        """Whether the process is a server of our data. Any process may have an old server's pid."""
        if not Path("/proc/self/cmdline").exists():
            ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
            shown = subprocess.run(ps, capture_output=True, check=False)  # noqa: S603 - a number
            return os.fsencode(self.data_dir) in shown.stdout
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return os.fsencode(self.data_dir) in arguments

    def _launch(self) -> str:
        """Start the server, creating its data first if there are none, and return its URL."""
        programs = Programs.find()
        if not self.data_dir.exists():
            self._create(programs)
        if self.log.exists():
            self.log.rename(self.log.with_suffix(".log.1"))
        programs.account.write_file(self.log, "")
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            command = programs.server_command(self.data_dir, free_port(), {})
            process = spawn(command, self.log, programs.account.switch)
            if (url := self._wait_until_up(process)) is not None:
                return url
            # Another program may have taken the port. Backends of a killed server may still end.
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL does not start on {self.data_dir}; its log {self.log} ends:\n"
                    f"{end_of_log(self.log)}"
                )
            time.sleep(0.1)

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> str | None:
        """The URL of the server once it answers; None if its process has ended."""
        deadline = time.monotonic() + _ANSWER_TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            found = self._read_pid_file()
            if found is not None and found.pid == process.pid:
                return self._join()
            time.sleep(_POLL_INTERVAL)
        process.kill()
        return None

    def _create(self, programs: Programs) -> None:
        # Under another name first, so that a start that is killed leaves no half of a database.
        unfinished = self.home / "data.unfinished"
        programs.account.make_directory(unfinished)
        programs.account.write_file(self._password_file, new_password())
        programs.initdb(unfinished, self._password_file, sync=True)
        unfinished.rename(self.data_dir)
        descriptor = os.open(self.home, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_last(use: int) -> bool:
    try:
        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _home(directory: Path) -> Path:
    if Account.for_this_process().is_ours:
        return directory / "postgres"
    project = re.sub(r"[^A-Za-z0-9._-]+", "-", directory.parent.name) or "project"
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return ROOT_STATE / f"{project}-{digest}"
