"""The file that an application gives to `submit`: a path, bytes, or an open file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, TypeAlias

from hookline.submission.files import RawFile, Unreadable, make_raw, read_raw

__all__ = ["File", "read_file"]


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


File: TypeAlias = str | os.PathLike[str] | bytes | _Readable


def read_file(file: File, filename: str | None, mime: str | None) -> RawFile:
    """Read a file, once. `filename` is needed if the file has no name of its own.

    Raises Unreadable if it cannot be read, is empty or too large, or has no name.
    """
    if isinstance(file, str | os.PathLike):
        raw = read_raw(Path(file))
        return make_raw(filename or raw.filename, raw.content, mime) if filename or mime else raw
    name = filename or getattr(file, "name", None)
    # A temporary file has the number of its descriptor for a name.
    if not isinstance(name, str) or not (name := os.path.basename(name)):
        raise Unreadable("The file has no name: pass filename.")
    try:
        content = file if isinstance(file, bytes) else file.read()
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {error.strerror or error}.") from error
    if not isinstance(content, bytes):
        raise Unreadable(f"{name} is open as text: open it in binary mode.")
    return make_raw(name, content, mime)
