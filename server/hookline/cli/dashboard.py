"""`hookline dashboard`: show the dashboard until a signal, without a receiver."""

from __future__ import annotations

import asyncio

from hookline.cli.event_loop import loop_factory
from hookline.process.signals import stop_on_signals
from hookline.settings import Settings, load

__all__ = ["dashboard"]


def dashboard() -> None:
    """Show the dashboard on HOOKLINE_ADMIN_HOST and HOOKLINE_ADMIN_PORT, until SIGTERM or SIGINT.

    The database is HOOKLINE_DASHBOARD_DATABASE_URL, else DATABASE_URL: a login in hookline_reader,
    or in hookline_operator to act as well. Without HOOKLINE_DASHBOARD_PASSWORD it only shows, and
    only on this machine. `hookline up` has the dashboard already, and so has `hookline serve` with
    HOOKLINE_DASHBOARD_DATABASE_URL.

    Example: HOOKLINE_DASHBOARD_PASSWORD=a-long-random-password hookline dashboard
    """
    # Imported here: the other commands do not need it, and the import takes longer than they do.
    from hookline.process import logs

    settings = load()
    logs.configure(settings.log_format)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_show_until_signal(settings))


async def _show_until_signal(settings: Settings) -> None:
    from hookline.dashboard.run import showing

    stop = stop_on_signals()
    async with showing(settings):
        await stop.wait()
