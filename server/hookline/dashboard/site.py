"""What every page shares: the pools, the rules of access, the templates, and how a page is made."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg_pool import AsyncConnectionPool

from hookline.dashboard import formats
from hookline.dashboard.access import Access
from hookline.dashboard.assets import Assets
from hookline.dashboard.health import SharedHealth
from hookline.dashboard.login_limit import LoginLimit
from hookline.dashboard.operations import Operations
from hookline.dashboard.sessions import Session, Sessions
from hookline.postgres.engine import Engine
from hookline.storage.objects import Storage

__all__ = [
    "HEALTH",
    "NAVIGATION",
    "OPERATIONS",
    "SITE",
    "VISITOR",
    "Site",
    "Visitor",
    "page",
    "redirect",
    "url",
]

NAVIGATION = (
    ("Overview", "/"),
    ("Jobs", "/jobs"),
    ("Stages", "/stages"),
    ("Workers", "/workers"),
    ("Dead letters", "/dead-letters"),
    ("Deliveries", "/deliveries"),
    ("Credits", "/credits"),
    ("Alerts", "/alerts"),
    ("History", "/history"),
)
"""The screens in the header: a word, and a path below the base path."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sent a request. `session` is None where nobody can act; `form_token` is "" then."""

    name: str | None
    may_look: bool
    may_act: bool
    session: Session | None
    form_token: str


@dataclass(frozen=True, slots=True)
class Site:
    """The parts that all pages share."""

    access: Access
    pool: AsyncConnectionPool
    engine: Engine
    storage: Storage | None
    sessions: Sessions = field(default_factory=Sessions)
    login_limit: LoginLimit = field(default_factory=LoginLimit)
    assets: Assets = field(default_factory=Assets)
    templates: Environment = field(default_factory=lambda: _environment())


SITE = web.AppKey("site", Site)
HEALTH = web.AppKey("health", SharedHealth)
OPERATIONS = web.AppKey("operations", Operations)
VISITOR = web.RequestKey("visitor", Visitor)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        span=formats.span,
        utc=formats.utc,
        iso=formats.iso,
        count=formats.count,
        credits=formats.credits,
        size=formats.size,
        as_json=formats.as_json,
    )
    return environment


def url(request: web.Request, path: str, **parameters: object) -> str:
    """The address of a page below the base path. Parameters without a value are left out."""
    given = [
        (name, str(one))
        for name, value in parameters.items()
        if value not in (None, "", False)
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    query = urlencode(given)
    return request.app[SITE].access.base + path + (f"?{query}" if query else "")


def page(
    request: web.Request,
    template: str,
    values: Mapping[str, Any],
    *,
    status: HTTPStatus = HTTPStatus.OK,
) -> web.Response:
    """A page. Its template extends base.html and sees `values` and what is named here."""
    site = request.app[SITE]
    text = site.templates.get_template(template).render(
        {
            "url": lambda path, **parameters: url(request, path, **parameters),
            "asset": lambda name: site.access.base + site.assets.path(name),
            "visitor": request.get(VISITOR),
            "access_mode": site.access.mode,
            "navigation": NAVIGATION,
            "here": request.path.removeprefix(site.access.base) or "/",
            "address": request.path_qs,
            **values,
        }
    )
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def redirect(request: web.Request, path_and_query: str) -> web.Response:
    """Send the browser to a page below the base path, by GET."""
    return web.Response(
        status=HTTPStatus.SEE_OTHER,
        headers={"Location": request.app[SITE].access.base + path_and_query},
    )


def new_correlation_id() -> str:
    """An id that a page and the log share."""
    return f"dash-{secrets.token_hex(8)}"
