"""A running receiver: two HTTP listeners, the drain, the notifier, and an orderly stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import structlog
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.notifier import Notifier
from hookline.postgres.pool import open_pool
from hookline.postgres.session import own_name, session_name
from hookline.process.admin import AdminPart, admin_application, listening_for_operators
from hookline.process.allocator import return_freed_memory
from hookline.process.http_listener import listen
from hookline.process.http_server import make_runner
from hookline.process.postgres_metrics import PostgresMetrics
from hookline.process.readiness import Readiness
from hookline.process.rights import Needs, require_login
from hookline.process.roll_up import roll_up_activity
from hookline.process.tasks import cancel_and_wait, keep_running
from hookline.receiver.accepted import AcceptedCounter
from hookline.receiver.application import make_application
from hookline.receiver.configured_sources import configured_sources, require_secrets
from hookline.receiver.drain import Drain
from hookline.receiver.metrics import ReceiverMetrics
from hookline.receiver.open_requests import OpenRequests
from hookline.receiver.refusals import RefusalCounter
from hookline.settings import Settings
from hookline.storage.objects import Storage, StorageError
from hookline.storage.opening import open_storage
from hookline.timing import now

__all__ = [
    "OpenedReceiver",
    "Receiver",
    "check_start",
    "opened_receiver",
    "receiving",
    "taking_deliveries",
]

log = structlog.get_logger("hookline.receiver")

# Without these functions no delivery can be taken.
_NEEDS = Needs(
    who="receiver",
    command="hookline serve",
    role="hookline_ingest",
    functions=(
        "receive_events",
        "receive_event",
        "receive_content",
        "keep_content",
        "finish_content",
    ),
)

# Seconds for the last calls of the drain and the notifier when the receiver stops. They take this
# long only if Postgres or the storage does not answer. Work that was claimed is claimed again
# later.
_LAST_CALLS = 5.0


class Receiver:
    """A receiver that listens: at `url` for the public, at `admin_url` for operators."""

    def __init__(self, url: str, admin_url: str) -> None:
        self.url = url
        self.admin_url = admin_url


class OpenedReceiver(NamedTuple):
    """What a receiver works with, before it listens."""

    settings: Settings
    pool: AsyncConnectionPool
    storage: Storage
    metrics: ReceiverMetrics
    state: PostgresMetrics
    readiness: Readiness


@asynccontextmanager
async def receiving(
    settings: Settings, admin_part: AdminPart | None = None
) -> AsyncIterator[Receiver]:
    """Run a receiver inside the block. At its end, deliveries that have begun are finished first.

    `admin_part` adds its routes to the admin side: the dashboard.
    Raises ConfigurationError if a setting is missing, an address is taken, or Postgres refuses the
    login. Postgres may be away at the start: until it is there, deliveries are answered 503.
    """
    await check_start(settings)
    async with opened_receiver(settings) as opened:
        admin = admin_application(opened.metrics.exposition, opened.readiness.answer_in_detail)
        async with (
            listening_for_operators(admin, settings, admin_part) as admin_url,
            taking_deliveries(opened) as url,
        ):
            log.info("receiving", url=url, admin_url=admin_url)
            yield Receiver(url, admin_url)


async def check_start(settings: Settings) -> None:
    """Raise ConfigurationError if a setting is missing, or Postgres refuses the login."""
    require_secrets(settings)
    settings.require_storage()
    await require_login(settings.require_database(), _NEEDS)


@asynccontextmanager
async def opened_receiver(settings: Settings) -> AsyncIterator[OpenedReceiver]:
    """The storage and the connections of a receiver, open inside the block."""
    return_freed_memory()
    async with (
        open_storage(settings) as storage,
        open_pool(
            settings.require_database(),
            size=settings.pool_size,
            prepare_threshold=settings.prepare_threshold,
            name=session_name("receiver", own_name(), now()),
        ) as pool,
    ):
        state = PostgresMetrics(pool)
        yield OpenedReceiver(
            settings, pool, storage, ReceiverMetrics(state), state, Readiness(pool, _NEEDS)
        )


@asynccontextmanager
async def taking_deliveries(opened: OpenedReceiver, *, shared: bool = False) -> AsyncIterator[str]:
    """Listen for deliveries inside the block; the URL. `shared`: on a port of several processes.

    At its end, deliveries that have begun are finished first. Raises ConfigurationError if the
    address is taken.
    """
    settings, pool, storage, metrics, state, readiness = opened
    engine = Engine(pool)
    notifier = Notifier(pool)
    refusals = RefusalCounter(engine)
    accepted = AcceptedCounter(engine)
    stopping = asyncio.Event()
    application = make_application(
        settings=settings,
        sources=configured_sources(settings),
        engine=engine,
        storage=storage,
        readiness=readiness,
        metrics=metrics,
        notifier=notifier,
        refusals=refusals,
        accepted=accepted,
    )
    drain = Drain(
        engine=engine,
        storage=storage,
        metrics=metrics,
        notifier=notifier,
        deadline=settings.storage_deadline,
    )
    open_requests = OpenRequests()
    application.middlewares.append(open_requests.count)
    public = make_runner(application)
    tasks: list[asyncio.Task[None]] = []
    storage_check: asyncio.Task[None] | None = None
    try:
        url = await listen(public, settings.host, settings.port, "HOOKLINE_", shared=shared)
        tasks.append(keep_running(drain.run, "drain"))
        tasks.append(keep_running(notifier.run, "notifier"))
        tasks.append(keep_running(refusals.run, "refusals"))
        tasks.append(keep_running(accepted.run, "accepted"))
        tasks.append(keep_running(partial(roll_up_activity, engine, stopping), "roll-up"))
        tasks.append(keep_running(partial(state.run, stopping), "metrics"))
        storage_check = asyncio.create_task(_check(storage, settings.storage_deadline))
        yield url
    finally:
        readiness.stopping = True
        log.info("stopping")
        drain.stop()
        if storage_check is not None:
            storage_check.cancel()
        try:
            for site in list(public.sites):
                await site.stop()
            await open_requests.wait_until_answered(settings.stop_timeout)
            await public.cleanup()
            notifier.stop()
            refusals.stop()
            accepted.stop()
            stopping.set()
            # There are none if the address was taken.
            if tasks:
                ended, _ = await asyncio.wait(tasks, timeout=_LAST_CALLS)
                for task in ended:
                    task.result()
        finally:
            for task in tasks:
                await cancel_and_wait(task)


async def _check(storage: Storage, deadline: float) -> None:
    """Log at the start if the storage cannot be used. It may recover, so the receiver runs on."""
    try:
        async with asyncio.timeout(deadline):
            await storage.check()
    except StorageError as error:
        log.error("storage_unusable", reason=str(error))
    except TimeoutError:
        log.error("storage_unusable", reason=f"no answer within {deadline:g} s")
