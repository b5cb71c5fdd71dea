"""A running receiver: two listeners, the drain, and a stop that lets deliveries finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from aiohttp import web

from hookline.postgres.engine import Engine
from hookline.postgres.notifier import Notifier
from hookline.postgres.pool import open_pool
from hookline.process.connections import make_runner
from hookline.process.http_listener import admin_application, listen
from hookline.process.readiness import Readiness
from hookline.receiver.application import make_application
from hookline.receiver.configured_sources import configured_sources
from hookline.receiver.drain import Drain
from hookline.receiver.metrics import ReceiverMetrics
from hookline.settings import Settings
from hookline.storage.objects import Storage, StorageError
from hookline.storage.opening import open_storage

__all__ = ["Receiver", "receiving"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("hookline.receiver")


class Receiver:
    """What is listening: `url` of the public side, `admin_url` of the other."""

    def __init__(self, url: str, admin_url: str) -> None:
        self.url = url
        self.admin_url = admin_url


@asynccontextmanager
async def receiving(settings: Settings) -> AsyncIterator[Receiver]:
    """A receiver, from the first delivery that it can take to the last that it has taken.

    Raises ConfigurationError if the settings do not suffice or an address is taken. Postgres need
    not be there yet: until it is, deliveries are answered 503.
    """
    settings.require_secrets()
    async with (
        open_storage(settings) as storage,
        open_pool(
            settings.require_database(),
            size=settings.pool_size,
            prepare_threshold=settings.prepare_threshold,
            name="hookline-receiver",
        ) as pool,
    ):
        engine = Engine(pool)
        metrics = ReceiverMetrics()
        readiness = Readiness(pool)
        bell = Notifier(pool)
        application = make_application(
            settings=settings,
            sources=configured_sources(settings),
            engine=engine,
            storage=storage,
            readiness=readiness,
            metrics=metrics,
            bell=bell,
        )
        drain = Drain(
            engine=engine,
            storage=storage,
            metrics=metrics,
            bell=bell,
            deadline=settings.storage_deadline,
        )
        under_way = _UnderWay()
        application.middlewares.append(under_way.count)
        public = make_runner(application)
        admin = make_runner(admin_application(metrics.exposition, readiness.answer_in_detail))
        beside: list[asyncio.Task[None]] = []
        checking: asyncio.Task[None] | None = None
        try:
            url = await listen(public, settings.host, settings.port, "HOOKLINE_")
            admin_url = await listen(
                admin, settings.admin_host, settings.admin_port, "HOOKLINE_ADMIN_"
            )
            beside.append(asyncio.create_task(drain.run(), name="drain"))
            beside.append(asyncio.create_task(bell.run(), name="bell"))
            checking = asyncio.create_task(_check(storage, settings.storage_deadline))
            log.info("receiving", url=url, admin_url=admin_url)
            yield Receiver(url, admin_url)
        finally:
            readiness.stopping = True
            log.info("stopping")
            drain.stop()
            if checking is not None:
                checking.cancel()
            try:
                for site in list(public.sites):
                    await site.stop()
                await under_way.end(settings.stop_timeout)
                await public.cleanup()
                bell.stop()
                await asyncio.gather(*beside)
            finally:
                await admin.cleanup()


async def _check(storage: Storage, deadline: float) -> None:
    """Say at the start what the first delivery would show. It may heal: nothing stops for it."""
    try:
        async with asyncio.timeout(deadline):
            await storage.check()
    except StorageError as error:
        log.error("storage_unusable", reason=str(error))
    except TimeoutError:
        log.error("storage_unusable", reason=f"no answer within {deadline:g} s")


class _UnderWay:
    """Requests that are not answered yet.

    They end before aiohttp's own shutdown begins: from then on it drops what a sender still sends,
    and the body that it waits for never ends.
    """

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._stopping = False

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._number += 1
        try:
            response = await handler(request)
        finally:
            self._number -= 1
            if not self._number:
                self._none.set()
        if self._stopping:
            response.force_close()
        return response

    async def end(self, seconds: float) -> None:
        """Wait for them, but not for longer; connections are closed behind them."""
        self._stopping = True
        self._none.clear()
        if self._number:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._none.wait()
