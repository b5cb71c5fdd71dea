"""Where objects live. A path, `storage://<bucket>/<key>`, belongs to one exact content.

So a write may be repeated, or overtaken by a late one: it can only write the same bytes.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import unquote, urlsplit

__all__ = ["Storage", "StorageError", "object_key", "open_storage"]

_PATH = re.compile(r"storage://([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+)")


class StorageError(Exception):
    """An object was not written or deleted. Its bytes are in Postgres; the drain tries again."""


class Storage(Protocol):
    """What the receiver needs of a storage: two methods, both safe to repeat."""

    async def write(self, path: str, content: bytes) -> None:
        """Make the object durable, or raise StorageError."""

    async def delete(self, path: str) -> None:
        """Remove the object if it is there, or raise StorageError."""


def object_key(path: str) -> str:
    """`bucket/key` of a path. Raises StorageError for one that could lead out of the storage."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise StorageError(
            "the path is not storage://bucket/key of letters, digits, `.`, `_` and `-`"
        )
    return match[1]


def open_storage(url: str) -> Storage:
    """The storage that HOOKLINE_STORAGE_URL names: `file:///absolute/path`."""
    from hookline.storage.files import FileStorage

    parts = urlsplit(url)
    if parts.scheme != "file":
        raise StorageError(f"storage {parts.scheme}:// is not known: use file:///absolute/path")
    return FileStorage(unquote(parts.path))
