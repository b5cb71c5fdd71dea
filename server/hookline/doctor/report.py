"""All checks of `hookline doctor`, in their order: configuration, database, storage.

Each check is a row: its name, its result, and a sentence that says what to do. Nothing is changed,
except that a probe object is written to the storage and deleted.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from psycopg_pool import AsyncConnectionPool

from hookline.doctor.alerts import check_alerts
from hookline.doctor.check import Check
from hookline.doctor.configuration import check_configuration, receives
from hookline.doctor.connections import check_connections
from hookline.doctor.dashboard import check_dashboard
from hookline.doctor.database import check_database
from hookline.doctor.integrity import check_integrity
from hookline.doctor.login import unseen, who
from hookline.doctor.migrations import check_migrations
from hookline.doctor.queues import check_queues
from hookline.doctor.refusals import check_refusals
from hookline.doctor.rights import check_rights
from hookline.doctor.storage_differences import compare_storage
from hookline.doctor.storage_probe import check_storage
from hookline.postgres.connecting import Unreachable, connected
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Views
from hookline.settings import ConfigurationError, Settings

__all__ = ["examine"]


async def examine(
    settings: Settings,
    *,
    integrity: bool = True,
    compare: bool = False,
    progress: Callable[[str], None] = lambda sentence: None,
) -> AsyncGenerator[Check, None]:
    """Every check in turn, each as soon as its result is known.

    `integrity` reads every job and event once; with millions of them that takes minutes. `compare`
    reads every object of parsed content, and tells `progress` how far it is.
    """
    for check in check_configuration(settings):
        yield check
    if (of_dashboard := await check_dashboard(settings)) is not None:
        yield of_dashboard
    try:
        async with (
            connected(settings) as pool,
            aclosing(_database(settings, pool, integrity)) as checks,
        ):
            async for check in checks:
                yield check
    except (ConfigurationError, Unreachable) as error:
        yield Check("database", "fault", str(error))
    except DatabaseError as error:
        yield Check("database", "fault", f"Postgres failed during the checks: {error}.")
    storage = await check_storage(settings)
    yield storage
    if compare and storage.state == "ok":
        async with aclosing(compare_storage(settings, progress)) as checks:
            async for check in checks:
                yield check


async def _database(
    settings: Settings, pool: AsyncConnectionPool, integrity: bool
) -> AsyncGenerator[Check, None]:
    login = await who(pool)
    check, has_hookline = check_database(login)
    yield check
    if not has_hookline:
        return
    not_checked = functools.partial(unseen, login)
    yield await asyncio.to_thread(check_migrations, settings.require_database(), login)
    for check in check_rights(login, receives=receives(settings)):
        yield check
    for check in await check_connections(settings, pool):
        yield check
    for check in await check_queues(Views(pool), not_checked):
        yield check
    for check in await check_alerts(Views(pool), not_checked):
        yield check
    for check in await check_refusals(Views(pool), not_checked):
        yield check
    if integrity:
        for check in await check_integrity(Engine(pool), not_checked):
            yield check
