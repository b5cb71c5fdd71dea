"""Where objects live. A path, `storage://<bucket>/<key>`, belongs to one exact content.

So a write may be repeated, or overtaken by a late one: it can only write the same bytes.
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
    """The storage did not do it; the bytes of a write are in Postgres, and the drain tries again.

    `permanent`: in vain, until a person has done what the message says.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class MissingObject(StorageError):
    """There is no object at this path."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it is listed: its size in bytes, and when it was last written."""

    path: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Objects by path; every method is safe to repeat and raises StorageError."""

    async def write(self, path: str, content: bytes) -> None:
        """Make the object durable."""

    async def delete(self, path: str) -> None:
        """Remove the object if it is there."""

    async def read(self, path: str) -> bytes:
        """The object's content. Raises MissingObject if there is none."""

    def list(self, bucket: str) -> AsyncIterator[StoredObject]:
        """Every object of the paths storage://bucket/..., in no order that counts."""

    async def check(self) -> None:
        """Raise, with a sentence that says why, if objects cannot be written here at all."""


def object_key(path: str) -> str:
    """`bucket/key` of a path. Raises StorageError for one that could lead out of the storage."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise StorageError(
            "the path is not storage://bucket/key of letters, digits, `.`, `_` and `-`",
            permanent=True,
        )
    return match[1]
