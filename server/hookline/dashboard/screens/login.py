"""Log in with the password of the dashboard, and log out."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from aiohttp import web

from hookline.dashboard.access import clean_name
from hookline.dashboard.errors import Refused, unknown
from hookline.dashboard.guard import FORM, forget_session, give_session
from hookline.dashboard.site import SITE, VISITOR, Visitor, page, redirect

__all__ = ["routes"]

routes = web.RouteTableDef()

log = structlog.get_logger("hookline.dashboard")


@routes.get("/login")
async def ask(request: web.Request) -> web.Response:
    """The form. It gives the browser a session without a name, which its token belongs to."""
    return _form(request, name="", target=request.query.get("next", "/"))


@routes.post("/login")
async def log_in(request: web.Request) -> web.Response:
    """Compare the password, and begin a session under the name that was typed."""
    site = request.app[SITE]
    _require_password_mode(request)
    form = request[FORM]
    peer = request.remote or ""
    if not site.login_limit.allows(peer):
        log.warning("login_limited", peer=peer)
        raise Refused(
            HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords: try again in a minute."
        )
    name = clean_name(form.get("name", ""))
    target = form.get("next", "/")
    if name is None:
        return _form(request, "", target, fault="Type your name: histories show who acted.")
    if not site.access.accepts_password(form.get("password", "")):
        site.login_limit.count_failure(peer)
        log.warning("login_refused", peer=peer)
        return _form(request, name, target, fault="This is not the password.")
    if (former := request[VISITOR].session) is not None:
        site.sessions.end(former)
    log.info("logged_in", person=name, peer=peer)
    response = redirect(request, _local(target))
    give_session(request, response, site.sessions.begin(name))
    return response


@routes.post("/logout")
async def log_out(request: web.Request) -> web.Response:
    """End the session."""
    _require_password_mode(request)
    visitor = request[VISITOR]
    if visitor.session is not None:
        request.app[SITE].sessions.end(visitor.session)
        log.info("logged_out", person=visitor.name)
    response = redirect(request, "/login")
    forget_session(request, response)
    return response


def _form(request: web.Request, name: str, target: str, fault: str = "") -> web.Response:
    _require_password_mode(request)
    site = request.app[SITE]
    visitor = request[VISITOR]
    session = visitor.session
    if session is None:
        session = site.sessions.begin(None)
        token = site.sessions.form_token(session, None)
        visitor = request[VISITOR] = Visitor(None, False, False, session, token)
    response = page(
        request,
        "login.html",
        {"title": "Log in", "name": name, "next": _local(target), "fault": fault},
        status=HTTPStatus.FORBIDDEN if fault else HTTPStatus.OK,
    )
    give_session(request, response, session)
    return response


def _require_password_mode(request: web.Request) -> None:
    if request.app[SITE].access.mode != "password":
        raise unknown("login here")


def _local(target: str) -> str:
    """A path below the base path, whatever the form says: it is appended to that path."""
    return target if target.startswith("/") and target.isascii() and target.isprintable() else "/"
