"""A PostgreSQL for tests: quick to make, gone with the process that made it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from hookline.standalone.embedded.address import (
    data_directory_at,
    free_port,
    new_password,
    superuser_url,
)
from hookline.standalone.embedded.errors import EmbeddedPostgresError, os_errors_named
from hookline.standalone.embedded.programs import Programs, environment
from hookline.standalone.embedded.server_log import end_of_log

_PREFIX = "hookline-pg-"
_START_SECONDS = 20.0
_LEFTOVER_SECONDS = 600.0


class ThrowawayPostgres:
    """A server with data of its own in the temporary directory, on a free port of 127.0.0.1.

    `options` are server settings, such as {"fsync": "off"}; none is implied. `bin_dir` chooses
    another PostgreSQL than the package's, such as /usr/lib/postgresql/15/bin. Port, data and
    password stay the same over `stop`, `kill` and `start`; `close` removes everything.

    On Linux the server dies with this process however that ends; elsewhere `close` must run.
    """

    def __init__(
        self, *, bin_dir: Path | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        self._programs = Programs.find(bin_dir)
        self._options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._password = new_password()
        with os_errors_named(Path(tempfile.gettempdir())):
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
        """Start the server and return its URL; the first start creates the database.

        Raises EmbeddedPostgresError with the end of the server's log.
        """
        if self._process is not None and self._process.poll() is None:
            return self.url
        with os_errors_named(self._home):
            first = not self.data_dir.exists()
            if first:
                self._create()
            deadline = time.monotonic() + _START_SECONDS
            while not self._comes_up(deadline):
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
        """Shut the server down in order; the data stays."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill -9 the postmaster; the data stays, as a crash leaves it."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the server at once and remove its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._home, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _create(self) -> None:
        password_file = self._home / "password"
        self._programs.account.make_directory(self.data_dir)
        self._programs.account.write_file(password_file, self._password)
        self._programs.initdb(self.data_dir, password_file, sync=False)

    def _comes_up(self, deadline: float) -> bool:
        self._process = self._spawn()
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                return data_directory_at(self.url) == self.data_dir
            time.sleep(0.01)
        return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the server from a thread that lives as long as it does.

        The parent whose death PR_SET_PDEATHSIG reports is the thread, not the process.
        Source: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
        """
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._options}
        account = self._programs.account
        command = [
            *(sys.executable, "-I", "-S", str(Path(__file__).with_name("die_with_parent.py"))),
            *(str(number) for number in (os.getpid(), account.uid, account.gid)),
            *(str(self._programs.bin_dir / "postgres"), "-D", str(self.data_dir)),
            *("-p", str(self._port)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

        def live_with_it() -> None:
            try:
                with self.log.open("ab") as log:
                    process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=environment(),
                        cwd="/",
                        # A Ctrl-C in the terminal is for us: we end the server when we are done.
                        start_new_session=True,
                    )
            except OSError as error:
                started.put(error)
                return
            started.put(process)
            process.wait()

        threading.Thread(target=live_with_it, name="postgres", daemon=True).start()
        outcome = started.get()
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None


def _remove_leftovers() -> None:
    """Remove what killed processes left behind: a living one holds a lock on its directory."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            # Young ones may be between their creation and their lock.
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _LEFTOVER_SECONDS:
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
