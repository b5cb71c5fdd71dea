"""What a storage can do, and what its paths are: `storage://<bucket>/<key>`.

A path belongs to one exact content. So a write may be repeated or come late: it can only write the
same bytes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from hookline.error import HooklineError

__all__ = [
    "LARGEST_OBJECT",
    "BegunWrite",
    "MissingObject",
    "ObjectRefused",
    "Storage",
    "StorageError",
    "StorageMisconfigured",
    "StoredObject",
    "TypeNotAllowed",
    "object_key",
    "too_large_to_read",
]

LARGEST_OBJECT: Final = 2**30
"""Bytes of an object that is read, which is read whole. HOOKLINE_MAX_BODY is at most the same."""

# The same rule as the domain upload_pipeline.storage_path, where it is explained.
_NAME = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_!.*'() &$=@;:+,?-]"
_PATH = re.compile(rf"storage://({_NAME}{{1,100}}(?:/{_NAME}{{1,255}})+)")
_LONGEST_PATH = 950


class StorageError(HooklineError):
    """The storage is away or busy: the same call may succeed later.

    The bytes of a write are still in Postgres, and the drain tries again.
    """


class MissingObject(StorageError):
    """There is no object at this path."""


class ObjectRefused(StorageError):
    """The storage does not take this object, has no place for its path, or it is too large to read.

    Others are not affected. The same call cannot succeed before a person has done what the message
    says.
    """


class StorageMisconfigured(StorageError):
    """No call can succeed before a person has done what the message says."""


class TypeNotAllowed(StorageMisconfigured):
    """The bucket takes no object of this media type, but perhaps others."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A listed object: its path, its size in bytes, and when it was last written."""

    path: str
    size: int
    modified: datetime


class BegunWrite(Protocol):
    """The write of an object whose path is not known yet. Call `finish` or `abandon`, once."""

    async def finish(self, path: str) -> None:
        """Make the object durable at this path. Raises StorageError."""

    def abandon(self) -> None:
        """Remove what was written. Does not wait for the storage."""


class Storage(Protocol):
    """Objects by path. Every method is safe to repeat, and may raise StorageError."""

    is_remote: bool
    """Whether a write crosses a network, and so may take seconds, and fail while we are well."""

    def begin_write(self, bucket: str, content: bytes) -> BegunWrite:
        """Begin to write an object of this bucket, as far as possible without its path."""

    async def write(self, path: str, content: bytes) -> None:
        """Make the object durable."""

    async def delete(self, path: str) -> None:
        """Remove the object if it is there."""

    async def read(self, path: str) -> bytes:
        """The object's content. Raises MissingObject if there is none.

        Raises ObjectRefused for more than LARGEST_OBJECT bytes.
        """

    def list(self, bucket: str) -> AsyncIterator[StoredObject]:
        """Every object below storage://bucket/, in any order."""

    async def unfinished(self) -> tuple[StoredObject, ...]:
        """The rests of interrupted writes that `sweep` would remove. `path` tells where each is."""

    async def sweep(self) -> int:
        """Remove the rests of interrupted writes, but not writes under way. Returns their number.

        For an erasure, call it before `delete`: a rest may hold the text of the object.
        """

    async def check(self) -> None:
        """Raise if no object can be written here, with a sentence that says why."""


def too_large_to_read() -> ObjectRefused:
    """For an object of more than LARGEST_OBJECT bytes."""
    return ObjectRefused(f"it has more than {LARGEST_OBJECT:,} bytes, the most that are read")


def object_key(path: str) -> str:
    """`bucket/key` of a path. Raises ObjectRefused where no storage can have such an object."""
    match = _PATH.fullmatch(path)
    if match is None or len(path) > _LONGEST_PATH:
        raise ObjectRefused(
            "the path is not storage://bucket/key of letters and digits without accents, blanks and"
            " _!.*'()&$=@;:+,?- with names of at most 255 characters, 950 in all"
        )
    return match[1]
