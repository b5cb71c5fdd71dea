"""A running worker: the claims of its stages, its ear and bell, its admin side; and a stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.listener import Listener
from hookline.postgres.notifier import Notifier
from hookline.postgres.pool import open_pool
from hookline.process.admin import admin_application
from hookline.process.http_listener import listen
from hookline.process.http_server import make_runner
from hookline.process.readiness import Readiness
from hookline.process.tasks import cancel_and_wait
from hookline.providers.parser_stages import PeriodicTask
from hookline.settings import ConfigurationError, Settings
from hookline.stages import Stage, Tools
from hookline.storage.objects import Storage
from hookline.storage.opening import open_storage
from hookline.worker.claimer import Claimer
from hookline.worker.execution import WorkerContext
from hookline.worker.metrics import WorkerMetrics
from hookline.worker.periodic import repeat

__all__ = ["Worker", "working"]

log = structlog.get_logger("hookline.worker")

_FUNCTIONS = (
    *("claim_jobs", "heartbeat", "release_lease", "advance_job", "fail_job", "defer_job"),
    *("pause_stage", "receive_content", "finish_content"),
)
# For leases to be given back, once handlers were cut; more only if Postgres hangs.
_LAST_MOMENT = 10.0


class Worker:
    """What is running: its name in leases, its stages, and where its admin side listens."""

    def __init__(
        self,
        name: str,
        stages: Sequence[str],
        admin_url: str,
        claims: Sequence[asyncio.Task[None]],
    ) -> None:
        self.name = name
        self.stages = stages
        self.admin_url = admin_url
        self._claims = claims

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`. Raises ConfigurationError if Postgres says that a stage cannot be."""
        stopped = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({stopped, *self._claims}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in self._claims:
            if task.done():
                task.result()


@asynccontextmanager
async def working(
    settings: Settings, stages: Sequence[Stage], chores: Sequence[PeriodicTask] = ()
) -> AsyncIterator[Worker]:
    """A worker for these stages, from its first claim to the end of its last handler.

    At the end handlers have HOOKLINE_STOP_TIMEOUT seconds; then they are cancelled and their leases
    given back. Raises ConfigurationError if the settings do not suffice or the address is taken.
    Postgres need not be there yet.
    """
    _require_stages(stages)
    pool = open_pool(
        settings.require_database(),
        size=settings.pool_size,
        prepare_threshold=settings.prepare_threshold,
        name="hookline-worker",
    )
    async with open_storage(settings) as storage, pool:
        running = _Running(settings, stages, chores, pool, storage)
        try:
            yield await running.start()
        finally:
            await running.stop()


class _Running:
    """The parts of one worker, and the order in which they start and stop."""

    def __init__(
        self,
        settings: Settings,
        stages: Sequence[Stage],
        chores: Sequence[PeriodicTask],
        pool: AsyncConnectionPool,
        storage: Storage,
    ) -> None:
        self._settings = settings
        self._stages = stages
        self._chores = chores
        self._tools = Tools(Engine(pool), storage, settings)
        self._name = settings.worker_name or f"{socket.gethostname()[:150]}-{os.getpid()}"
        self._metrics = WorkerMetrics()
        self._readiness = Readiness(
            pool, who="worker", role="hookline_worker", functions=_FUNCTIONS
        )
        self._runner = make_runner(
            admin_application(self._metrics.exposition, self._readiness.answer_in_detail)
        )
        self._bell = Notifier(pool)
        self._ear = Listener(settings.require_database(), self._hear)
        self._cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        workshop = WorkerContext(pool, storage, settings, self._metrics, self._ring, self._cut)
        self._claims = {
            stage.status: Claimer(
                workshop,
                stage,
                worker=self._name,
                lease=stage.lease_seconds or settings.lease,
                hears=lambda: self._ear.listening,
            )
            for stage in stages
        }
        self._stopping = asyncio.Event()
        self._claiming: list[asyncio.Task[None]] = []
        self._beside: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None

    def _hear(self, status: str | None) -> None:
        for one, claims in self._claims.items():
            if status is None or one == status:
                claims.wake()

    def _ring(self, status: str | None) -> None:
        self._bell.notify(status)
        # An ear hears our own bell, too.
        if not self._ear.listening:
            self._hear(status)

    async def start(self) -> Worker:
        admin_url = await listen(
            self._runner, self._settings.admin_host, self._settings.admin_port, "HOOKLINE_ADMIN_"
        )
        for status, claims in self._claims.items():
            self._metrics.show_stage(status)
            self._claiming.append(asyncio.create_task(claims.run(), name=f"claims {status}"))
        self._beside.append(asyncio.create_task(self._bell.run(), name="bell"))
        for chore in self._chores:
            self._beside.append(
                asyncio.create_task(repeat(chore, self._tools, self._stopping), name=chore.name)
            )
        # A transaction pooler would give the connection that listens to somebody else.
        if self._settings.prepare_threshold is not None:
            self._listening = asyncio.create_task(self._ear.run(), name="ear")
        log.info(
            "working",
            worker=self._name,
            admin_url=admin_url,
            stages={stage.status: stage.concurrency for stage in self._stages},
        )
        return Worker(self._name, list(self._claims), admin_url, self._claiming)

    async def stop(self) -> None:
        log.info("stopping", worker=self._name)
        self._readiness.stopping = True
        self._stopping.set()
        for claims in self._claims.values():
            claims.stop()
        try:
            await _ended(self._claiming, self._settings.stop_timeout)
            self._cut.set_result(None)
            await _ended(self._claiming, _LAST_MOMENT)
            self._bell.stop()
            await _ended(self._beside, _LAST_MOMENT)
        finally:
            for task in (*self._claiming, *self._beside, self._listening):
                if task is not None:
                    await cancel_and_wait(task)
            await self._runner.cleanup()


async def _ended(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


def _require_stages(stages: Sequence[Stage]) -> None:
    if not stages:
        raise ConfigurationError(
            "There is no stage to work on: set HOOKLINE_STAGES, for example to my_stages, or name"
            " it with --stages."
        )
    statuses = [stage.status for stage in stages]
    for status in statuses:
        if statuses.count(status) > 1:
            raise ConfigurationError(
                f"Two handlers for the status {status}: one is enough. HOOKLINE_PARSER=none leaves"
                " out those that Hookline brings along."
            )
