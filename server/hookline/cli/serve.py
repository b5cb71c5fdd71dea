"""`hookline serve`: run the receiver until a signal."""

from __future__ import annotations

import asyncio

from hookline.cli.event_loop import loop_factory
from hookline.process.signals import stop_on_signals
from hookline.settings import Settings, load

__all__ = ["serve"]


def serve() -> None:
    """Receive webhooks until SIGTERM or SIGINT.

    After the first signal it finishes the deliveries that have arrived, within
    HOOKLINE_STOP_TIMEOUT. A second signal stops it at once. Logs go to standard error. With
    HOOKLINE_DASHBOARD_DATABASE_URL, the dashboard is on its admin side.

    Example: DATABASE_URL=postgresql://receiver:password@db.example.com/app
    HOOKLINE_STORAGE_URL=file:///var/lib/hookline/objects
    HOOKLINE_LLAMAPARSE_SECRETS=a-long-random-secret hookline serve
    """
    # Imported here: the other commands do not need it, and the import takes longer than they do.
    from hookline.process import logs
    from hookline.process.traces import tracing

    settings = load()
    logs.configure(settings.log_format)
    with tracing(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_receive_until_signal(settings))


async def _receive_until_signal(settings: Settings) -> None:
    from hookline.dashboard.run import beside_receiver
    from hookline.receiver.run import receiving

    stop = stop_on_signals()
    async with beside_receiver(settings) as dashboard, receiving(settings, dashboard):
        await stop.wait()
