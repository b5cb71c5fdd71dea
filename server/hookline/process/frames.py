"""Where an error was raised, without its message, which may quote a document."""

from __future__ import annotations

import traceback

__all__ = ["frames_of"]


def frames_of(error: BaseException) -> list[str]:
    """Where an error was raised, the last eight frames, without its message."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-8)
    ]
