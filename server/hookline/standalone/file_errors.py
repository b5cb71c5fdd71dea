"""Errors of the file system, as sentences that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["file_errors_as"]


@contextmanager
def file_errors_as(kind: type[Exception], path: Path) -> Iterator[None]:
    """Raise an OSError as `kind`: a sentence with the file it names, else with `path`."""
    try:
        yield
    except OSError as error:
        raise kind(
            f"{error.filename or path} cannot be used: {error.strerror or error}."
        ) from error
