"""PgBouncer in transaction mode, which tests may kill and start again."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from hookline.standalone.embedded.account import Account
from support.ports import lasting_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


class Pooler:
    """A PgBouncer with `connections` server connections for each login, at 127.0.0.1:`port`.

    The password of each login is its name.
    """

    def __init__(self, server: str, logins: Iterable[str], connections: int) -> None:
        self.port = lasting_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._account = account = Account.for_this_process()
        self._directory = Path(f"/tmp/hookline-pooler-{self.port}")  # noqa: S108 - its user can go
        account.make_directory(self._directory)
        users = "".join(f'"{name}" "{name}"\n' for name in logins)
        account.write_file(self._directory / "users", users)
        account.write_file(
            self._directory / "ini",
            f"""[databases]
* = host=127.0.0.1 port={urlsplit(server).port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self._directory}/users
pool_mode = transaction
default_pool_size = {connections}
""",
        )

    def url(self, login: str, database: str) -> str:
        return f"postgresql://{login}:{login}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        account = self._account
        as_whom = () if account.is_ours else ("--user", pwd.getpwuid(account.uid).pw_name)
        assert PGBOUNCER is not None
        self._process = subprocess.Popen(
            [PGBOUNCER, "--quiet", *as_whom, self._directory / "ini"], cwd="/"
        )
        deadline = time.monotonic() + 15
        while True:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._directory)


@contextmanager
def running_pooler(server: str, logins: Iterable[str], connections: int) -> Iterator[Pooler]:
    """A pooler in front of the server of this URL, running. It needs PGBOUNCER."""
    pooler = Pooler(server, logins, connections)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.close()
