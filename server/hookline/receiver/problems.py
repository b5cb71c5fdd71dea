"""What a refusal looks like: problem JSON (RFC 9457), its status telling to stop or to retry."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web

from hookline.postgres.pool import (
    DatabaseError,
    DeliveryConflict,
    DocumentMismatch,
    InvalidArgument,
    Unavailable,
    UnknownJob,
    UnusableContent,
)
from hookline.sources import Malformed, NotProven, Refusal, Unprocessable
from hookline.storage import StorageError

__all__ = ["INTERNAL", "TooBusy", "problem", "problem_of"]

INTERNAL = "Internal server error"
_RETRY_AFTER = "5"


class TooBusy(Exception):
    """Too many bodies are in memory already."""


class _Answer(NamedTuple):
    status: HTTPStatus
    # None: the exception's own sentence, which is made for the sender.
    detail: str | None = None


# Looked up along the exception's own line of descent.
_ANSWERS: dict[type[BaseException], _Answer] = {
    NotProven: _Answer(HTTPStatus.UNAUTHORIZED),
    Malformed: _Answer(HTTPStatus.BAD_REQUEST),
    Unprocessable: _Answer(HTTPStatus.UNPROCESSABLE_ENTITY),
    TooBusy: _Answer(HTTPStatus.TOO_MANY_REQUESTS, "Too many deliveries at once; send it again."),
    UnknownJob: _Answer(HTTPStatus.NOT_FOUND),
    DocumentMismatch: _Answer(HTTPStatus.CONFLICT),
    DeliveryConflict: _Answer(HTTPStatus.CONFLICT),
    InvalidArgument: _Answer(
        HTTPStatus.BAD_REQUEST, "The body holds a value that cannot be stored."
    ),
    UnusableContent: _Answer(HTTPStatus.UNPROCESSABLE_ENTITY),
    Unavailable: _Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "The database is away or busy; nothing was changed."
    ),
    StorageError: _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL),
    DatabaseError: _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL),
}

EXPECTED = (Refusal, TooBusy, DatabaseError, StorageError)


def problem(status: HTTPStatus, detail: str) -> web.Response:
    """An answer that is a problem. Where a retry can help, Retry-After says when (seconds)."""
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


def problem_of(error: BaseException) -> web.Response:
    """The answer for an exception of EXPECTED."""
    for kind in type(error).__mro__:
        if answer := _ANSWERS.get(kind):
            return problem(answer.status, answer.detail or str(error))
    raise TypeError(f"no answer for {type(error).__name__}")
