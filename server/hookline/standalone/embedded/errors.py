"""The error of a private PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["EmbeddedPostgresError", "os_errors_named"]


class EmbeddedPostgresError(Exception):
    """The private database cannot run; the message is a sentence to show to a person."""


@contextlib.contextmanager
def os_errors_named(what: Path) -> Iterator[None]:
    """Turn an OSError into an EmbeddedPostgresError that names the file it is about."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot be run with {error.filename or what}: {error.strerror or error}."
        ) from error
