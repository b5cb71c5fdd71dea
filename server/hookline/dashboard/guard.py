"""What happens before and after each page: headers, errors, access, form tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from traceback import extract_tb
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web
from multidict import MultiDict

from hookline.dashboard.access import clean_name
from hookline.dashboard.errors import Refused
from hookline.dashboard.forms import read_form
from hookline.dashboard.login_limit import WINDOW
from hookline.dashboard.reading import STATEMENT_TIMEOUT, is_timeout
from hookline.dashboard.sessions import LIFETIME, Session
from hookline.dashboard.site import (
    SITE,
    VISITOR,
    Visitor,
    new_correlation_id,
    page,
    redirect,
    url,
)
from hookline.postgres.errors import DatabaseError, InvalidArgument, Unavailable

__all__ = ["FORM", "answer_errors", "control_access", "forget_session", "give_session"]

log = structlog.get_logger("hookline.dashboard")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FORM = web.RequestKey("form", MultiDict[str])
"""The fields of the form that a POST brought. Its token has been checked."""

CORRELATION_ID: Final = web.RequestKey("correlation_id", str)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Nothing is sent to other sites. With no-referrer, browsers would also hide from us where a
    # form comes from: they send `Origin: null`. Source: Fetch, "append a request Origin header".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# SQLSTATE insufficient_privilege.
_NO_RIGHT: Final = "42501"
_PAGES_FOR_ALL = ("/login", "/static/")


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a page, and give every answer its headers. The outermost."""
    request[CORRELATION_ID] = new_correlation_id()
    try:
        response = await handler(request)
    except Refused as error:
        response = _error_page(request, error.status, error.sentence)
    except web.HTTPException as error:
        response = _of_http(request, error)
    except DatabaseError as error:
        response = _of_database(request, error)
    except Exception as error:
        # Its message and its local variables may hold a password or text of a document.
        log.error(
            "page_failed",
            error=type(error).__name__,
            places=[f"{one.filename}:{one.lineno}" for one in extract_tb(error.__traceback__)[-5:]],
            correlation_id=request[CORRELATION_ID],
        )
        response = _error_page(
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "The dashboard failed. Its log has the details under the id below.",
        )
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@web.middleware
async def control_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through if its sender may do what it asks for."""
    site = request.app[SITE]
    _check_host(request)
    visitor = request[VISITOR] = _visitor_of(request)
    path = request.path.removeprefix(site.access.base)
    is_for_all = path.startswith(_PAGES_FOR_ALL)
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        _check_origin(request)
        if not (visitor.may_act or (is_for_all and visitor.session is not None)):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "You are not logged in, or your session has ended: log in, and send it again."
                if site.access.mode == "password"
                else "Nobody can act here: the dashboard is read-only.",
            )
        form = request[FORM] = await read_form(request)
        assert visitor.session is not None  # noqa: S101 - both conditions above imply it
        if not site.sessions.accepts_form(
            visitor.session, visitor.name, form.get("form_token", "")
        ):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "This form is out of date: go back, load the page again, and send it again.",
            )
    elif not (visitor.may_look or is_for_all):
        return _ask_for_login(request)
    is_new = site.access.mode == "header" and _session_of(request) is None
    # Its new session would replace the one whose cookie did not come, and end the forms of other
    # tabs.
    if is_new and not is_for_all and _lacks_cookie(request):
        return page(request, "reopen.html", {"title": "Opening"})
    response = await handler(request)
    if is_new and visitor.session is not None:
        give_session(request, response, visitor.session)
    return response


def give_session(request: web.Request, response: web.StreamResponse, session: Session) -> None:
    """Let the browser keep this session."""
    site = request.app[SITE]
    response.set_cookie(
        _cookie_name(request),
        site.sessions.cookie(session),
        max_age=LIFETIME,
        path=site.access.base,
        secure=site.access.is_https,
        httponly=True,
        samesite="Strict",
    )


def forget_session(request: web.Request, response: web.StreamResponse) -> None:
    """Let the browser forget its session."""
    response.del_cookie(_cookie_name(request), path=request.app[SITE].access.base)


def _cookie_name(request: web.Request) -> str:
    # Cookies do not tell ports apart, and one machine may have several dashboards.
    return f"hookline_{request.url.port}"


def _visitor_of(request: web.Request) -> Visitor:
    site = request.app[SITE]
    if site.access.mode == "open":
        return Visitor(None, may_look=True, may_act=False, session=None, form_token="")
    session = _session_of(request)
    if site.access.mode == "header":
        name = _name_of_proxy(request)
        session = session or site.sessions.begin(None)
    else:
        name = session.name if session is not None else None
    is_known = name is not None
    token = "" if session is None else site.sessions.form_token(session, name)
    return Visitor(name, may_look=is_known, may_act=is_known, session=session, form_token=token)


def _session_of(request: web.Request) -> Session | None:
    cookie = request.cookies.get(_cookie_name(request), "")
    return request.app[SITE].sessions.read(cookie)


def _name_of_proxy(request: web.Request) -> str | None:
    access = request.app[SITE].access
    given = request.headers.getall(access.user_header or "", [])
    # Two headers: the proxy let one of the visitor's through.
    if len(given) != 1 or not access.trusts(request.remote or ""):
        return None
    return clean_name(given[0])


def _check_host(request: web.Request) -> None:
    host = (urlsplit(f"//{request.host}").hostname or "") if _is_host(request.host) else ""
    if not request.app[SITE].access.accepts_host(host):
        raise Refused(
            HTTPStatus.MISDIRECTED_REQUEST,
            "The dashboard is not known under this host name: if people open it there, set"
            " HOOKLINE_DASHBOARD_URL.",
        )


def _is_host(text: str) -> bool:
    try:
        parts = urlsplit(f"//{text}")
        return parts.netloc == text and parts.port != 0
    except ValueError:
        return False


def _check_origin(request: web.Request) -> None:
    """Refuse a form of another site. The form's token is the other proof."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get(hdrs.ORIGIN)
    own = request.app[SITE].access.origin
    host = (origin or "").partition("://")[2].lower()
    is_ours = origin is None or origin == own or host == request.host.lower()
    if site not in ("same-origin", "none") or not is_ours:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "The form came from another site. If a proxy changes the Host header, set"
            " HOOKLINE_DASHBOARD_URL to the address that people open.",
        )


def _ask_for_login(request: web.Request) -> web.Response:
    if request.app[SITE].access.mode == "header":
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "The proxy did not say who you are: open the dashboard through it, and log in there.",
        )
    if _lacks_cookie(request):
        return page(request, "reopen.html", {"title": "Opening"})
    place = request.path_qs.removeprefix(request.app[SITE].access.base)
    target = url(request, "/login", next=place if place != "/" else None)
    return redirect(request, target.removeprefix(request.app[SITE].access.base))


def _lacks_cookie(request: web.Request) -> bool:
    """Whether a link on another site opened the page, so without its SameSite=Strict cookie.

    Opened again by the page itself, the request has it.
    """
    return request.headers.get("Sec-Fetch-Site") == "cross-site"


def _of_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    status = HTTPStatus(error.status)
    sentences = {
        HTTPStatus.NOT_FOUND: "There is no such page.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take such requests.",
    }
    response = _error_page(request, status, sentences.get(status, f"{status.phrase}."))
    if allow := error.headers.get(hdrs.ALLOW):
        response.headers[hdrs.ALLOW] = allow
    return response


def _of_database(request: web.Request, error: DatabaseError) -> web.Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    if is_timeout(error):
        sentence = (
            f"Postgres needed more than {STATEMENT_TIMEOUT:g} s for this page, so it was cancelled:"
            " use more filters, or try again."
        )
    elif isinstance(error, Unavailable):
        sentence = f"Postgres does not answer: {error}. Try again in a few seconds."
    elif isinstance(error, InvalidArgument):
        status, sentence = HTTPStatus.BAD_REQUEST, f"Postgres refused: {error}."
    elif error.sqlstate == _NO_RIGHT:
        status = HTTPStatus.FORBIDDEN
        sentence = f"The dashboard's login lacks a right: {error}."
    else:
        status, sentence = HTTPStatus.INTERNAL_SERVER_ERROR, f"Postgres refused: {error}."
    log.warning(
        "page_unavailable" if isinstance(error, Unavailable) else "page_refused",
        error=type(error).__name__,
        sqlstate=error.sqlstate,
        correlation_id=request[CORRELATION_ID],
    )
    response = _error_page(request, status, sentence)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response


def _error_page(request: web.Request, status: HTTPStatus, sentence: str) -> web.Response:
    response = page(
        request,
        "error.html",
        {
            "title": status.phrase,
            "status": status,
            "sentence": sentence,
            "correlation_id": request[CORRELATION_ID],
        },
        status=status,
    )
    response.headers["X-Correlation-Id"] = request[CORRELATION_ID]
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = f"{WINDOW:.0f}"
    return response
