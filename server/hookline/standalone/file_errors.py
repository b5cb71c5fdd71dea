"""An error of the file system, as a sentence that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import (
    contextmanager,
)
from pathlib import Path

from hookline.settings import ConfigurationError

__all__ = ["file_errors_named"]


@contextmanager
def file_errors_named(what: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or what} cannot be used: {error.strerror or error}."
        ) from error
