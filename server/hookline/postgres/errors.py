"""What Postgres' errors mean to a caller: one exception a meaning, one table of SQLSTATEs."""

from __future__ import annotations

import psycopg

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
]


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
