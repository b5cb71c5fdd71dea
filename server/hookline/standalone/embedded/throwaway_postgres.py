"""A PostgreSQL for tests: quick to make, and gone with the process that made it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

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

_PREFIX = "hookline-pg-"
_START_TIMEOUT = 20.0
_POLL_INTERVAL = 0.01
# A directory that is younger may be between its creation and its lock. Seconds.
_LEFTOVER_AGE = 600.0


class ThrowawayPostgres(StartedInBlock):
    """A server with data of its own in the temporary directory, on a free port of 127.0.0.1.

    `options` are server settings, such as {"fsync": "off"}; none is set by default. `bin_dir` is
    another PostgreSQL than the package's, such as /usr/lib/postgresql/15/bin. Port, data and
    password stay the same over `stop`, `kill` and `start`. `close` removes everything.

    On Linux the server ends with this process, however that ends. Elsewhere `close` must run.
    """

    def __init__(
        self, *, bin_dir: Path | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        self._programs = Programs.find(bin_dir)
        self._options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._password = new_password()
        with file_errors_as(EmbeddedPostgresError, Path(tempfile.gettempdir())):
            _remove_leftovers()
            self._home = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
            self._lock = os.open(self._home, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._home.chmod(0o755)
        self.data_dir = self._home / "data"
        self.log = self._home / "server.log"

    @property
    def url(self) -> str:
        """The superuser's libpq URL."""
        return superuser_url(self._port, self._password)

    def start(self) -> str:
        """Start the server and return its URL. The first start creates the database.

        Raises EmbeddedPostgresError with the end of the server's log.
        """
        if self._process is not None and self._process.poll() is None:
            return self.url
        with file_errors_as(EmbeddedPostgresError, self._home):
            first = not self.data_dir.exists()
            if first:
                self._create()
            deadline = time.monotonic() + _START_TIMEOUT
            while not self._spawn_and_wait(deadline):
                if time.monotonic() > deadline:
                    self.kill()
                    raise EmbeddedPostgresError(
                        f"PostgreSQL does not start in {self._home}; its log ends:\n"
                        f"{end_of_log(self.log)}"
                    )
                if first:
                    self._port = free_port()
                time.sleep(0.05)
        return self.url

    def stop(self) -> None:
        """Shut the server down in order. The data stays."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill -9 the postmaster. The data stays as a crash leaves it."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the server at once and remove its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._home, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _create(self) -> None:
        password_file = self._home / "password"
        self._programs.account.make_directory(self.data_dir)
        self._programs.account.write_file(password_file, self._password)
        self._programs.initdb(self.data_dir, password_file, sync=False)

    def _spawn_and_wait(self, deadline: float) -> bool:
        """Start the process; whether our server answers before it ends or time is over."""
        self._process = self._spawn()
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                return data_directory_at(self.url) == self.data_dir
            time.sleep(_POLL_INTERVAL)
        return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        account = self._programs.account
        command = [
            *(sys.executable, "-I", "-S", str(Path(__file__).with_name("die_with_parent.py"))),
            *(str(number) for number in (os.getpid(), account.uid, account.gid)),
            *self._programs.server_command(self.data_dir, self._port, self._options),
        ]
        return spawn(command, self.log)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None


def _remove_leftovers() -> None:
    """Remove directories of killed processes. A process that lives holds a lock on its own."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _LEFTOVER_AGE:
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
