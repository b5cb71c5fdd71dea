"""The answer to a request that failed: problem JSON (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

from aiohttp import web

__all__ = ["INTERNAL", "problem"]

INTERNAL = "Internal server error"
_RETRY_AFTER = "5"


def problem(status: HTTPStatus, detail: str) -> web.Response:
    """The answer. Statuses 429 and 503 have Retry-After, in seconds: there a retry can help."""
    response = web.Response(
        status=status,
        body=json.dumps(
            {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
        ).encode(),
        content_type="application/problem+json",
    )
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        response.headers["Retry-After"] = _RETRY_AFTER
    return response
