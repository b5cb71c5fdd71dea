"""The exit codes of the commands, and the sentence that explains each expected error."""

from __future__ import annotations

import os

from hookline.client.errors import DamagedContent, NotParsed, UnknownArtifact
from hookline.postgres.connecting import Unreachable
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.migrations import MigrationError
from hookline.settings import ConfigurationError
from hookline.standalone.embedded import EmbeddedPostgresError
from hookline.storage.objects import StorageError

__all__ = ["AWAY", "FAILED", "INTERRUPTED", "OK", "REFUSED", "WRONG", "WrongUsage", "explain"]

OK = 0
FAILED = 1  # the work failed, or `doctor` found a fault
WRONG = 2  # wrong usage or configuration: the same command cannot succeed
AWAY = 3  # the database or the storage is away: the same command may succeed later
REFUSED = 4  # the receiver refused the webhook of `hookline send`
INTERRUPTED = 130

_NOT_INSTALLED = frozenset({"3F000", "42P01", "42703", "42883", "42704"})
_NOT_ALLOWED = "42501"


class WrongUsage(Exception):
    """Arguments are missing or contradict each other. The message is a sentence."""


def explain(error: Exception) -> tuple[int, str] | None:
    """The exit code and the sentence of an expected error. None for any other: that is a bug."""
    match error:
        case ConfigurationError() | WrongUsage():
            return WRONG, str(error)
        case Unreachable():
            return AWAY, str(error)
        case Unavailable():
            return AWAY, f"Postgres is away or busy: {error}."
        case DatabaseError(sqlstate=state) if state == _NOT_ALLOWED:
            return WRONG, (
                f"The login role of DATABASE_URL may not do this ({error}). Use a login role in"
                " hookline_reader to read, in hookline_operator to change something."
            )
        case DatabaseError(sqlstate=state) if state in _NOT_INSTALLED:
            return WRONG, (
                f"This database does not have Hookline, or has another version of it ({error}):"
                " run `hookline migrate`."
            )
        case DatabaseError():
            return FAILED, " ".join(filter(None, [f"{error}.", error.hint]))
        case MigrationError() | NotParsed() | UnknownArtifact() | DamagedContent():
            return FAILED, str(error)
        case EmbeddedPostgresError():
            return AWAY, str(error)
        case StorageError():
            return AWAY, f"The storage failed: {error}."
        case OSError(filename=str(path)) if path == os.environ.get("SSLKEYLOGFILE"):
            # Python's ssl opens it as soon as aiohttp is imported.
            return WRONG, (
                f"SSLKEYLOGFILE={path} cannot be written ({error.strerror}): remove the variable."
            )
        case _:
            return None
