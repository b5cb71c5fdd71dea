"""What a storage can do, and what its paths are: `storage://<bucket>/<key>`.

A path belongs to one exact content. So a write may be repeated or come late: it can only write the
same bytes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = [
    "MissingObject",
    "Storage",
    "StorageError",
    "StoredObject",
    "object_key",
]

_PATH = re.compile(r"storage://([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+)")


class StorageError(Exception):
    """The storage failed. The bytes of a write are still in Postgres, and the drain tries again.

    `permanent`: no try can succeed until a person has done what the message says.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class MissingObject(StorageError):
    """There is no object at this path."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A listed object: its path, its size in bytes, and when it was last written."""

    path: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Objects by path. Every method is safe to repeat, and may raise StorageError."""

    async def write(self, path: str, content: bytes) -> None:
        """Make the object durable."""

    async def delete(self, path: str) -> None:
        """Remove the object if it is there."""

    async def read(self, path: str) -> bytes:
        """The object's content. Raises MissingObject if there is none."""

    def list(self, bucket: str) -> AsyncIterator[StoredObject]:
        """Every object below storage://bucket/, in any order."""

    async def check(self) -> None:
        """Raise if no object can be written here, with a sentence that says why."""


def object_key(path: str) -> str:
    """`bucket/key` of a path. Raises StorageError for a path that could lead out of the storage."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise StorageError(
            "the path is not storage://bucket/key of letters, digits, `.`, `_` and `-`",
            permanent=True,
        )
    return match[1]
