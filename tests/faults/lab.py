"""A receiver and a worker as processes, over a Postgres of their own, and a ledger that sends.

A fault is a coroutine that takes the Lab, starts a System in it, and makes one thing around that
system fail. At the end of the system's block the ledger is compared with the database.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from types import MappingProxyType
from typing import Final

import aiohttp
import psycopg

from chaos.fork_server import ForkServer
from faults.ledger import SECRET, Delivery, Ledger
from hookline.postgres.migrations import migrate
from support.ports import lasting_port

_ROLES: Final = {"receiver": "ingest", "worker": "worker"}
_STAGES: Final = """
from hookline import stage

@stage("parsed")
async def finish(job, tools):
    await tools.markdown(job)
    return "job_completed"
"""
# Seconds for a process to end after SIGTERM: HOOKLINE_STOP_TIMEOUT below, and what follows it.
_STOP_TIMEOUT: Final = 5
_ENDS_WITHIN: Final = 20.0
_MIB: Final = 2**20

Read = Callable[[str], bytes | None]


@dataclass
class Row:
    """The result of a fault."""

    acknowledged: int = 0
    lost: int = 0
    stuck: int = 0
    recovery: float | None = None
    remarks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """A sentence for each broken promise."""

    def expect(self, right: bool, sentence: str) -> None:
        """Note a measurement, and whether it is as expected."""
        (self.remarks if right else self.wrong).append(sentence)


class Program:
    """A `hookline` process, which can be ended and started again."""

    def __init__(
        self, forks: ForkServer, command: list[str], environment: Mapping[str, str], directory: Path
    ) -> None:
        self.environment = dict(environment)
        self.log = directory / f"{command[0]}.log"
        self.pid: int | None = None
        self._forks = forks
        self._command = command
        self._directory = directory

    async def start(self) -> None:
        self.pid = await self._forks.start(
            self._command, self.environment, self._directory, self.log
        )

    async def end(self, how: Signals = SIGKILL) -> int | None:
        """Signal it and wait for its end; its exit code, or None if it had to be killed."""
        if self.pid is None:
            return 0
        pid, self.pid = self.pid, None
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                return await self._forks.end(pid, how)
        except TimeoutError:
            await self._forks.end(pid)
            return None

    def limit_descriptors(self, count: int) -> None:
        """Limit its number of open files and connections."""
        resource.prlimit(self.pid or 0, resource.RLIMIT_NOFILE, (count, count))

    def memory(self, name: str = "VmRSS") -> int:
        """A size of its memory in MiB: VmRSS now, or VmHWM at its highest."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024 // _MIB


class System:
    """What runs: Postgres at `database`, a receiver, a worker, and the ledger's sender."""

    def __init__(self, database: str, directory: Path, row: Row) -> None:
        self.database = database
        """The superuser's URL. After a failover it is that of the new primary."""
        self.directory = directory
        self.objects = directory / "objects"
        self.row = row
        self.url = ""
        self.receiver: Program
        self.worker: Program
        self.ledger: Ledger
        self.read: Read = self._read_file
        """Reads an object by its path; None: it is not there."""
        self._began = self._ended = 0.0
        self._goes_on = False

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """As the superuser, on a connection of its own."""
        with psycopg.connect(self.database, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def begin(self) -> None:
        """The fault begins now."""
        self._began = time.monotonic()

    def end(self, *, goes_on: bool = False) -> None:
        """The fault ends now. If it `goes_on`, the system should work from now on in spite of it.

        Then what was under way may still be answered, and only later requests count.
        """
        self._ended = time.monotonic()
        self._goes_on = goes_on

    def longest_silence(self) -> float:
        """The longest time without an acknowledgement since the fault began, in seconds."""
        return self.ledger.longest_silence(self._began, time.monotonic())

    async def recovery(self, seconds: float = 90) -> float | None:
        """Wait for the first 2xx after the fault's end. Returns how many seconds it took."""
        return await self.ledger.recovery(self._ended, seconds, of_later_requests=self._goes_on)

    async def recover(self, within: float) -> None:
        """Put into the row how long the system took to recover."""
        if not self._ended:
            self.end()
        self.row.recovery = await self.recovery()
        if self.row.recovery is None or self.row.recovery > within:
            self.row.wrong.append(f"the first 2xx should come within {within:g} s")

    @asynccontextmanager
    async def watched_loop(self, within: float) -> AsyncIterator[None]:
        """Ask /healthz all the time inside the block, and note how long the event loop hung."""
        worst = 0.0

        async def ask() -> None:
            nonlocal worst
            async with aiohttp.ClientSession() as http:
                while True:
                    asked = time.monotonic()
                    with suppress(aiohttp.ClientError):
                        async with http.get(f"{self.url}/healthz"):
                            pass
                    worst = max(worst, time.monotonic() - asked)
                    await asyncio.sleep(0.02)

        asking = asyncio.create_task(ask())
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.wait([asking])
        self.row.expect(worst < within, f"/healthz took {worst:.1f} s at most")

    async def use_all_connections(self) -> None:
        """Let the receiver open as many connections as its pool may have."""
        self.ledger.burst(64)
        await self.ledger.reach(80)

    def signal_backends(self, how: Signals) -> list[int]:
        """Send a signal to the server processes of the receiver and the worker."""
        rows = self.query(
            "select pid from pg_stat_activity where usename in ('receiver', 'worker')"
        )
        pids = [int(str(pid)) for (pid,) in rows]
        for pid in pids:
            os.kill(pid, how)
        return pids

    async def compare(self, settle: float, *, loses: bool) -> None:
        """Compare the ledger with the database, once all jobs have moved or time is over."""
        row = self.row
        deadline = time.monotonic() + settle
        lost, stuck = await asyncio.to_thread(self._differences)
        while stuck and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            lost, stuck = await asyncio.to_thread(self._differences)
        row.acknowledged = len(self.ledger.acknowledged)
        row.lost, row.stuck = sum(lost.values()), sum(stuck.values())
        if stuck:
            row.wrong.append(f"stuck: {_count(stuck)}")
        if lost and not loses:
            row.wrong.append(f"lost: {_count(lost)}")
        if loses and not lost:
            row.wrong.append("the control should lose something")
        if found := self.query("select * from upload_pipeline.check_integrity()"):
            row.wrong.append(f"check_integrity: {found[0]}")
        if refused := {"400", "401", "404", "409", "422"} & set(self.ledger.answers):
            # Half a delivery may be lost, too: its content, for which the job is then unknown.
            row.expect(loses, f"answered {', '.join(sorted(refused))}")

    def _differences(self) -> tuple[Counter[str], Counter[str]]:
        """The statuses of jobs whose acknowledged delivery is not there, and of unfinished ones."""
        rows = self.query("select job_id, status, parsed_path from upload_pipeline.upload_jobs")
        jobs = {job_id: (str(status), path and str(path)) for job_id, status, path in rows}
        lost, stuck = Counter[str](), Counter[str]()
        for delivery in self.ledger.sent:
            status, path = jobs[delivery.job_id]
            if delivery.job_id in self.ledger.acknowledged and not (
                status in delivery.statuses and self._has(path, delivery.text)
            ):
                lost[status] += 1
            elif status != delivery.final_status:
                stuck[status] += 1
        return lost, stuck

    def _has(self, path: object, text: str | None) -> bool:
        """Whether the object of this path holds this text."""
        return text is None or (path is not None and self.read(str(path)) == text.encode())

    def _read_file(self, path: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return (self.objects / path.removeprefix("storage://")).read_bytes()
        return None


def _count(statuses: Counter[str]) -> str:
    return ", ".join(f"{number} {status}" for status, number in statuses.items())


class Lab:
    """The place where one fault is made. `short`: faults last seconds only, for the test suite."""

    def __init__(self, forks: ForkServer, directory: Path, *, short: bool) -> None:
        self.directory = directory
        self.short = short
        self.row = Row()
        self._forks = forks

    def seconds(self, long: float, short: float) -> float:
        """How long a fault lasts: in the bench, and in the test suite."""
        return short if self.short else long

    @asynccontextmanager
    async def system(
        self,
        database: str,
        *,
        connect: str | None = None,
        recovers_within: float = 5.0,
        settle: float = 60.0,
        per_second: float = 10.0,
        jobs: int = 400,
        content_only: bool = False,
        loses: bool = False,
        last_answers: Collection[str] = (),
        log: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[System]:
        """A system that runs inside the block, whose fault is made there.

        `database` is the superuser's URL of an empty Postgres. `connect` is the rest of the URL,
        after the login, that receiver and worker use if it is another. `settle` is how many seconds
        jobs may take to their final status after the last delivery was acknowledged. Every second
        delivery is of a failed parse, unless `content_only`. `loses` is for a control, which has to
        lose something. `last_answers` are the ledger's. `log` is where the receiver's log goes,
        `environment` more variables for both processes.
        """
        directory = self.directory
        for name in ("objects", "home"):
            (directory / name).mkdir()
        (directory / "stages.py").write_text(_STAGES)
        running = System(database, directory, self.row)
        port = lasting_port()
        running.url = f"http://127.0.0.1:{port}"
        at = connect or database.rpartition("@")[2]
        common = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(directory / "home"),
            "HOOKLINE_STORAGE_URL": running.objects.as_uri(),
            "HOOKLINE_ADMIN_PORT": "0",
            "HOOKLINE_STOP_TIMEOUT": str(_STOP_TIMEOUT),
            "HOOKLINE_LEASE": "5",
            "HOOKLINE_PARSER": "none",
        }
        programs = [
            Program(
                self._forks,
                command,
                {
                    **common,
                    "DATABASE_URL": f"postgresql://{role}:{role}@{at}",
                    **more,
                    **environment,
                },
                directory,
            )
            for role, command, more in (
                (
                    "receiver",
                    ["serve"],
                    {"HOOKLINE_LLAMAPARSE_SECRETS": SECRET, "HOOKLINE_PORT": str(port)},
                ),
                ("worker", ["work", "--stages", "stages.py"], {}),
            )
        ]
        running.receiver, running.worker = programs
        if log is not None:
            running.receiver.log = log
        deliveries = await asyncio.to_thread(_prepare, database, jobs, content_only)
        running.ledger = Ledger(running.url, deliveries, per_second, last_answers)
        try:
            for program in programs:
                await program.start()
            running.ledger.start()
            await running.ledger.reach(10)
            running.begin()
            try:
                yield running
            except TimeoutError:
                self.row.wrong.append(f"no progress: {dict(running.ledger.answers)}")
            await running.recover(recovers_within)
            await running.ledger.finish(seconds=60)
            await running.compare(settle, loses=loses)
            for program in programs:
                await self._stop(program)
        finally:
            await running.ledger.finish(seconds=0)
            for program in programs:
                await program.end()

    async def _stop(self, program: Program) -> None:
        name = program.log.stem
        began = time.monotonic()
        code = await program.end(SIGTERM)
        if code != 0:
            self.row.wrong.append(
                f"{name} did not end within {_ENDS_WITHIN:g} s of SIGTERM"
                if code is None
                else f"{name} ended with {code}"
            )
        elif (took := time.monotonic() - began) > _STOP_TIMEOUT:
            self.row.remarks.append(f"{name} ended in {took:.1f} s")


def _prepare(database: str, count: int, content_only: bool) -> list[Delivery]:
    """Install Hookline, make logins and submitted jobs."""
    migrate(database)
    with psycopg.connect(database, autocommit=True) as connection:
        for login, role in _ROLES.items():
            connection.execute(
                f"create role {login} login password '{login}' in role hookline_{role}".encode()
            )
        rows = connection.execute(
            """
            with made as materialized (
              select j.job_id, j.document_id, 'parse-' || n as parse_job_id, n
                from generate_series(1, %s::int) as n
               cross join lateral upload_pipeline.create_job(
                 owner_id => gen_random_uuid(), filename => 'report.pdf',
                 mime => 'application/pdf', bytes_len => 9,
                 file_sha256 => encode(sha256(n::text::bytea), 'hex'),
                 raw_path => 'storage://raw/report.pdf'
               ) as j
            ), confirmed as materialized (
              select made.*,
                     upload_pipeline.confirm_upload(
                       job_id, 9, encode(sha256(n::text::bytea), 'hex')
                     )
                from made
            ), submitted as materialized (
              select job_id, document_id, parse_job_id, n,
                     upload_pipeline.record_submission(job_id, 1, parse_job_id)
                from confirmed
            )
            select job_id, document_id, parse_job_id, n from submitted order by n
            """,
            [count],
        ).fetchall()
    return [
        Delivery(
            job_id,
            document_id,
            parse_job_id,
            f"# {job_id}\n{hashlib.sha256(parse_job_id.encode()).hexdigest()}\n"
            if n % 2 or content_only
            else None,
        )
        for job_id, document_id, parse_job_id, n in rows
    ]


STOPPED, GOES_ON = SIGSTOP, SIGCONT
