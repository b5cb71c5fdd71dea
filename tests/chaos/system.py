"""The whole system: Postgres, the provider, the receiver and the workers, each a process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp
import psycopg
from psycopg.rows import DictRow, dict_row

from chaos.endpoint import Endpoint, endpoint
from chaos.fork_server import WEBHOOK_URL, ForkServer, fork_server
from chaos.shortened_times import ENVIRONMENT, TIMINGS
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from support.application import SECRET as APPLICATION_SECRET
from support.ports import lasting_port

SECRET: Final = "chaos-secret-0123456789"
_ROLES: Final = {"receiver": "ingest", "worker": "worker", "operator": "operator"}
# Ten of the provider's seconds pass in one: a parse takes 0.15 to 0.45 s, a late event 2 s. A new
# job is listed later than a lease lasts, so that a worker has to wait for the grace.
_SPEED: Final = 10
_LIST_LAG: Final = 15
_WEBHOOK_TIMEOUT: Final = 3


class Process:
    """A receiver or a worker, which can be ended and started again."""

    def __init__(
        self,
        forks: ForkServer,
        command: str,
        environment: dict[str, str],
        directory: Path,
        name: str,
    ) -> None:
        self._forks = forks
        self._command = command
        self._environment = environment
        self._directory = directory
        self.name = name
        self.log = directory / f"{name}.log"
        self._pid: int | None = None
        self.wrong_ends: list[str] = []
        """A sentence for each end that was not the expected one."""

    @property
    def is_running(self) -> bool:
        """Whether it was started and nobody has begun to end it."""
        return self._pid is not None

    async def start(self) -> None:
        self._pid = await self._forks.start(
            [self._command], self._environment, self._directory, self.log
        )

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        await self._end(SIGKILL, -SIGKILL)

    async def terminate(self) -> None:
        """End it with SIGTERM, as a deployment does."""
        await self._end(SIGTERM, 0)

    async def _end(self, how: Signals, expected: int) -> None:
        if self._pid is None:
            return
        pid, self._pid = self._pid, None
        status = await self._forks.end(pid, how)
        # A new process sets its signal handlers a little later, so SIGTERM may still kill it.
        if status != expected and not (how is SIGTERM and status == -SIGTERM):
            self.wrong_ends.append(f"{self.name} ended with {status} and not {expected}")


class System:
    """Everything that runs, and queries about it."""

    def __init__(
        self,
        postgres: ThrowawayPostgres,
        directory: Path,
        cloud_url: str,
        forks: ForkServer,
        endpoint: Endpoint,
    ) -> None:
        self.postgres = postgres
        self.endpoint = endpoint
        self.directory = directory
        self.objects = directory / "objects"
        self.cloud_url = cloud_url
        self.forks = forks
        # The provider has no TLS, and loading the usual certificates would take time. A name with
        # a hash lets the directory pass for one with certificates.
        self._certificates = directory / "certificates"
        self._certificates.mkdir()
        (self._certificates / "00000000.0").touch()
        port = lasting_port()
        self.receiver = self._process("receiver", "serve", HOOKLINE_PORT=str(port))
        self._webhook_url = f"http://127.0.0.1:{port}/webhooks/llamacloud"
        self.workers: list[Process] = []
        self._connections: dict[str | None, psycopg.AsyncConnection[DictRow]] = {}
        self._asking = asyncio.Lock()

    @property
    def processes(self) -> list[Process]:
        return [self.receiver, *self.workers]

    def login(self, role: str) -> str:
        return f"postgresql://{role}:{role}@{self.postgres.url.rpartition('@')[2]}"

    def environment(self, role: str) -> dict[str, str]:
        """The environment of a `hookline` command that logs in as this role."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": self.login(role),
            "HOOKLINE_STORAGE_URL": self.objects.as_uri(),
            "HOOKLINE_LLAMACLOUD_SECRETS": SECRET,
            "HOOKLINE_ADMIN_PORT": "0",
            "SSL_CERT_DIR": str(self._certificates),
            **ENVIRONMENT,
        }

    def add_workers(self, count: int) -> None:
        """Add workers, which are started later."""
        for number in range(1, count + 1):
            self.workers.append(
                self._process(
                    f"worker-{number}",
                    "work",
                    LLAMA_CLOUD_API_KEY="llx-imitation",
                    LLAMA_CLOUD_BASE_URL=self.cloud_url,
                    HOOKLINE_WORKER_NAME=f"worker-{number}",
                    HOOKLINE_NOTIFY_URL=self.endpoint.url,
                    HOOKLINE_NOTIFY_SECRETS=APPLICATION_SECRET,
                    HOOKLINE_NOTIFY_PRIVATE="on",
                    **{WEBHOOK_URL: self._webhook_url},
                )
            )

    def _process(self, name: str, command: str, **environment: str) -> Process:
        role = name.partition("-")[0]
        return Process(
            self.forks, command, {**self.environment(role), **environment}, self.directory, name
        )

    async def query(
        self, statement: str, *parameters: object, role: str | None = None
    ) -> list[DictRow]:
        """As the superuser, or as a role; waits where Postgres is away.

        So a statement may be carried out twice.
        """
        while True:
            try:
                # One at a time: two would both make a connection where there is none.
                async with self._asking:
                    connection = await self._connection(role)
                    cursor = await connection.execute(statement.encode(), parameters)
                    return await cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError as error:
                # No code, 57 or 08: there is no connection. Other errors are raised.
                if error.sqlstate is not None and error.sqlstate[:2] not in ("57", "08"):
                    raise
            await asyncio.sleep(0.1)

    async def _connection(self, role: str | None) -> psycopg.AsyncConnection[DictRow]:
        connection = self._connections.get(role)
        if connection is None or connection.closed:
            connection = self._connections[role] = await psycopg.AsyncConnection.connect(
                self.postgres.url if role is None else self.login(role),
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=5,
            )
        return connection

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def restart_postgres(self) -> None:
        """Kill Postgres with SIGKILL and start it again on the same data."""
        await asyncio.to_thread(self.postgres.kill)
        await asyncio.to_thread(self.postgres.start)

    async def provider(self) -> dict[str, Any]:
        """The state of the provider."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.cloud_url}/_state") as answer:
            state: dict[str, Any] = await answer.json()
            return state

    async def set_faults(self, faults: dict[str, object]) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.put(f"{self.cloud_url}/_faults", json=faults) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def doctor(self) -> list[dict[str, str]]:
        """The checks that `hookline doctor --storage` prints for an operator."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hookline", "doctor", "--storage", "--json"),
            env=self.environment("operator"),
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        return [json.loads(line) for line in printed.splitlines()]


@asynccontextmanager
async def system(seed: int, faults: dict[str, object], workers: int) -> AsyncIterator[System]:
    """The whole system, running. Everything is ended and deleted afterwards."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hookline-chaos-")))
        (directory / "objects").mkdir()
        postgres = stack.enter_context(ThrowawayPostgres(options={}))
        cloud_url, forks, _ = await asyncio.gather(
            stack.enter_async_context(_provider(seed, faults)),
            stack.enter_async_context(fork_server()),
            asyncio.to_thread(_prepare, postgres.url),
        )
        told = await stack.enter_async_context(endpoint(seed))
        running = System(postgres, directory, cloud_url, forks, told)
        stack.push_async_callback(running.close)
        running.add_workers(workers)
        for process in running.processes:
            await process.start()
        yield running


def _prepare(url: str) -> None:
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for login, role in _ROLES.items():
            connection.execute(
                f"create role {login} login password '{login}' in role hookline_{role}".encode()
            )
        connection.execute(TIMINGS.encode())
        # Else the first steps could come before the first worker has begun to announce.
        connection.execute("select upload_pipeline.start_announcing()")


@asynccontextmanager
async def _provider(seed: int, faults: dict[str, object]) -> AsyncIterator[str]:
    """Run the imitation of LlamaCloud; return its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fakes.llamacloud.server", "--port", "0", "--seed", str(seed)),
        *("--speed", str(_SPEED), "--webhook-timeout", str(_WEBHOOK_TIMEOUT)),
        *("--list-lag-seconds", str(_LIST_LAG)),
        *("--faults", json.dumps(faults)),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield json.loads(await process.stdout.readline())["url"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
