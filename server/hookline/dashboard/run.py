"""The dashboard with its connections: beside a receiver, or alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

import structlog
from aiohttp import web

from hookline.dashboard.access import access_of
from hookline.dashboard.application import mount
from hookline.dashboard.site import Site
from hookline.postgres.engine import Engine
from hookline.postgres.pool import open_pool
from hookline.postgres.session import own_name, session_name
from hookline.process.admin import AdminPart
from hookline.process.http_listener import listen
from hookline.process.http_server import make_runner
from hookline.process.readiness import Readiness
from hookline.process.rights import Needs, require_login
from hookline.settings import ConfigurationError, Settings
from hookline.storage.opening import open_storage
from hookline.timing import now

__all__ = ["beside_receiver", "opened_site", "require_reader", "showing"]

log = structlog.get_logger("hookline.dashboard")

_NEEDS = Needs(
    who="dashboard",
    command="hookline dashboard",
    role="hookline_reader",
    views=("job_overview", "job_timeline", "alerts"),
    variable="HOOKLINE_DASHBOARD_DATABASE_URL",
)
# Pages are short, and few people look at once.
_CONNECTIONS = 4


@asynccontextmanager
async def opened_site(settings: Settings) -> AsyncIterator[Site]:
    """The dashboard with its connections, which are open inside the block.

    The database is HOOKLINE_DASHBOARD_DATABASE_URL, else DATABASE_URL. Raises ConfigurationError if
    a setting is missing, or Postgres refuses the login. Postgres may be away at the start.
    """
    access = access_of(settings)
    if settings.dashboard_database_url is not None:
        url = settings.dashboard_database_url.get_secret_value()
        needs = _NEEDS
    else:
        url = settings.require_database()
        needs = replace(_NEEDS, variable="DATABASE_URL")
    await require_login(url, needs)
    async with AsyncExitStack() as stack:
        storage = None
        if settings.storage_url is not None:
            storage = await stack.enter_async_context(open_storage(settings))
        pool = await stack.enter_async_context(
            open_pool(
                url,
                size=_CONNECTIONS,
                prepare_threshold=settings.prepare_threshold,
                name=session_name("dashboard", own_name(), now()),
            )
        )
        yield Site(access, pool, Engine(pool), storage)


@asynccontextmanager
async def beside_receiver(settings: Settings) -> AsyncIterator[AdminPart | None]:
    """What adds the dashboard to the receiver's admin side, inside the block.

    None without HOOKLINE_DASHBOARD_DATABASE_URL, since the receiver's own login may not read.
    Raises ConfigurationError as `opened_site`, and if another setting of the dashboard is there
    without this one.
    """
    if settings.dashboard_database_url is not None:
        async with opened_site(settings) as site:
            yield partial(mount, site)
        return
    require_reader(settings)
    yield None


def require_reader(settings: Settings) -> None:
    """Raise ConfigurationError if the dashboard has settings, but no login to read with."""
    for field in ("dashboard_password", "dashboard_user_header", "dashboard_url"):
        if getattr(settings, field) is not None:
            raise ConfigurationError(
                f"{Settings.model_fields[field].alias} is set, but there is no dashboard without"
                " HOOKLINE_DASHBOARD_DATABASE_URL: set it to a login in hookline_operator, for"
                " example to postgresql://dashboard:password@db.example.com:5432/app."
            )


@asynccontextmanager
async def showing(settings: Settings) -> AsyncIterator[str]:
    """Run the dashboard without a receiver inside the block; the URL of its overview.

    Raises ConfigurationError as `opened_site`, and if the address is taken.
    """
    async with opened_site(settings) as site:
        application = web.Application()
        readiness = Readiness(site.pool, _NEEDS)
        application.router.add_get("/readyz", readiness.answer_in_detail)
        mount(site, application)
        runner = make_runner(application)
        try:
            admin_url = await listen(
                runner, settings.admin_host, settings.admin_port, "HOOKLINE_ADMIN_"
            )
            url = f"{admin_url}{site.access.base}/"
            log.info("showing", url=url)
            yield url
        finally:
            readiness.stopping = True
            await runner.cleanup()
