"""What an error of Postgres means to a caller: one exception for each, one table of SQLSTATEs."""

from __future__ import annotations

import re

import psycopg

from hookline.error import HooklineError

__all__ = [
    "ERRORS",
    "BudgetExceeded",
    "DatabaseError",
    "DeletionUnderWay",
    "DeliveryConflict",
    "DocumentMismatch",
    "HistoryProtected",
    "IllegalTransition",
    "InvalidArgument",
    "IsolationUnsupported",
    "MachineIncomplete",
    "ReadOnlyServer",
    "StaleLease",
    "TooManyUploads",
    "Unavailable",
    "UnfinishedJobExists",
    "UnknownJob",
    "UnusableContent",
    "error_of",
    "meaning_of",
    "reason_of",
]


class DatabaseError(HooklineError):
    """Postgres refused. `detail` and `hint` are those that the SQL function raised."""

    def __init__(
        self, message: str, *, sqlstate: str | None = None, detail: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


class Unavailable(DatabaseError):
    """Postgres is away or busy. Nothing was changed; the same call may succeed later."""


class ReadOnlyServer(Unavailable):
    """The server is read-only: it is a standby, or a setting makes it so."""


class UnknownJob(DatabaseError):
    """No job, document or content has this id."""


class IllegalTransition(DatabaseError):
    """The state machine has no such transition from the job's status."""


class StaleLease(DatabaseError):
    """The lease has ended, or another worker holds it: stop working on the job."""


class DocumentMismatch(DatabaseError):
    """The ids, or the id and the file, do not belong together."""


class BudgetExceeded(DatabaseError):
    """Submitting would exceed a credit cap: wait for the window to end."""


class InvalidArgument(DatabaseError):
    """An argument has a value that the function never accepts."""


class DeliveryConflict(DatabaseError):
    """A delivery that was applied before came again under the same id with other content."""


class UnusableContent(DatabaseError):
    """The content is empty, or does not have the hash or size that its sender said."""


class UnfinishedJobExists(DatabaseError):
    """The document has another job that is unfinished."""


class MachineIncomplete(DatabaseError):
    """The tables of the state machine lack a row that every job needs."""


class IsolationUnsupported(DatabaseError):
    """The transaction is repeatable read or serializable: begin it as read committed."""


class DeletionUnderWay(DatabaseError):
    """The object at this path may be deleted at any moment: call again in a minute."""


class TooManyUploads(DatabaseError):
    """The owner has begun too many uploads that are not confirmed."""


class HistoryProtected(DatabaseError):
    """Somebody tried to change a status or the history without the functions."""


# By SQLSTATE, or else by its class (the first two characters). Class UP is the table
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
    "UP011": MachineIncomplete,
    "UP012": IsolationUnsupported,
    "UP020": DeletionUnderWay,
    "UP021": TooManyUploads,
    # Of class 22 only what fails while an argument is read: the rest was raised within a function.
    "22021": InvalidArgument,  # a character that the database's encoding does not have
    "22P02": InvalidArgument,
    "22P03": InvalidArgument,
    "22P05": InvalidArgument,  # U+0000 in jsonb
    "08": Unavailable,
    # Behind a transaction pooler without prepared statements, HOOKLINE_PREPARE_THRESHOLD is off.
    "26000": Unavailable,
    "42P05": Unavailable,
    "25006": ReadOnlyServer,
    "25P03": Unavailable,  # the server ended the session: our process was stopped for a while
    "25P04": Unavailable,
    "40001": Unavailable,
    "40003": Unavailable,
    "40P01": Unavailable,
    "53": Unavailable,
    "55P03": Unavailable,
    "57": Unavailable,
    "58": Unavailable,  # the server's disk failed
}


def reason_of(error: psycopg.Error) -> str:
    """Why a connection failed: the first line of libpq's message, without the address.

    libpq adds a question, or a line for each address it tried.
    """
    first = next(iter(str(error).splitlines()), "").strip(" \t-.")
    return (
        re.sub(r"^.*failed: (?:\w+:  )?|^.*\b(FATAL|ERROR): +", "", first) or type(error).__name__
    )


def meaning_of(error: psycopg.Error) -> DatabaseError:
    """The exception for an error of the driver. It never holds a statement or its parameters."""
    sqlstate = error.sqlstate
    kind: type[DatabaseError] = DatabaseError
    if sqlstate is None:
        # Without an SQLSTATE the server did not answer: the connection was lost or never made.
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            kind = Unavailable
        # The driver found a value that cannot be sent, such as a text with U+0000.
        if isinstance(error, psycopg.DataError):
            kind = InvalidArgument
        return kind(type(error).__name__)
    diagnostics = error.diag
    return error_of(
        sqlstate,
        diagnostics.message_primary or type(error).__name__,
        detail=diagnostics.message_detail,
        hint=diagnostics.message_hint,
    )


def error_of(sqlstate: str, message: str, *, detail: str | None, hint: str | None) -> DatabaseError:
    """The exception for an SQLSTATE, with what Postgres said."""
    kind = ERRORS.get(sqlstate) or ERRORS.get(sqlstate[:2]) or DatabaseError
    return kind(message, sqlstate=sqlstate, detail=detail or "", hint=hint or "")
