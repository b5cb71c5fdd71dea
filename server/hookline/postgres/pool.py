"""The connection to Postgres: one pool a process, and what its errors mean to a caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

__all__ = [
    "ERRORS",
    "BudgetExceeded",
    "DatabaseError",
    "DeliveryConflict",
    "DocumentMismatch",
    "HistoryProtected",
    "IllegalTransition",
    "InvalidArgument",
    "StaleLease",
    "Unavailable",
    "UnfinishedJobExists",
    "UnknownJob",
    "UnusableContent",
    "meaning_of",
    "open_pool",
    "transaction",
]

_CONNECT_TIMEOUT = 5
_POOL_TIMEOUT = 5.0


class DatabaseError(Exception):
    """Postgres refused. `detail` and `hint` are the ones that the function raised."""

    def __init__(
        self, message: str, *, sqlstate: str | None = None, detail: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


class Unavailable(DatabaseError):
    """Postgres is away or busy: nothing was changed, and the same call may succeed later."""


class UnknownJob(DatabaseError):
    """No job, document or content has this id."""


class IllegalTransition(DatabaseError):
    """The state machine has no such step from where the job is."""


class StaleLease(DatabaseError):
    """The lease is another's by now, or has ended: stop working on the job."""


class DocumentMismatch(DatabaseError):
    """The ids or the file named together do not belong together."""


class BudgetExceeded(DatabaseError):
    """Submitting would exceed a credit cap: wait for the window to end."""


class InvalidArgument(DatabaseError):
    """An argument has a value that no call can accept."""


class DeliveryConflict(DatabaseError):
    """The id of an applied delivery came again with other content."""


class UnusableContent(DatabaseError):
    """The content is empty, or not what its sender said."""


class UnfinishedJobExists(DatabaseError):
    """The document has another job that is not finished."""


class HistoryProtected(DatabaseError):
    """Somebody tried to change a status or history by hand."""


# The one table of what an SQLSTATE, or else its class, means here. Those of class UP are
# upload_pipeline.error_codes.
ERRORS: dict[str, type[DatabaseError]] = {
    "UP001": UnknownJob,
    "UP002": IllegalTransition,
    "UP003": StaleLease,
    "UP004": DocumentMismatch,
    "UP005": BudgetExceeded,
    "UP006": InvalidArgument,
    "UP007": DeliveryConflict,
    "UP008": UnusableContent,
    "UP009": UnfinishedJobExists,
    "UP010": HistoryProtected,
    "22": InvalidArgument,
    "08": Unavailable,
    # A transaction pooler without prepared statements: HOOKLINE_PREPARE_THRESHOLD=off.
    "26000": Unavailable,
    "42P05": Unavailable,
    "25006": Unavailable,  # read-only: a standby, or a primary being switched
    "40001": Unavailable,
    "40P01": Unavailable,
    "53": Unavailable,
    "55P03": Unavailable,
    "57": Unavailable,
}


def meaning_of(error: psycopg.Error) -> DatabaseError:
    """The caller's exception for a driver's. Never carries a statement or its parameters."""
    sqlstate = error.sqlstate
    kind: type[DatabaseError] = DatabaseError
    if sqlstate is None:
        # Without an SQLSTATE the server did not answer: the connection is gone or never was.
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            kind = Unavailable
        return kind(type(error).__name__)
    for length in (5, 2):
        if found := ERRORS.get(sqlstate[:length]):
            kind = found
            break
    diagnostics = error.diag
    return kind(
        diagnostics.message_primary or type(error).__name__,
        sqlstate=sqlstate,
        detail=diagnostics.message_detail or "",
        hint=diagnostics.message_hint or "",
    )


def open_pool(
    conninfo: str, *, size: int, prepare_threshold: int | None, name: str
) -> AsyncConnectionPool:
    """A pool that is not open yet: `async with` it. It reconnects when Postgres comes back.

    `prepare_threshold` None suits a transaction pooler (PgBouncer, Supavisor).
    """
    return AsyncConnectionPool(
        conninfo,
        min_size=min(2, size),
        max_size=size,
        # One lock wait in front of a full pool is worth waiting for; more is the sender's to retry.
        timeout=_POOL_TIMEOUT,
        reconnect_timeout=float("inf"),
        open=False,
        name=name,
        kwargs={
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
            "connect_timeout": _CONNECT_TIMEOUT,
            "application_name": name,
        },
    )


@asynccontextmanager
async def transaction(pool: AsyncConnectionPool) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection for one call, which is one transaction. Raises only DatabaseError's family."""
    try:
        async with pool.connection() as connection:
            yield connection
    except (PoolTimeout, TooManyRequests, PoolClosed) as error:
        raise Unavailable("no connection to Postgres became free in time") from error
    except (UnicodeEncodeError, errors.DataError) as error:
        raise InvalidArgument("a value cannot be stored as text") from error
    except psycopg.Error as error:
        raise meaning_of(error) from error
    except (OSError, TimeoutError) as error:
        raise Unavailable(type(error).__name__) from error
