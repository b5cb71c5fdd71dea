"""What an error of the storage means for the job that met it, and for the jobs beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hookline.stages.outcomes import Deferred, Failed, Paused
from hookline.storage.objects import (
    MissingObject,
    ObjectRefused,
    StorageError,
    StorageMisconfigured,
)

__all__ = ["outcome_of_storage_error"]

# A stage goes on by itself so soon after the storage can be used again.
_PAUSE: Final = timedelta(minutes=1)


def outcome_of_storage_error(error: StorageError) -> Failed | Deferred:
    """One object's own fault fails its job; wrong settings pause the stage; the rest is retried."""
    match error:
        case MissingObject():
            return Failed("object_missing", f"The storage has no such object: {error}.")
        case ObjectRefused():
            text = f"The storage does not take this object: {error}."
            return Failed("storage_refused", text, permanent=True)
        case StorageMisconfigured():
            text = f"The storage cannot be used: {error}."
            return Paused("storage_misconfigured", text, _PAUSE)
        case _:
            return Deferred("storage_unavailable", f"The storage failed: {error}.")
