"""The HTTP answer for each exception. Its status tells the sender whether to retry."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web

from hookline.postgres.errors import (
    DatabaseError,
    DeliveryConflict,
    DocumentMismatch,
    InvalidArgument,
    Unavailable,
    UnknownJob,
    UnusableContent,
)
from hookline.process.problems import INTERNAL, problem
from hookline.sources.refusals import Malformed, NotProven, Refusal, Unprocessable
from hookline.storage.objects import StorageError

__all__ = ["EXPECTED", "TooBusy", "problem_of"]


class TooBusy(Exception):
    """Too many bodies are in memory: the sender should retry later."""


class _Answer(NamedTuple):
    status: HTTPStatus
    # None: the message of the exception, which is safe for the sender.
    detail: str | None = None


# Looked up by the exception's class, then by its base classes.
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
        HTTPStatus.SERVICE_UNAVAILABLE, "The database is away or busy; send it again."
    ),
    StorageError: _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL),
    DatabaseError: _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL),
}

EXPECTED = (Refusal, TooBusy, DatabaseError, StorageError)


def problem_of(error: BaseException) -> web.Response:
    """The answer for an exception of EXPECTED."""
    for kind in type(error).__mro__:
        if answer := _ANSWERS.get(kind):
            return problem(answer.status, answer.detail or str(error))
    raise TypeError(f"no answer for {type(error).__name__}")
