"""The screens: one module and one template each. A module has the routes of its screen."""

from __future__ import annotations

from aiohttp import web

from hookline.dashboard.screens import (
    actions,
    alerts,
    caps,
    dead_letters,
    deliveries,
    history,
    job,
    jobs,
    login,
    overview,
    stages,
    workers,
)

__all__ = ["ROUTES"]

ROUTES: tuple[web.AbstractRouteDef, ...] = (
    *overview.routes,
    *jobs.routes,
    *job.routes,
    *actions.routes,
    *stages.routes,
    *workers.routes,
    *dead_letters.routes,
    *deliveries.routes,
    *caps.routes,
    *alerts.routes,
    *history.routes,
    *login.routes,
)
"""The routes of all screens, below the base path."""
