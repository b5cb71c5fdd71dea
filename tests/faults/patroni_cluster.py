"""Three Patroni members and one etcd on loopback. Needs the Debian packages named in NEEDED."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGKILL, SIGSTOP, SIGTERM
from typing import Any, Final

import psycopg

from faults.small_disk import NotPossible
from hookline.standalone.embedded.account import Account
from support.ports import lasting_port
from support.servers import DEBIAN_15

NEEDED: Final = ("patroni", "etcd-server", "postgresql-15")
# Seconds. The least that Patroni allows, and loop_wait + 2 * retry_timeout is at most ttl.
TIMES: Final = {"ttl": 20, "loop_wait": 5, "retry_timeout": 5}

_SCOPE: Final = "hookline"
_PASSWORD: Final = "patroni-password"


class Member:
    """One Patroni with its Postgres."""

    def __init__(self, cluster: PatroniCluster, name: str) -> None:
        self.name = name
        self.port = lasting_port()
        self._cluster = cluster
        self._rest = lasting_port()
        self._home = cluster.home / name
        self._data = self._home / "data"
        self._config = self._home / "patroni.json"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self._config

    @property
    def url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://postgres:{_PASSWORD}@127.0.0.1:{self.port}/postgres"

    def configure(self, etcd: int, *, synchronous: bool) -> None:
        self._cluster.account.make_directory(self._home)
        users = {
            "superuser": {"username": "postgres", "password": _PASSWORD},
            "replication": {"username": "replicator", "password": _PASSWORD},
            "rewind": {"username": "rewinder", "password": _PASSWORD},
        }
        rest = f"127.0.0.1:{self._rest}"
        configuration = {
            "scope": _SCOPE,
            "name": self.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{etcd}"},
            "bootstrap": {
                "dcs": {
                    **TIMES,
                    "synchronous_mode": synchronous,
                    "synchronous_mode_strict": synchronous,
                    "postgresql": {"use_pg_rewind": True},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self._data),
                "bin_dir": str(DEBIAN_15),
                "authentication": users,
                "pgpass": str(self._home / "pgpass"),
                "pg_hba": [
                    "local all all trust",
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
                "parameters": {"unix_socket_directories": str(self._home)},
            },
            # A member that hangs and wakes up must not go on as a second leader: see the README of
            # server/. /dev/watchdog is not there for a bench.
            "watchdog": {"mode": "off"},
        }
        self._cluster.account.write_file(self._config, json.dumps(configuration))

    def start(self) -> None:
        self._process = self._cluster.spawn(self.name, "patroni", str(self._config))

    def kill(self) -> None:
        """Kill Patroni and its Postgres with SIGKILL, as the death of their machine does."""
        postmaster = self._postmaster()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if postmaster is not None:
            with suppress(ProcessLookupError):
                os.kill(postmaster, SIGKILL)

    def _postmaster(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int((self._data / "postmaster.pid").read_text().splitlines()[0])
        return None

    def is_leader(self) -> bool:
        return self._ask("/leader")[0] == HTTPStatus.OK

    def members(self) -> list[dict[str, Any]]:
        """The cluster as this member sees it; empty if it does not answer."""
        status, answer = self._ask("/cluster")
        found: list[dict[str, Any]] = json.loads(answer)["members"] if status else []
        return found

    def _ask(self, path: str) -> tuple[int, bytes]:
        """Ask Patroni's REST API; (0, b"") if it does not answer."""
        with closing(HTTPConnection("127.0.0.1", self._rest, timeout=2)) as connection:
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, HTTPException):
                return 0, b""


class PatroniCluster:
    """The members, of which one leads."""

    def __init__(self, home: Path, *, synchronous: bool) -> None:
        self.home = home
        self.account = Account.for_this_process()
        self.synchronous = synchronous
        self.members = [Member(self, f"member{number}") for number in (1, 2, 3)]
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def at(self) -> str:
        """The end of a URL, after the login: libpq looks for the member that takes writes."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"{hosts}/postgres?target_session_attrs=read-write"

    @property
    def url(self) -> str:
        """The superuser's URL of whichever member leads."""
        return f"postgresql://postgres:{_PASSWORD}@{self.at}"

    def leader(self) -> Member | None:
        return next((member for member in self.members if member.is_leader()), None)

    def start(self) -> None:
        client, peer = lasting_port(), lasting_port()
        etcd = self.home / "etcd"
        self.account.make_directory(etcd)
        urls = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self.spawn(
            "etcd",
            *("etcd", "--name", "etcd", "--data-dir", str(etcd / "data"), "--logger", "zap"),
            *("--listen-client-urls", urls[0], "--advertise-client-urls", urls[0]),
            *("--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1]),
            *("--initial-cluster", f"etcd={urls[1]}"),
        )
        for member in self.members:
            member.configure(client, synchronous=self.synchronous)
            member.start()
        self.wait_until_whole()

    def wait_until_whole(self, seconds: float = 180) -> None:
        """Wait for a leader that two members follow, one of them synchronously if it has to."""
        deadline = time.monotonic() + seconds
        while True:
            leader = self.leader()
            members = leader.members() if leader else []
            roles = sorted(member["role"] for member in members)
            followers = [member for member in members if member["role"] != "leader"]
            if (
                len(followers) == 2
                and all(member["state"] in ("running", "streaming") for member in followers)
                and all(member.get("lag") == 0 for member in followers)
                and ("sync_standby" in roles) == self.synchronous
            ):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the cluster is not whole: {members}")
            time.sleep(0.2)

    def switch_over(self) -> None:
        """`patronictl switchover` to a follower, which is the synchronous one if there is one."""
        leader = self.leader()
        assert leader is not None
        followers = [one for one in leader.members() if one["role"] != "leader"]
        followers.sort(key=lambda member: str(member["role"]) != "sync_standby")
        subprocess.run(
            [
                *("patronictl", "-c", leader.config, "switchover", "--force"),
                *("--master", leader.name, "--candidate", followers[0]["name"], _SCOPE),
            ],
            check=True,
            capture_output=True,
            env=_environment(),
            cwd="/",
        )

    def stop_receiving(self) -> list[int]:
        """Stop the processes that receive WAL on the followers (SIGSTOP). Returns their ids."""
        leader, stopped = self.leader(), []
        for member in self.members:
            if member is leader:
                continue
            with psycopg.connect(member.url) as connection:
                row = connection.execute("select pid from pg_stat_wal_receiver").fetchone()
            if row:
                os.kill(row[0], SIGSTOP)
                stopped.append(row[0])
        return stopped

    def spawn(self, log: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{log}.log").open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
                cwd="/",
                **self.account.switch,
            )
        self._processes.append(process)
        return process

    def close(self) -> None:
        for member in self.members:
            member.kill()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(SIGTERM)
                process.wait(30)


def _environment() -> dict[str, str]:
    # Debian's programs, and not those of a virtual environment.
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


@contextmanager
def running_cluster(*, synchronous: bool) -> Iterator[PatroniCluster]:
    """A cluster that runs inside the block. Raises NotPossible without its packages."""
    path = _environment()["PATH"]
    programs = (shutil.which("patroni", path=path), shutil.which("etcd", path=path))
    if not all(programs) or not (DEBIAN_15 / "postgres").exists():
        raise NotPossible(f"needs the Debian packages {' '.join(NEEDED)}")
    home = Path(tempfile.mkdtemp(prefix="hookline-patroni-"))
    home.chmod(0o755)
    cluster = PatroniCluster(home, synchronous=synchronous)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(home, ignore_errors=True)
