"""Several receivers, each a process, on one port: started, watched and stopped as one.

The parent takes no deliveries. It holds the port, starts a process again that has ended, and
answers for all of them on the admin side. Each process stops when its standard input is closed, so
none outlives the parent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, generate_latest

from hookline.process.admin import AdminPart, admin_application, listening_for_operators
from hookline.process.http_listener import address
from hookline.process.log_metrics import LogLines
from hookline.process.logs import describe_loss
from hookline.process.shared_port import shared_port
from hookline.process.tasks import cancel_and_wait
from hookline.receiver.one_of_several import Question
from hookline.receiver.run import Receiver, check_start
from hookline.receiver.sum_of_metrics import SumOfMetrics
from hookline.settings import Settings
from hookline.timing import Backoff, wait_until_set

__all__ = ["ProcessEnded", "ProcessNotStarted", "Processes", "receiving_in_processes"]

log = structlog.get_logger("hookline.processes")

# Seconds for an answer of a process. Metrics are late only if its event loop is blocked. Readiness
# waits for Postgres: for a connection, and then for its answer.
_METRICS_TIMEOUT = 2.0
_READINESS_TIMEOUT = 15.0
# The pause before a process is started again, in seconds. It doubles until a process has run for
# some time.
_SHORTEST_PAUSE = 0.25
_LONGEST_PAUSE = 30.0
_RAN_WELL = 60.0
# Seconds that a stop may take beyond HOOKLINE_STOP_TIMEOUT, before the rest is killed.
_LAST_CALLS = 12.0
# Bytes of the longest line that a process may answer.
_LONGEST_ANSWER = 2**24


class ProcessEnded(Exception):
    """A process ended before it listened. If it has an exit `code`, it has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"A process of the receiver was ended by {_reason(code)} at its start.")
        self.code = code


class ProcessNotStarted(Exception):
    """The system starts no process: it has no memory or too many processes, for example."""

    def __init__(self, error: OSError) -> None:
        self.reason = error.strerror or type(error).__name__
        super().__init__(f"A process of the receiver could not be started: {self.reason}.")


class _Process:
    """One of the processes: the first one in its place, and those that replace it."""

    def __init__(self, number: int, command: Sequence[str], port: int) -> None:
        self.number = number
        self._command = (*command, str(number))
        self._environment = {**os.environ, "HOOKLINE_PORT": str(port)}
        self._running: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._questions = itertools.count(1)

    async def start(self) -> None:
        """Return once it listens. Raises ProcessEnded, ProcessNotStarted."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_ANSWER,
            )
        except OSError as error:
            raise ProcessNotStarted(error) from error
        self._running = process
        assert process.stdout is not None  # noqa: S101 - a pipe
        if not await process.stdout.readline():
            self._running = None
            raise ProcessEnded(await process.wait())
        self._reading = asyncio.create_task(self._read_answers(process.stdout), name="answers")
        log.info("process_started", process=self.number, pid=process.pid)

    async def watch(self, on_end: Callable[[int], None]) -> None:
        """Start it again whenever it ends, until `stop` is called; return when it has ended.

        `on_end` gets its number each time.
        """
        clock = asyncio.get_running_loop().time
        backoff = Backoff(_SHORTEST_PAUSE, 2)
        while self._running is not None:
            started = clock()
            end = _end_of(await self._running.wait())
            self._running = None
            on_end(self.number)
            if clock() - started >= _RAN_WELL:
                backoff.reset()
            while self._running is None and not self._stopping.is_set():
                pause = backoff.next(_LONGEST_PAUSE)
                log.error(process=self.number, pause=round(pause, 1), **end)
                if await wait_until_set(self._stopping, pause):
                    return
                try:
                    await self.start()
                except ProcessEnded as error:
                    end = _end_of(error.code)
                except ProcessNotStarted as error:
                    end = {"event": "process_not_started", "reason": error.reason}
            if self._stopping.is_set():
                self.stop()

    async def ask(self, question: Question, seconds: float) -> Any:
        """Its answer; None if it does not run, or not answer in time."""
        if self._running is None or (questions := self._running.stdin) is None:
            return None
        if questions.is_closing():
            return None
        number = next(self._questions)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                questions.write(f"{number} {question}\n".encode())
                await questions.drain()
                return await answer
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._answers[number]

    async def _read_answers(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            number, answer = json.loads(line)
            # It may be too late for the question.
            if (waiting := self._answers.get(number)) and not waiting.done():
                waiting.set_result(answer)
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_result(None)

    def stop(self) -> None:
        """Ask it to finish its deliveries and to end."""
        self._stopping.set()
        if self._running is not None and self._running.stdin is not None:
            self._running.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        if self._running is not None and self._running.returncode is None:
            self._running.kill()


class Processes:
    """The processes of one receiver. `command` starts one of them; its number is added."""

    def __init__(self, settings: Settings, command: Sequence[str]) -> None:
        self._settings = settings
        self._command = command
        self._all: list[_Process] = []
        self._watching: list[asyncio.Task[None]] = []
        self._metrics = SumOfMetrics()
        self._own = CollectorRegistry()
        self._own.register(LogLines())
        self._ends = Counter(
            "hookline_processes_ended",
            "Processes of the receiver that ended while it ran, and were started again",
            registry=self._own,
        )
        self._stopping = False

    async def start(self, port: int) -> None:
        """Start them. Raises ProcessEnded, ProcessNotStarted; then call `stop`."""
        numbers = range(1, self._settings.processes + 1)
        self._all = [_Process(number, self._command, port) for number in numbers]
        # What keeps one from starting keeps all: the first one says it, once.
        await self._start(self._all[:1])
        await self._start(self._all[1:])

    async def _start(self, processes: Sequence[_Process]) -> None:
        started = await asyncio.gather(
            *(process.start() for process in processes), return_exceptions=True
        )
        for process, error in zip(processes, started, strict=True):
            if error is None:
                watching = asyncio.create_task(process.watch(self._count_end), name="process")
                self._watching.append(watching)
        for error in started:
            if error is not None:
                raise error

    async def stop(self) -> None:
        """Let all finish the deliveries that have begun. What does not end in time is killed."""
        self._stopping = True
        for process in self._all:
            process.stop()
        if self._watching:
            limit = self._settings.stop_timeout + _LAST_CALLS
            _, late = await asyncio.wait(self._watching, timeout=limit)
            if late:
                log.error("processes_killed", number=len(late))
        self.kill()
        for task in self._watching:
            await cancel_and_wait(task)

    def kill(self) -> None:
        """End all at once."""
        for process in self._all:
            process.kill()

    async def exposition(self) -> bytes:
        """The sum of the metrics of all, for Prometheus."""
        await asyncio.gather(*(self._take_metrics(process) for process in self._all))
        self._metrics.report("parent", generate_latest(self._own).decode())
        return self._metrics.exposition()

    async def answer_in_detail(self, request: web.Request) -> web.Response:
        """For operators: 200 if all that run are ready, else 503; then what each of them says."""
        given = await asyncio.gather(
            *(process.ask("readiness", _READINESS_TIMEOUT) for process in self._all)
        )
        answers = {
            process.number: answer
            for process, answer in zip(self._all, given, strict=True)
            if answer is not None
        }
        faults = [answer["fault"] for answer in answers.values() if not answer["ready"]]
        warnings = [describe_loss(), *(answer["warning"] for answer in answers.values())]
        if self._stopping:
            faults.insert(0, "The receiver is stopping.")
        elif not answers:
            faults.insert(0, "No process of the receiver answers.")
        elif silent := self._settings.processes - len(answers):
            warnings.insert(0, f"{silent} of {self._settings.processes} processes do not answer.")
        return web.json_response(
            {
                "ready": not faults,
                "fault": next(iter(faults), None),
                "warning": next(filter(None, warnings), None),
                "processes": answers,
            },
            status=HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK,
        )

    async def _take_metrics(self, process: _Process) -> None:
        # At once: once it has ended, its counts are those of its last report.
        metrics = await process.ask("metrics", _METRICS_TIMEOUT)
        if metrics is None:
            self._metrics.miss(process.number)
        else:
            self._metrics.report(process.number, metrics)

    def _count_end(self, number: int) -> None:
        self._metrics.end(number)
        if not self._stopping:
            self._ends.inc()


@asynccontextmanager
async def receiving_in_processes(
    settings: Settings, processes: Processes, admin_part: AdminPart | None = None
) -> AsyncIterator[Receiver]:
    """Run HOOKLINE_PROCESSES receivers on one port inside the block.

    `admin_part` adds its routes to the admin side: the dashboard.
    At its end, deliveries that have begun are finished first. Raises ConfigurationError as
    `receiving`, ProcessNotStarted, and ProcessEnded if a process ends before it listens.
    """
    await check_start(settings)
    admin = admin_application(processes.exposition, processes.answer_in_detail)
    with shared_port(settings.host, settings.port, "HOOKLINE_") as port:
        async with listening_for_operators(admin, settings, admin_part) as admin_url:
            try:
                await processes.start(port)
                url = address(settings.host, port)
                log.info("receiving", url=url, admin_url=admin_url, processes=settings.processes)
                yield Receiver(url, admin_url)
            finally:
                log.info("stopping")
                await processes.stop()


def _end_of(code: int) -> dict[str, str]:
    return {"event": "process_ended", "by": _reason(code)}


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
