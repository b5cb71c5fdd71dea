"""A running worker: a claimer for each stage, notifier, listener, periodic tasks, and a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import structlog
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.listener import Listener
from hookline.postgres.notifier import Notifier
from hookline.postgres.pool import open_pool
from hookline.postgres.session import own_name, session_name
from hookline.process.admin import admin_application
from hookline.process.gathering import Gathering
from hookline.process.http_listener import listen
from hookline.process.http_server import make_runner
from hookline.process.postgres_metrics import PostgresMetrics
from hookline.process.readiness import Readiness
from hookline.process.rights import Needs, require_login
from hookline.process.roll_up import roll_up_activity
from hookline.process.tasks import cancel_and_wait, keep_running
from hookline.providers.parser_stages import PeriodicTask
from hookline.settings import ConfigurationError, Settings
from hookline.stages import Stage, Tools
from hookline.storage.objects import Storage
from hookline.storage.opening import open_storage
from hookline.timing import now
from hookline.worker.announcing.announcer import NEEDED, Announcer
from hookline.worker.claimer import Claimer
from hookline.worker.context import WorkerContext
from hookline.worker.metrics import WorkerMetrics
from hookline.worker.periodic import repeat

__all__ = ["Worker", "working"]

log = structlog.get_logger("hookline.worker")

# Without these functions no job can be worked on.
_NEEDS = Needs(
    who="worker",
    command="hookline work",
    role="hookline_worker",
    functions=(
        *("claim_jobs", "heartbeat", "release_lease", "advance_job", "fail_job", "defer_job"),
        "advance_jobs",
        *("pause_stage", "receive_content", "keep_content", "finish_content"),
    ),
)
# How long to wait, after handlers were cancelled, until their leases are released, in seconds.
# It takes this long only if Postgres does not answer.
_RELEASE_TIMEOUT = 10.0


def _needs(settings: Settings) -> Needs:
    if settings.notify_url is None:
        return _NEEDS
    return replace(_NEEDS, functions=(*_NEEDS.functions, *NEEDED))


class Worker:
    """A worker that runs: its name in leases, its statuses, and where its admin side listens."""

    def __init__(
        self,
        name: str,
        stages: Sequence[str],
        admin_url: str,
        claimers: Sequence[asyncio.Task[None]],
    ) -> None:
        self.name = name
        self.stages = stages
        self.admin_url = admin_url
        self._claimers = claimers

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`. Raises ConfigurationError if Postgres refuses the claims of a stage."""
        stopped = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({stopped, *self._claimers}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in self._claimers:
            if task.done():
                task.result()


@asynccontextmanager
async def working(
    settings: Settings, stages: Sequence[Stage], periodic: Sequence[PeriodicTask] = ()
) -> AsyncIterator[Worker]:
    """Run a worker for these stages inside the block.

    At its end, handlers have HOOKLINE_STOP_TIMEOUT seconds to finish; then they are cancelled and
    their leases are released. Raises ConfigurationError if a setting is missing, the address is
    taken, or Postgres refuses the login. Postgres may be away at the start.
    """
    _check_stages(stages)
    settings.require_storage()
    await require_login(settings.require_database(), _needs(settings))
    name = settings.worker_name or own_name()
    pool = open_pool(
        settings.require_database(),
        size=settings.pool_size,
        prepare_threshold=settings.prepare_threshold,
        name=session_name("worker", name, now()),
    )
    async with open_storage(settings) as storage, pool:
        running = _Running(settings, stages, periodic, pool, storage, name)
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
        periodic: Sequence[PeriodicTask],
        pool: AsyncConnectionPool,
        storage: Storage,
        name: str,
    ) -> None:
        self._settings = settings
        self._stages = stages
        self._periodic = periodic
        self._tools = Tools(Engine(pool), storage, settings)
        self._name = name
        self._state = PostgresMetrics(pool)
        self._metrics = WorkerMetrics(self._state)
        self._readiness = Readiness(pool, _needs(settings))
        self._runner = make_runner(
            admin_application(self._metrics.exposition, self._readiness.answer_in_detail)
        )
        self._notifier = Notifier(pool)
        self._listener = Listener(settings.require_database(), self._wake)
        self._stop_deadline: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        context = WorkerContext(
            pool,
            storage,
            settings,
            self._metrics,
            Gathering(self._tools.engine.advance_jobs),
            self._notify,
            self._stop_deadline,
        )
        self._claimers = [
            Claimer(
                context,
                stage,
                worker=self._name,
                lease=stage.lease_seconds or settings.lease,
                is_listening=lambda: self._listener.listening,
            )
            for stage in stages
        ]
        self._announcer = Announcer(
            self._tools.engine,
            settings,
            self._metrics,
            self._stop_deadline,
            lambda: self._listener.listening,
        )
        self._stopping = asyncio.Event()
        self._claimer_tasks: list[asyncio.Task[None]] = []
        self._other_tasks: list[asyncio.Task[None]] = []
        self._listener_task: asyncio.Task[None] | None = None

    def _wake(self, status: str | None) -> None:
        for stage, claimer in zip(self._stages, self._claimers, strict=True):
            if status is None or stage.status == status:
                claimer.wake()
        self._announcer.wake(status)

    def _notify(self, status: str | None) -> None:
        self._notifier.notify(status)
        # The listener receives our own notifications as well, and wakes the claimer then.
        if not self._listener.listening:
            self._wake(status)

    async def start(self) -> Worker:
        admin_url = await listen(
            self._runner, self._settings.admin_host, self._settings.admin_port, "HOOKLINE_ADMIN_"
        )
        for stage, claimer in zip(self._stages, self._claimers, strict=True):
            self._metrics.show_stage(stage.status)
            self._claimer_tasks.append(keep_running(claimer.run, f"claimer {stage.title}"))
        if self._settings.notify_url is not None:
            self._claimer_tasks.append(keep_running(self._announcer.run, "announcer"))
        self._other_tasks.append(keep_running(self._notifier.run, "notifier"))
        self._other_tasks.append(
            keep_running(partial(roll_up_activity, self._tools.engine, self._stopping), "roll-up")
        )
        self._other_tasks.append(keep_running(partial(self._state.run, self._stopping), "metrics"))
        for task in self._periodic:
            self._other_tasks.append(
                asyncio.create_task(repeat(task, self._tools, self._stopping), name=task.name)
            )
        # A transaction pooler would give the listener's connection to somebody else.
        if self._settings.prepare_threshold is not None:
            self._listener_task = keep_running(self._listener.run, "listener")
        log.info(
            "working",
            worker=self._name,
            admin_url=admin_url,
            stages={stage.title: stage.concurrency for stage in self._stages},
        )
        statuses = list(dict.fromkeys(stage.status for stage in self._stages))
        return Worker(self._name, statuses, admin_url, self._claimer_tasks)

    async def stop(self) -> None:
        log.info("stopping", worker=self._name)
        self._readiness.stopping = True
        self._stopping.set()
        for claimer in self._claimers:
            claimer.stop()
        self._announcer.stop()
        try:
            await _wait_for(self._claimer_tasks, self._settings.stop_timeout)
            self._stop_deadline.set_result(None)
            await _wait_for(self._claimer_tasks, _RELEASE_TIMEOUT)
            self._notifier.stop()
            await _wait_for(self._other_tasks, _RELEASE_TIMEOUT)
        finally:
            for task in (*self._claimer_tasks, *self._other_tasks, self._listener_task):
                if task is not None:
                    await cancel_and_wait(task)
            await self._runner.cleanup()


async def _wait_for(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


def _check_stages(stages: Sequence[Stage]) -> None:
    if not stages:
        raise ConfigurationError(
            "There is no stage to work on: set HOOKLINE_STAGES, for example to my_stages, or name"
            " it with --stages."
        )
    for stage in stages:
        status = stage.status
        # Several parsers each have a handler for their own jobs.
        others = [one for one in stages if one.status == status and one is not stage]
        if any(None in (stage.provider, one.provider) for one in others):
            raise ConfigurationError(
                f"Two handlers for the status {status}: a status has one handler."
                " HOOKLINE_PARSER=none leaves out the stages of the built-in parsers."
            )
