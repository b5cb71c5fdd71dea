"""A running receiver: two listeners, the drain, and a stop that lets deliveries finish."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from aiohttp import web

from hookline.database import open_pool
from hookline.engine import Engine
from hookline.receiver.application import make_application
from hookline.receiver.connections import make_runner
from hookline.receiver.drain import Drain
from hookline.receiver.metrics import Metrics
from hookline.receiver.readiness import Readiness
from hookline.receiver.sources import configured_sources
from hookline.settings import ConfigurationError, Settings
from hookline.storage import Storage, StorageError, open_storage

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
        metrics = Metrics()
        readiness = Readiness(pool)
        application = make_application(
            settings=settings,
            sources=configured_sources(settings),
            engine=engine,
            storage=storage,
            readiness=readiness,
            metrics=metrics,
        )
        drain = Drain(
            engine=engine, storage=storage, metrics=metrics, deadline=settings.storage_deadline
        )
        under_way = _UnderWay()
        application.middlewares.append(under_way.count)
        public = make_runner(application)
        admin = make_runner(_admin(readiness, metrics))
        draining: asyncio.Task[None] | None = None
        checking: asyncio.Task[None] | None = None
        try:
            url = await _listen(public, settings.host, settings.port, "HOOKLINE_")
            admin_url = await _listen(
                admin, settings.admin_host, settings.admin_port, "HOOKLINE_ADMIN_"
            )
            draining = asyncio.create_task(drain.run(), name="drain")
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
                if draining is not None:
                    await draining
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


def _admin(readiness: Readiness, metrics: Metrics) -> web.Application:
    async def show(request: web.Request) -> web.Response:
        return web.Response(
            body=metrics.exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    application = web.Application()
    application.router.add_get("/metrics", show)
    application.router.add_get("/readyz", readiness.answer_in_detail)
    return application


async def _listen(runner: web.AppRunner, host: str, port: int, prefix: str) -> str:
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        number = error.errno or 0
        at_fault = "PORT" if number in (errno.EADDRINUSE, errno.EACCES) else "HOST"
        # The event loop's own message repeats the address; a name's has no errno of the system.
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ConfigurationError(
            f"{prefix}{at_fault}: cannot listen on {host}:{port}, {reason}."
        ) from error
    bound = runner.addresses[0]
    name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    return f"http://{name}:{bound[1]}"
