"""A PostgreSQL that keeps its data in a project and is shared by every process that starts it."""

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
from types import TracebackType
from typing import NamedTuple, Self

import psycopg

from hookline.standalone.embedded.account import Account
from hookline.standalone.embedded.address import (
    data_directory_at,
    free_port,
    new_password,
    superuser_url,
)
from hookline.standalone.embedded.errors import EmbeddedPostgresError, os_errors_named
from hookline.standalone.embedded.programs import Programs
from hookline.standalone.embedded.server_log import end_of_log

ROOT_STATE = Path("/var/lib/hookline")

_ANSWER_SECONDS = 30.0
_RETRY_SECONDS = 5.0


class _PidFile(NamedTuple):
    pid: int
    port: int


class ProjectPostgres:
    """The PostgreSQL of one project directory (its `.hookline`), on a free port of 127.0.0.1.

    `home` holds all of it: `data_dir`, `log`, the superuser's password (0600) and two lock files.
    That is `directory`/postgres; for root, who may not run PostgreSQL and whose directories the
    account that may cannot enter, it is /var/lib/hookline/<project>-<hash of the directory's path>.

    The server outlives its starter's kill -9 and is joined by the next start. Users are counted
    by a shared file lock, which the kernel takes back from the dead; the last `stop` stops it.
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

        The first start creates the database. Takes 0.1 s, the first about 1 s; waits for a start or
        stop of the same directory elsewhere. Raises EmbeddedPostgresError.
        Source: https://www.postgresql.org/docs/current/app-pg-ctl.html
        """
        with os_errors_named(self.home):
            self._make_home()
            with self._alone():
                self._url = self._join() or self._launch()
                if self._use is None:
                    self._use = os.open(self.home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
                    fcntl.flock(self._use, fcntl.LOCK_SH)
        return self._url

    def stop(self) -> None:
        """Stop using the server, and stop it unless another process still uses it.

        Open connections end. Without a start it does nothing. Raises EmbeddedPostgresError.
        """
        if self._use is None:
            return
        with os_errors_named(self.home), self._alone():
            use, self._use, self._url = self._use, None, None
            try:
                if _is_last(use) and self._join() is not None:
                    Programs.find().run(
                        *("pg_ctl", "stop", "-D", self.data_dir),
                        *("-m", "fast", "-w", "-t", "30", "-s"),
                    )
            finally:
                os.close(use)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

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
            path.chmod(0o755)  # Whatever the umask says: the server's account must get through.
        (self.home / "project").write_text(f"{self._directory}\n")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # Waiting is bounded: whoever holds it runs programs with a timeout, or is dead.
        with open(self.home / "start.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _join(self) -> str | None:
        """Return the URL of the server that already runs on our data, None if there is none."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while (found := self._read_pid_file()) is not None:
            url = superuser_url(found.port, self._password_file.read_text())
            try:
                if data_directory_at(url) == self.data_dir:
                    return url
                answer = "another server answers there"
            except psycopg.OperationalError as error:
                answer = str(error)
            if not self._is_postmaster(found.pid):
                # PostgreSQL itself would believe a pid that another process has by now. Without
                # the file it still sees a backend that outlived its postmaster, by shared memory.
                (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
                return None
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The PostgreSQL of {self.data_dir} (process {found.pid}) runs, but cannot be "
                    f"used on port {found.port}: {answer}\n{end_of_log(self.log)}"
                )
            time.sleep(0.05)
        return None

    def _read_pid_file(self) -> _PidFile | None:
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
            return _PidFile(pid=int(lines[0]), port=int(lines[3]))
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _is_postmaster(self, pid: int) -> bool:
        """Whether the process is a server of our data: after a kill -9 a pid can be anybody's."""
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
        programs = Programs.find()
        if not self.data_dir.exists():
            self._create(programs)
        if self.log.exists():
            self.log.rename(self.log.with_suffix(".log.1"))
        programs.account.write_file(self.log, "")
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            port = free_port()
            options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
            try:
                programs.run(
                    *("pg_ctl", "start", "-D", self.data_dir, "-l", self.log),
                    *("-o", options, "-w", "-t", "30", "-s"),
                )
            except EmbeddedPostgresError as error:
                # The port may be taken since; backends of a killed server take a moment to end.
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"PostgreSQL does not start on {self.data_dir}; its log {self.log} ends:\n"
                        f"{end_of_log(self.log)}"
                    ) from error
                time.sleep(0.1)
                continue
            if (url := self._join()) is not None:
                return url

    def _create(self, programs: Programs) -> None:
        # Made under another name, so that a start killed half-way leaves no half database.
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
